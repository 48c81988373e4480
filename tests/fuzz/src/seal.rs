//! The frozen seal of commit metadata, written a second time from its description in `retry/src/snapshot`, so that
//! bodies of any content pass the checksum and reach the reader behind it.

use retrial_core::snapshot::Subject;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A text whose checksum is right for this lead (`r1n` or `r1r`), subject and body.
pub(crate) fn seal(lead: &str, body: &[u8], subject: &Subject<'_>) -> String {
    let mut sealed = body.to_vec();
    sealed.extend(checksum(lead, body, subject).to_be_bytes());
    let mut text = lead.to_owned();
    for chunk in sealed.chunks(3) {
        let mut word = 0u32;
        for index in 0..3 {
            word = word << 8 | u32::from(chunk.get(index).copied().unwrap_or(0));
        }
        let characters = [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(word >> shift & 63) as usize]));
        text.extend(&characters[..=chunk.len()]);
    }
    text
}

fn checksum(lead: &str, body: &[u8], subject: &Subject<'_>) -> u64 {
    let mut fed = lead.as_bytes().to_vec();
    for text in [subject.group, subject.topic] {
        fed.extend((text.len() as u64).to_be_bytes());
        fed.extend(text.as_bytes());
    }
    fed.push(u8::from(subject.topic_id.is_some()));
    fed.extend(subject.topic_id.iter().flatten());
    fed.extend(subject.partition.to_be_bytes());
    fed.extend(subject.offset.to_be_bytes());
    fed.extend(body);
    let fnv = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let mut hash = fed.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53u64] {
        hash = (hash ^ hash >> 33).wrapping_mul(factor);
    }
    hash ^ hash >> 33
}
