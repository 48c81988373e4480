//! What a topic asks for: the order of its records, and how they are tried again.

use crate::{backoff::Backoff, schedule::Schedule};

/// Which records of a topic wait for each other.
///
/// Order holds for first deliveries and tries in place, within a source partition (RULES 23). What a failing record
/// does to those behind it must be said; there is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// None: each record is for itself.
    Unordered,
    /// Records with the same key run one after the other.
    ByKey(OnExhausted),
    /// All records of a partition run one after the other.
    ByPartition(OnExhausted),
}

/// What becomes of an ordered record whose tries in place are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnExhausted {
    /// It goes to the dead letters, and the next one runs.
    Dead,
    /// Its key waits with it, in memory, for as long as the schedule lasts; then it goes to the dead letters.
    ///
    /// What it waits for is not written down: after a restart it begins with its first attempt again.
    Hold,
    /// It climbs the ladder like an unordered record, and those behind it overtake it.
    Overtake,
}

impl Order {
    /// No order.
    #[must_use]
    pub const fn unordered() -> Self {
        Self::Unordered
    }

    /// One after the other within a key.
    #[must_use]
    pub const fn by_key(on_exhausted: OnExhausted) -> Self {
        Self::ByKey(on_exhausted)
    }

    /// One after the other within a partition.
    #[must_use]
    pub const fn by_partition(on_exhausted: OnExhausted) -> Self {
        Self::ByPartition(on_exhausted)
    }

    /// What becomes of a record whose tries in place are used up; `None` where there is no order.
    #[must_use]
    pub const fn on_exhausted(self) -> Option<OnExhausted> {
        match self {
            Self::Unordered => None,
            Self::ByKey(on_exhausted) | Self::ByPartition(on_exhausted) => Some(on_exhausted),
        }
    }

    /// Whether a record that must wait keeps its lane, so that nothing behind it runs before it.
    #[must_use]
    pub const fn keeps_lane(self) -> bool {
        matches!(self.on_exhausted(), Some(OnExhausted::Dead | OnExhausted::Hold))
    }
}

/// What becomes of a record that takes its process down again and again, also alone (RULES 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnCrash {
    /// It goes to the dead letters, with the cause `crashed` and the times.
    #[default]
    Bury,
    /// It is left where it is and does not run any more; where order is kept, its key waits with it. A process of the
    /// group that is told to [`Bury`](Self::Bury) settles it.
    Hold,
}

/// How failed records are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Waits between attempts.
    pub schedule: Schedule,
    /// Further tries within one attempt, right away. Default 2; zero turns them off.
    pub in_place: u16,
    /// Pauses before tries in place.
    pub backoff: Backoff,
    /// What becomes of a record that takes its process down.
    pub on_crash: OnCrash,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { schedule: Schedule::default(), in_place: 2, backoff: Backoff::default(), on_crash: OnCrash::default() }
    }
}
