//! Reading what a group wrote: forwards, dead letters, references.

use crate::raw::{Headers, Raw};

/// The user's headers of a forward, and ours: the last block that `retrial-version` opens.
pub(crate) fn split(record: &Raw) -> (Headers, Vec<(String, String)>) {
    let opens = record.headers.iter().rposition(|(name, _)| name == b"retrial-version").expect("our block");
    let (users, ours) = record.headers.split_at(opens);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("our headers are text");
    (users.to_vec(), ours.iter().map(|(name, value)| (text(name), text(value.as_deref().expect("no null")))).collect())
}

/// The records of a topic that were forwarded from one place.
pub(crate) fn by_origin<'r>(records: &'r [Raw], origin: &str) -> Vec<&'r Raw> {
    records.iter().filter(|record| record.text("retrial-origin").as_deref() == Some(origin)).collect()
}

/// The text of a dead letter by reference, and what it shows of the body.
pub(crate) fn reference(letter: &Raw) -> (String, Vec<u8>) {
    let body = letter.body.clone().expect("a reference has a body");
    let end = body.windows(2).position(|pair| pair == b"\n\n").expect("an empty line") + 2;
    (String::from_utf8(body[..end].to_vec()).expect("text"), body[end..].to_vec())
}
