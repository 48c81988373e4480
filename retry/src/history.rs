//! What a record carries through tiers, dead letters and back: its past, as headers.

use crate::{id::Origin, outcome::Cause, time::Timestamp};

/// A record's timestamp, with what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceTime {
    /// The record has none.
    #[default]
    None,
    /// Set by the producer.
    Create(Timestamp),
    /// Set by the broker when it appended the record.
    Append(Timestamp),
}

impl SourceTime {
    /// The time, whoever set it.
    #[must_use]
    pub const fn timestamp(self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Create(time) | Self::Append(time) => Some(time),
        }
    }
}

/// The past of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Where it stood first.
    pub origin: Origin,
    /// Its timestamp there.
    pub time: SourceTime,
    /// Attempts made so far.
    pub attempts: u32,
    /// Attempts that took the worker process down.
    pub crashes: u32,
    /// Position in the schedule.
    pub step: u32,
    /// Hops made within the current wait.
    pub hop: u32,
    /// When it should run next, by the broker's clock.
    pub due: Option<Timestamp>,
    /// When its first attempt failed.
    pub first_failed: Option<Timestamp>,
    /// When its last attempt failed.
    pub last_failed: Option<Timestamp>,
    /// From when on it is no longer worth doing.
    pub expires: Option<Timestamp>,
    /// Kind of the last failure.
    pub error_kind: Option<String>,
    /// Text of the last failure.
    pub error: Option<String>,
    /// Why it is dead, for dead letters.
    pub cause: Option<Cause>,
    /// How often it was sent back from the dead letters.
    pub redrives: u32,
    /// The operator's command that brought it back.
    pub operation: Option<String>,
    /// The replay that brought it back.
    pub replay: Option<String>,
}
