//! What a record's body holds: its number, in the first eight bytes, maybe a time in the next, and filler; or an order.

use serde::{Deserialize, Serialize};

/// The number of records that only wake a client up.
pub(crate) const WARM_UP: u64 = u64::MAX;

/// Writes the body of this number into `body`, which keeps its length (eight bytes at least).
pub(crate) fn write(number: u64, body: &mut [u8]) {
    let mut word = number;
    for chunk in body.chunks_mut(8) {
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        word = (number ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
}

/// Writes a time behind the number, in microseconds since 1970.
pub(crate) fn write_stamp(micros: u64, body: &mut [u8]) {
    body[8..16].copy_from_slice(&micros.to_le_bytes());
}

/// The time behind the number; 0 where there is no room for one.
pub(crate) fn stamp(body: &[u8]) -> u64 {
    body.get(8..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The number in a body, if it is one of ours.
pub(crate) fn number(body: &[u8]) -> Option<u64> {
    body.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Reads every byte. Sums of bodies add up, so that all that was read can be compared with all that was written.
pub(crate) fn checksum(body: &[u8]) -> u64 {
    let (words, rest) = body.as_chunks();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)))
}

/// An order of a shop, some 300 bytes of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    customer: String,
    address: String,
    express: bool,
    lines: Vec<Item>,
}

/// A line of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Item {
    article: String,
    pieces: u32,
    cents: u64,
}

impl Order {
    /// The order of this number.
    pub(crate) fn new(number: u64) -> Self {
        let item = |place: u64| Item {
            article: format!("A-{:05}", (number + place * 7919) % 100_000),
            pieces: 1 + (number % 3) as u32,
            cents: 100 + (number * 31 + place) % 10_000,
        };
        Self {
            number,
            customer: format!("customer-{:08}", number % 100_000_000),
            address: "12 Some Street, 34567 Some Town, Some Country".to_owned(),
            express: number.is_multiple_of(5),
            lines: (0..3).map(item).collect(),
        }
    }

    /// From its JSON.
    ///
    /// # Panics
    /// If that is none: the benchmark has written it.
    pub(crate) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).expect("an order")
    }

    /// What stands for all of it in the check.
    pub(crate) fn sum(&self) -> u64 {
        let texts = self.customer.len() + self.address.len() + usize::from(self.express);
        let lines = self.lines.iter().map(|line| line.cents * u64::from(line.pieces) + line.article.len() as u64);
        lines.sum::<u64>() + texts as u64
    }
}
