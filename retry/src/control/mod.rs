//! What operators write into a group's control topic: their operations, which of them may write now, and which dead
//! letters are settled.
//!
//! Control is compacted, so of each key the last record stays, and each thing has a key of its own:
//!
//! | key | holds |
//! |---|---|
//! | `operation/<id>` | an [`Operation`]: who, what, when, and how far, for each partition |
//! | `claim` | the [`Claim`] of whoever carries out an operation now; null when it ended |
//! | `stop/<id>` | a [`StopRequest`]; null when it was heard |
//! | `settled/<topic>/<partition>/<page>` | a [`Page`]: which of 65,536 dead letters are settled |
//!
//! Keys that begin otherwise belong to other rooms, and records of partitions that were read are the service's.
//!
//! # Invariants
//! 1. Decoders accept exactly what the encoders of this build write. What is of a later version or damaged is skipped
//!    with a warning, and forbids writing (RULES 29).
//! 2. Marks and progress are bound to the identity of the topic that they are about (RULES 20): of a topic that was
//!    made anew under the same name, nothing is settled and nothing was done.

mod claim;
mod operation;
mod page;
mod settled;
mod text;

pub use claim::{Claim, FRESH, Occupied, SeenClaim, StopRequest};
pub use operation::{Counts, Kind, Operation, Span, State};
pub use page::{PAGE, Page, Settlement};
pub use settled::Settled;

use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Identity of a topic, as brokers tell it; `None` where they know none.
pub type TopicId = Option<[u8; 16]>;

const OPERATION: &str = "operation/";
const CLAIM: &str = "claim";
const STOP: &str = "stop/";
const SETTLED: &str = "settled/";

/// Why a control record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A later version of this crate wrote it.
    #[error("written by a later version ({0})")]
    TooNew(u32),
    /// It is not what this crate writes.
    #[error("damaged")]
    Damaged,
}

/// The key of an operation's record.
#[must_use]
pub fn operation_key(id: &str) -> String {
    format!("{OPERATION}{id}")
}

/// The key of the claim.
#[must_use]
pub const fn claim_key() -> &'static str {
    CLAIM
}

/// The key of a request to stop.
#[must_use]
pub fn stop_key(id: &str) -> String {
    format!("{STOP}{id}")
}

/// The key of a page of settled dead letters.
#[must_use]
pub fn page_key(topic: &str, partition: i32, page: i64) -> String {
    format!("{SETTLED}{topic}/{partition}/{page}")
}

/// What a group's control topic says about operators, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Control {
    /// Every operation, by its id.
    pub operations: BTreeMap<String, Operation>,
    /// Who may write, with the broker's time of that record.
    pub claim: Option<SeenClaim>,
    /// Requests that were not heard yet, by operation.
    pub stops: BTreeMap<String, StopRequest>,
    /// Settled dead letters.
    pub settled: Settled,
    /// Records that cannot be read, in words, by key.
    unread: BTreeMap<Vec<u8>, String>,
}

impl Control {
    /// Takes in one record of the control topic, with the time at which the broker appended it. Later records of a key
    /// replace earlier ones; a null value takes the earlier one back.
    ///
    /// ```
    /// use retrial_core::{control::{Control, StopRequest, stop_key}, time::Timestamp};
    ///
    /// let request = StopRequest { who: "alice@ops".into(), at: Timestamp::from_millis(0) };
    /// let mut control = Control::default();
    /// control.take_in(stop_key("redrive-1").as_bytes(), Some(request.encode().as_bytes()), Timestamp::default());
    /// assert_eq!(control.stops["redrive-1"], request);
    /// control.take_in(b"stop/redrive-1", None, Timestamp::default());
    /// assert!(control.stops.is_empty());
    /// ```
    pub fn take_in(&mut self, key: &[u8], value: Option<&[u8]>, at: Timestamp) {
        let Ok(name) = str::from_utf8(key) else { return };
        let taken = if name == CLAIM {
            self.take_claim(value, at)
        } else if let Some(id) = name.strip_prefix(OPERATION) {
            self.take_operation(id, value)
        } else if let Some(id) = name.strip_prefix(STOP) {
            self.take_stop(id, value)
        } else if let Some(place) = name.strip_prefix(SETTLED) {
            self.settled.take_in(place, value)
        } else {
            return;
        };
        match taken {
            // Nothing is left to be read of what was taken back, whatever its key.
            Err(error) if value.is_some() => {
                let shown: String = key.escape_ascii().to_string().chars().take(300).collect();
                self.unread.insert(key.to_vec(), format!("control record {shown} is skipped: {error}"));
            }
            _ => drop(self.unread.remove(key)),
        }
    }

    fn take_claim(&mut self, value: Option<&[u8]>, at: Timestamp) -> Result<(), ControlError> {
        self.claim = None;
        if let Some(value) = value {
            self.claim = Some(SeenClaim { claim: Claim::decode(value)?, at });
        }
        Ok(())
    }

    fn take_operation(&mut self, id: &str, value: Option<&[u8]>) -> Result<(), ControlError> {
        self.operations.remove(id);
        if let Some(value) = value {
            self.operations.insert(id.to_owned(), Operation::decode(id, value)?);
        }
        Ok(())
    }

    fn take_stop(&mut self, id: &str, value: Option<&[u8]>) -> Result<(), ControlError> {
        self.stops.remove(id);
        if let Some(value) = value {
            self.stops.insert(id.to_owned(), StopRequest::decode(value)?);
        }
        Ok(())
    }

    /// What could not be read, in words. Nothing may be written to control while there is any.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.unread.values().map(String::as_str)
    }

    /// The operations, the newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<&Operation> {
        let mut all: Vec<&Operation> = self.operations.values().collect();
        all.sort_by(|a, b| b.began.cmp(&a.began).then_with(|| b.id.cmp(&a.id)));
        all
    }
}

#[cfg(test)]
mod tests;
