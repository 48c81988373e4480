//! The name by which a repeated forward is recognised.

use super::{History, SourceTime};
use crate::time::Timestamp;

impl History {
    /// Recognises a repeated forward: equal for two writes of the same forward of the same record, and different
    /// for two forwards of it, since each adds to [`hop`](Self::hop), `attempts`, `crashes` or `redrives`.
    ///
    /// The record's own timestamp is part of it: where a log was cut, or a topic made anew, another record stands at
    /// the same place, and its first forward must not pass for a repeat of the other's (RULES 2). Not part of it is what
    /// differs between two runs of the same attempt: the times and texts of failures. Owners of different
    /// builds must agree, so the algorithm is frozen with [`VERSION`](super::VERSION): FNV-1a of 64 bits (offset
    /// basis `cbf29ce484222325`, prime `100000001b3`) over these fields, then `h ^= h >> 33; h *= ff51afd7ed558ccd;
    /// h ^= h >> 33; h *= c4ceb9fe1a85ec53; h ^= h >> 33` (MurmurHash3's finalizer, so that every bit serves a hash
    /// table). Numbers are little-endian; a text is its length in bytes as `u64`, then its UTF-8; an absent text is
    /// a length of `u64::MAX`:
    ///
    /// topic (text), partition (`i32`), offset (`i64`), kind of the timestamp (`u32`: 0 none, 1 create, 2 append) and
    /// its milliseconds since 1970 (`i64`; 0 for none), attempts, crashes, hop, redrives (`u32` each), operation, replay
    /// (text or absent, as the headers carry them).
    #[must_use]
    pub fn identity(&self) -> u64 {
        let mut hash = Fnv::default();
        hash.text(Some(&self.origin.topic));
        hash.bytes(&self.origin.partition.to_le_bytes());
        hash.bytes(&self.origin.offset.to_le_bytes());
        let kind: u32 = match self.time {
            SourceTime::None => 0,
            SourceTime::Create(_) => 1,
            SourceTime::Append(_) => 2,
        };
        hash.bytes(&kind.to_le_bytes());
        hash.bytes(&self.time.timestamp().map_or(0, Timestamp::as_millis).to_le_bytes());
        for count in [self.attempts, self.crashes, self.hop, self.redrives] {
            hash.bytes(&count.to_le_bytes());
        }
        for id in [&self.operation, &self.replay] {
            hash.text(id.as_deref().map(super::encode::id).as_deref());
        }
        hash.finish()
    }
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    }

    fn text(&mut self, text: Option<&str>) {
        self.bytes(&text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        self.bytes(text.unwrap_or_default().as_bytes());
    }

    fn finish(self) -> u64 {
        let mixed = [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53u64]
            .into_iter()
            .fold(self.0, |hash, factor| (hash ^ hash >> 33).wrapping_mul(factor));
        mixed ^ mixed >> 33
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // From the test vectors of the FNV authors, before the finalizer.
        for (text, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            let mut fnv = Fnv::default();
            fnv.bytes(text.as_bytes());
            assert_eq!(fnv.0, hash);
        }
    }
}
