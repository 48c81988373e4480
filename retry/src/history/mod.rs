//! What a record carries through tiers, dead letters and back: its past, as headers.
//!
//! # Whose header is whose
//! Headers with our names may also be the user's: a source topic can hold the dead letters of another group. Kafka
//! keeps the order of headers, so position tells, and no name has to be changed:
//!
//! - A forward has the user's headers first, as they are, then ours as one block that `retrial-version` opens.
//! - In the group's own topics, the block begins at the *last* `retrial-version`; from there on, names that begin
//!   with `retrial-` or `__dlq.errors.` are ours. All other headers, before and after, are the user's.
//! - Everywhere else, all headers are the user's and mean nothing to us.
//!
//! The block is last because readers that look for one header by its name take the last one: Kafka's `lastHeader`,
//! and everything that makes a map of headers. So they find ours in our topics, and a tool that appends a header of
//! its own (a trace, say) harms nothing.
//!
//! # Invariants
//! 1. [`carried`] gives the user's headers back byte for byte after any number of hops.
//! 2. The block is replaced at each hop and never above [`MAX_OWN_BYTES`]: headers do not grow.
//! 3. [`History::decode`] accepts the values that [`History::encode`] writes, each once, in any order behind
//!    `retrial-version`, and no others. Names of the block that this build does not know are those of a later build
//!    of the same [`VERSION`]: neither read nor carried on. Readers know a version before writers write it.

mod block;
mod decode;
mod encode;
mod identity;

pub use block::carried;
pub use decode::HistoryError;
pub use encode::OwnHeaders;

use crate::{
    id::Origin,
    outcome::Cause,
    time::{Timestamp, TimestampError},
};
use std::{fmt, str::FromStr};

/// The version of the headers that this build writes, and the only one it reads.
pub const VERSION: u32 = 1;

/// The most bytes that names and values of our headers have together.
pub const MAX_OWN_BYTES: usize = 2048;

/// Longest `retrial-operation` and `retrial-replay`, in bytes; longer ones are cut at a character.
pub const MAX_ID_BYTES: usize = 64;

/// A record's timestamp, with what it means.
///
/// Written `create 2026-11-22T10:21:00.000Z`, `append 2026-11-22T10:21:00.000Z` or `none`.
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

impl fmt::Display for SourceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Create(time) => write!(f, "create {time}"),
            Self::Append(time) => write!(f, "append {time}"),
        }
    }
}

/// Why a text is not a [`SourceTime`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceTimeError {
    /// It does not say whose time it is.
    #[error("a record's time begins with create or append, or is none")]
    Kind,
    /// The time itself is none.
    #[error(transparent)]
    Time(#[from] TimestampError),
}

impl FromStr for SourceTime {
    type Err = SourceTimeError;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, SourceTimeError> {
        match text.split_once(' ') {
            None if text == "none" => Ok(Self::None),
            Some(("create", time)) => Ok(Self::Create(time.parse()?)),
            Some(("append", time)) => Ok(Self::Append(time.parse()?)),
            _ => Err(SourceTimeError::Kind),
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
    /// Hops made since the last attempt that counted. Every forward to a tier adds one, and a snooze counts on from
    /// [`new_wait`](crate::ladder::new_wait): so no two forwards of a record have the same
    /// [`identity`](Self::identity), and [`Ladder::route`](crate::ladder::Ladder::route) knows how many hops are left.
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

impl History {
    /// The past of a record to which nothing has happened yet.
    #[must_use]
    pub const fn new(origin: Origin, time: SourceTime) -> Self {
        Self {
            origin,
            time,
            attempts: 0,
            crashes: 0,
            step: 0,
            hop: 0,
            due: None,
            first_failed: None,
            last_failed: None,
            expires: None,
            error_kind: None,
            error: None,
            cause: None,
            redrives: 0,
            operation: None,
            replay: None,
        }
    }
}

/// The key under which every attempt of a record may be made idempotent, the same across retries, redrive and
/// replay: `<group>/<topic>/<partition>/<offset>` of its origin.
///
/// ```
/// use retrial_core::{history::idempotency_key, id::Origin};
///
/// let origin = Origin { topic: "orders".into(), partition: 3, offset: 184_467 };
/// assert_eq!(idempotency_key("billing", &origin), "billing/orders/3/184467");
/// ```
#[must_use]
pub fn idempotency_key(group: &str, origin: &Origin) -> String {
    format!("{group}/{origin}")
}

#[cfg(test)]
mod tests;
