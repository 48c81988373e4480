//! A hash that never changes: FNV-1a with 64 bits.
//!
//! It places a forward in a partition, so that a repeated one lands beside the first also after an upgrade, and it
//! names the body of a dead letter by reference. It guards against accidents, not against an adversary.

use retrial_core::id::Origin;
use std::fmt::{self, Write as _};

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of what was written so far.
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = go_on(self.0, text.as_bytes());
        Ok(())
    }
}

/// FNV-1a over the bytes (offset basis `cbf29ce484222325`, prime `100000001b3`).
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    go_on(BASIS, bytes)
}

fn go_on(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What decides the partition of a forward: the same for every forward of one record.
pub(crate) fn spread(origin: &Origin) -> u64 {
    let mut hash = Fnv(BASIS);
    // Writing into it cannot fail.
    let _ = write!(hash, "{origin}");
    let Fnv(hash) = hash;
    // The low bits of FNV-1a see little of the first bytes; a partition count of 2 or 4 uses only those.
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_test_vectors_hold() {
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv1a(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn a_forward_lands_where_the_text_of_its_origin_says() {
        let origin = Origin { topic: "orders".into(), partition: 3, offset: 184_467 };
        let hash = fnv1a(b"orders/3/184467");
        assert_eq!(spread(&origin), hash ^ (hash >> 32));
    }

    #[test]
    fn neighbours_spread_evenly_over_a_few_partitions() {
        for partitions in [2, 3, 4, 6] {
            let mut counts = vec![0u32; partitions as usize];
            for offset in 0..6000 {
                let origin = Origin { topic: "orders".into(), partition: 1, offset };
                counts[(spread(&origin) % partitions) as usize] += 1;
            }
            let fair = 6000 / partitions as u32;
            assert!(counts.iter().all(|&count| count.abs_diff(fair) < fair / 5), "{counts:?}");
        }
    }
}
