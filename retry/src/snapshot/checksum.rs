//! What ties a snapshot to its place (RULES 2, 3).
//!
//! The algorithm, frozen with version 1: FNV-1a over 64 bits (offset basis `cbf29ce484222325`, prime `100000001b3`,
//! both hexadecimal), then the finaliser of MurmurHash3 (`fmix64`). Fed in this order, integers big-endian: the three
//! characters `r1n` or `r1r`; length (8 bytes) and bytes of the group; length and bytes of the topic; one byte 0 for
//! no topic id, or 1 and its 16 bytes; partition (4); committed offset (8); the body.
//!
//! Each step is a bijection of the state for a given byte, and so is the finaliser: two inputs that differ in a single
//! byte never collide. It guards against mistakes, not against somebody who may write commits: they could move the
//! offset itself.

use super::Subject;

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

struct Fnv(u64);

impl Fnv {
    fn feed(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |state, &byte| (state ^ u64::from(byte)).wrapping_mul(PRIME));
    }

    fn feed_framed(&mut self, bytes: &[u8]) {
        self.feed(&(bytes.len() as u64).to_be_bytes());
        self.feed(bytes);
    }

    fn finish(self) -> u64 {
        let mut state = self.0;
        state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        state = (state ^ (state >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        state ^ (state >> 33)
    }
}

/// The checksum of a body that stands beside this offset, after these leading characters.
pub(super) fn checksum(subject: &Subject<'_>, lead: &[u8], body: &[u8]) -> u64 {
    let mut fnv = Fnv(BASIS);
    fnv.feed(lead);
    fnv.feed_framed(subject.group.as_bytes());
    fnv.feed_framed(subject.topic.as_bytes());
    match subject.topic_id {
        None => fnv.feed(&[0]),
        Some(id) => {
            fnv.feed(&[1]);
            fnv.feed(&id);
        }
    }
    fnv.feed(&subject.partition.to_be_bytes());
    fnv.feed(&subject.offset.to_be_bytes());
    fnv.feed(body);
    fnv.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published vectors: FNV-1a of "" and "foobar"; fmix64 as in the reference implementation.
    #[test]
    fn it_is_the_algorithm_it_says() {
        let mut fnv = Fnv(BASIS);
        fnv.feed(b"foobar");
        assert_eq!(fnv.0, 0x8594_4171_f739_67e8);
        assert_eq!(Fnv(0).finish(), 0);
        assert_eq!(Fnv(1).finish(), 0xb456_bcfc_34c2_cb2c);
    }
}
