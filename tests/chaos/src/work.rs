//! What a record asks of its handler. Number and seed decide everything, so that judges know what must become of it.

use serde::{Deserialize, Serialize};

use crate::place::Source;

/// Keys of a source topic.
const KEYS: u64 = 48;

/// What must become of a record in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Done,
    /// A dead letter: the handler says that trying again is useless.
    Refused,
    /// A dead letter: every attempt fails.
    Exhausted,
    /// A dead letter: the body is none that the handler could read.
    Undecodable,
}

/// A record's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) number: u64,
    /// How many attempts fail before the end.
    pub(crate) fails: u32,
    /// Whether they fail by a panic.
    pub(crate) panics: bool,
    pub(crate) end: End,
    /// How long each attempt takes.
    pub(crate) millis: u64,
}

/// A record to produce.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) source: Source,
    pub(crate) key: u64,
    pub(crate) task: Task,
}

impl Order {
    /// The record with this number.
    pub(crate) fn draw(seed: u64, number: u64) -> Self {
        // The generator's first numbers of neighbouring seeds resemble each other, so they are spread first.
        let mut random = fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.u64(..);
        let source = match random.u32(0..100) {
            0..60 => Source::Free,
            60..90 => Source::Keyed,
            _ => Source::Held,
        };
        let key = random.u64(0..KEYS);
        Self { source, key, task: Task::draw(&mut random, source, number) }
    }

    /// The body: text of no format where it must not be readable.
    pub(crate) fn body(&self) -> String {
        match self.task.end {
            End::Undecodable => format!("{NOT_JSON}{}", self.task.number),
            _ => serde_json::to_string(&self.task).expect("numbers and words are JSON"),
        }
    }
}

const NOT_JSON: &str = "no task, number ";

/// The number that a body names.
pub(crate) fn number_of(body: &[u8]) -> Option<u64> {
    match std::str::from_utf8(body).ok()?.strip_prefix(NOT_JSON) {
        Some(number) => number.parse().ok(),
        None => serde_json::from_slice::<Task>(body).ok().map(|task| task.number),
    }
}

impl Task {
    fn draw(random: &mut fastrand::Rng, source: Source, number: u64) -> Self {
        let task = Self { number, fails: 0, panics: false, end: End::Done, millis: random.u64(0..6) };
        // Where a key waits for its failing record, failures are dear.
        let range = if source == Source::Held { 3000 } else { 1000 };
        match random.u32(0..range) {
            0..70 => Self { fails: 1, ..task },
            70..110 => Self { fails: 2, ..task },
            110..120 if source == Source::Free => Self { fails: 1, panics: true, ..task },
            120..135 => Self { fails: u32::MAX, end: End::Exhausted, ..task },
            135..150 => Self { end: End::Refused, ..task },
            150..155 => Self { fails: 1, end: End::Refused, ..task },
            155..165 => Self { end: End::Undecodable, ..task },
            165..195 => Self { millis: random.u64(100..if source == Source::Free { 2000 } else { 300 }), ..task },
            _ => task,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_number_decide_and_bodies_name_their_number() {
        for number in 0..1000 {
            let order = Order::draw(7, number);
            assert_eq!(number_of(order.body().as_bytes()), Some(number));
            assert_eq!(order.task, Order::draw(7, number).task);
        }
        let keys = |seed| (0..50).map(|number| Order::draw(seed, number).key).collect::<Vec<u64>>();
        assert_ne!(keys(1), keys(2));
    }

    #[test]
    fn every_topic_gets_every_end() {
        for source in Source::ALL {
            for end in [End::Done, End::Refused, End::Exhausted, End::Undecodable] {
                let found = (0..20_000).map(|number| Order::draw(7, number));
                assert!(found.into_iter().any(|order| (order.source, order.task.end) == (source, end)), "{end:?}");
            }
        }
    }
}
