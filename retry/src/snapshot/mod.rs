//! Snapshot: what is finished above the committed offset, as the text beside an offset commit.
//!
//! Kafka keeps one offset per group and partition, and a short text beside it (4096 bytes on a broker with default
//! settings). The offset is the watermark; the text says what is finished beyond it, so that work which ended out of
//! order is not done again (promise 2). A next owner reads it with [`decode`] and resumes a ledger from it.
//!
//! # Invariants
//! 1. A text counts only for the group, topic, topic id, partition and offset it was written for (RULES 2, 3).
//! 2. Anything else, of whatever length or content, is an error: no run, no panic, no more work than its length.
//! 3. A run's leader epoch is kept; the reader skips a record only if its own epoch agrees.
//! 4. What does not fit is left out from the end: done again, never lost (RULES 10).
//!
//! # Version 1, frozen
//! `r1`, a letter, and base64url without padding of *body* ‖ *checksum* (8 bytes, big-endian, over the subject, the
//! first three characters and the body; see `checksum.rs`). The body is a string of bits, most significant first,
//! filled up to a byte with zeros. A *number* is groups of three bits, lowest first, each after a bit that says whether
//! another group follows. A *change* is a number that stands for a signed difference d: 2d, or −2d − 1 below zero.
//!
//! | part | bits |
//! |---|---|
//! | departure | 1: set if the owner left well |
//! | started below | number: distance from the committed offset |
//! | *the letter is `n`:* | *nothing more: nothing is finished above the offset; `r`: what follows* |
//! | leader epoch of the first run | change from 0 |
//! | epoch changes | number of them; each a number (distance from the change before it) and a change |
//! | elements | 13: how many; each one of the three below |
//! | run | `0`, number: a hole of one offset, then a run of that number + 1 |
//! | hole and run | `10`, number, number: a hole of the first + 2, then a run of the second + 1 |
//! | bitmap | `11`, 15 bits for its length, and a bit for each offset: set if finished |
//! | *the letter is `s` for `n`, or `t` for `r`:* | *behind all of that, records under suspicion (RULES 8)* |
//! | owners that vanished unexplained | number |
//! | a record of another partition is tested | 1 |
//! | when the last one vanished | number: seconds since 1970 |
//! | marks | number of them, at most 64; each all that follows |
//! | offset | number: distance from the mark before it, or from the committed offset |
//! | leader epoch | change from that of the mark before it, or from 0 |
//! | stage | 2: waits, alone, in company, first |
//! | condemned, witnessed | 1 each |
//! | runs | number of them, at most 16; each a number (seconds since the run before it, or 1970) and 1: set if it lasted |
//!
//! Elements follow each other without a break, and the first begins at the offset *before* the committed one (so a
//! hole is never empty, also where the committed offset itself is finished); distances of epoch changes count from
//! there, too. [`encode`] finds the cheapest mixture. One stuck record with ten million finished behind it takes 30
//! characters; a window of 24,000 offsets fits however it is mixed.
//!
//! Later versions: a reader of version N + 1 is released before a writer of it (RULES 29); a reader that meets a newer
//! version says [`SnapshotError::TooNew`] and skips nothing.
//!
//! ```
//! use retrial_core::snapshot::{Departure, FinishedRun, LIMIT, SnapshotError, Subject, decode, encode};
//!
//! let subject = Subject { group: "billing", topic: "orders", topic_id: None, partition: 3, offset: 1100 };
//! let finished = [FinishedRun { from: 1101, to: 1500, leader_epoch: 7 }];
//! let encoded = encode(Departure::StillHere, 1501, finished, &subject, LIMIT);
//! assert!(encoded.complete);
//!
//! let snapshot = decode(encoded.text.as_bytes(), &subject)?.expect("the text is not empty");
//! assert_eq!(snapshot.finished, finished);
//! assert_eq!(snapshot.started_below, 1501);
//!
//! // The same text beside another offset (a mirrored cluster, a reset) means nothing.
//! let elsewhere = Subject { offset: 900, ..subject };
//! assert_eq!(decode(encoded.text.as_bytes(), &elsewhere), Err(SnapshotError::Unbound));
//! # Ok::<(), SnapshotError>(())
//! ```

mod bits;
mod checksum;
mod decode;
mod encode;
mod layout;
pub(crate) mod room;
mod run;
mod suspicion;
#[cfg(test)]
mod tests;
mod text;

pub use decode::decode;
pub use encode::{encode, encode_suspecting};
pub use run::FinishedRun;
pub use suspicion::{MAX_MARKS, MAX_RUNS, Mark, Run, Stage, Suspicion};

/// Longest metadata that is written or read, in bytes: a broker's default (`offset.metadata.max.bytes`).
pub const LIMIT: usize = 4096;

/// The version that is written.
const VERSION: u32 = 1;

const LEAD_NOTHING: &str = "r1n";
const LEAD_RUNS: &str = "r1r";
const LEAD_SUSPICION: &str = "r1s";
const LEAD_BOTH: &str = "r1t";

/// Length of each lead.
const LEAD: usize = 3;

/// Which parts a text has, told by its lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    runs: bool,
    suspicion: bool,
}

impl Parts {
    const fn lead(self) -> &'static str {
        match (self.runs, self.suspicion) {
            (false, false) => LEAD_NOTHING,
            (true, false) => LEAD_RUNS,
            (false, true) => LEAD_SUSPICION,
            (true, true) => LEAD_BOTH,
        }
    }

    fn of(lead: &[u8]) -> Option<Self> {
        let all = [(false, false), (true, false), (false, true), (true, true)];
        let mut all = all.into_iter().map(|(runs, suspicion)| Self { runs, suspicion });
        all.find(|parts| parts.lead().as_bytes() == lead)
    }
}

/// A difference as a number that is small for small differences of either sign.
fn change(from: i32, to: i32) -> u64 {
    let difference = i64::from(to) - i64::from(from);
    ((difference << 1) ^ (difference >> 63)) as u64
}

/// What [`change`] wrote.
fn changed(from: i32, change: u64) -> Option<i32> {
    let difference = (change >> 1) as i64 ^ -((change & 1) as i64);
    i32::try_from(i64::from(from).checked_add(difference)?).ok()
}

/// Most bytes of text that a suspicion takes beside this offset, one more mark included: what admission sets aside.
pub(crate) fn suspicion_bytes(suspicion: &Suspicion, offset: i64) -> usize {
    (suspicion.bits(offset) + room::MARK).div_ceil(6) as usize
}

/// What a snapshot belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The consumer group.
    pub group: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The topic's identity, where the broker tells it: a topic that was deleted and made anew has another one.
    pub topic_id: Option<[u8; 16]>,
    /// The partition.
    pub partition: i32,
    /// The committed offset.
    pub offset: i64,
}

/// Whether the owner that wrote a snapshot meant to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It owned the partition still. If it is the last word, the owner crashed, or was cut off.
    StillHere,
    /// It was done with the partition: nothing it had started is unfinished by a crash.
    LeftWell,
}

/// What one owner of a partition tells the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether it left well.
    pub departure: Departure,
    /// Unfinished offsets below this one may have been started (RULES 8).
    pub started_below: i64,
    /// What is finished: in order, disjoint, at or above the committed offset. Neighbours differ in their epoch.
    pub finished: Vec<FinishedRun>,
    /// What is known of records that may take the process down.
    pub suspicion: Suspicion,
}

/// Commit metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// ASCII text.
    pub text: String,
    /// Whether it holds everything.
    pub complete: bool,
}

/// Why commit metadata was not used. No record is skipped because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Somebody else's.
    #[error("metadata was not written by retrial")]
    Foreign,
    /// Ours, but cut, too long or altered so that it cannot be read.
    #[error("metadata is damaged")]
    Damaged,
    /// The checksum is one of another group, topic, partition or offset, or the text was altered.
    #[error("metadata belongs to another group, topic, partition or offset, or was altered")]
    Unbound,
    /// Written by a later release.
    #[error("metadata has version {0}, and this release reads versions up to {VERSION}")]
    TooNew(u32),
}
