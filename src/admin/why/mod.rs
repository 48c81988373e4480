//! One record's story: where it is by now, and what it has been through. Nothing is changed.
//!
//! What there is to know lies in four places: the record in its source topic, the group's commit with the map beside it,
//! the copies in the tiers, and the dead letters; copies and letters name where the record stood first. `evidence`
//! reads them, `search` finds records by their key, and `verdict` decides what became of a record; it is pure.
//!
//! # Invariants
//! 1. A record on its way from one topic to the next is never told to be done: commits are read before the group's own
//!    topics, and these until nothing was added meanwhile. A forward is acknowledged before what it leaves is finished.
//! 2. A story is of the last commit. What its owner did since then is not known to anybody else.

mod evidence;
mod look;
mod search;
mod verdict;

use super::{AdminError, Past, Progress, as_text};
use crate::broker::kafka::{Kafka, Operator};
use evidence::{Evidence, Wanted};
use look::origin_behind;
use retrial_core::{
    control::Settlement,
    history::{History, SourceTime},
    id::Origin,
    naming::GroupNames,
    time::Timestamp,
};
pub use search::{KeySearch, Stories, why_key};
use serde::Serialize;

/// What became of a record, by the last commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// It is finished: handled, or discarded by its handler.
    Done,
    /// It is in its source topic, not finished, and was not started by the last commit.
    Unfinished,
    /// The owner of its partition may have started it, and has not finished it.
    Running,
    /// It takes its process down, and is held where it is until somebody buries it.
    Held,
    /// It waits in a tier for a time that is still to come.
    Waiting,
    /// It lies in a tier, its time has come, and it was not started by the last commit.
    Due,
    /// It is a dead letter.
    Dead,
    /// It was a dead letter, and an operator discarded it.
    Discarded,
    /// It is in its source topic, and the group has no position in that partition.
    NeverSeen,
    /// The log does not reach so far yet.
    NotWritten,
    /// The log holds nothing there: a marker, a record of an aborted transaction, or one that compaction removed.
    NoRecord,
    /// Its log begins beyond it, and the group had not finished it.
    Gone,
}

/// A record that the group is careful with, because processes vanished while it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Suspect {
    /// How often a process vanished while this record ran alone in it.
    pub crashes: usize,
    /// It is not to run any more.
    pub condemned: bool,
}

/// A record's place in its source topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Standing {
    /// The first offset that the log holds; `None` without such a partition.
    pub log_start: Option<i64>,
    /// The next offset to be written.
    pub log_end: Option<i64>,
    /// Whether the record is there still.
    pub is_there: bool,
    /// Its time, and what that means; `None` if it is not there.
    #[serde(with = "as_text::maybe")]
    pub time: Option<SourceTime>,
    /// The lowest unfinished offset of the partition; `None` if the group has committed nothing there.
    pub watermark: Option<i64>,
    /// Whether the record is finished here: handled, discarded, or forwarded.
    pub finished: bool,
    /// Whether the owner may have started it, and has not said goodbye since.
    pub started: bool,
    /// What careful mode knows of it.
    pub suspect: Option<Suspect>,
    /// Why the commit's metadata is not used, if it is there and not ours.
    pub metadata_ignored: Option<String>,
}

/// What kind of the group's own topics a record lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stop {
    /// A tier; the one without delay is the way back in.
    Tier,
    /// The dead letters.
    DeadLetters,
}

/// The record as one of the group's own topics holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// What the topic is.
    pub stop: Stop,
    /// When it was written there, by the broker's clock.
    #[serde(with = "as_text::maybe")]
    pub written: Option<Timestamp>,
    /// In a tier: the time up to which it waits at least, by the broker's clock.
    #[serde(with = "as_text::maybe")]
    pub until: Option<Timestamp>,
    /// In a tier: whether it is finished there, which is to say handled, discarded, or forwarded.
    pub finished: bool,
    /// In a tier: whether the owner may have started it, and has not said goodbye since.
    pub started: bool,
    /// Of a dead letter: how an operator settled it.
    #[serde(with = "as_text::maybe")]
    pub settled: Option<Settlement>,
    /// The operation that brought it back, if one did.
    pub operation: Option<String>,
    /// The replay that brought it back, if one did.
    pub replay: Option<String>,
    /// What it had been through when it was written.
    pub past: Past,
}

/// One record's story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Story {
    /// Where it stood first.
    #[serde(with = "as_text")]
    pub record: Origin,
    /// What became of it.
    pub fate: Fate,
    /// The step of [`trail`](Self::trail) that decides the fate, counted from 0; `None` if its source topic does.
    pub decided_by: Option<usize>,
    /// Where it stands in its source topic.
    pub source: Standing,
    /// Where the group's own topics hold it, in the order in which it was written. Tiers forget what is finished.
    pub trail: Vec<Step>,
    /// The oldest offset of each partition of the dead letters is not their first: a letter may have gone by retention.
    pub letters_forgotten: bool,
}

impl Story {
    fn new(record: Origin, source: Standing, mut trail: Vec<Step>, letters_forgotten: bool, now: Timestamp) -> Self {
        // Brokers stamp what they append, to the millisecond; what was written together is told apart by its count.
        trail.sort_by_key(|step| (step.written, step.past.redrives, step.past.attempts));
        let (fate, decided_by) = verdict::fate(record.offset, &source, &trail, now);
        Self { record, fate, decided_by, source, trail, letters_forgotten }
    }

    /// The step that decides the fate.
    #[must_use]
    pub fn step(&self) -> Option<&Step> {
        self.decided_by.and_then(|index| self.trail.get(index))
    }
}

impl Step {
    fn past_of(history: History) -> (Option<String>, Option<String>, Past) {
        (history.operation.clone(), history.replay.clone(), Past::from(history))
    }
}

/// Tells one record's story. `place` is where it stands in its source topic; a place in one of the group's own topics
/// is taken for the record that lies there. Reads all tiers and all dead letters.
///
/// # Errors
/// [`AdminError::NoStory`] if nothing of the group's lies at a place in one of its own topics; [`AdminError::NoTopic`] if
/// the source topic does not exist, and nothing else tells of the record; or see [`AdminError`].
pub fn why(
    kafka: &Kafka,
    names: &GroupNames,
    place: &Origin,
    now: Timestamp,
    progress: &mut dyn Progress,
) -> Result<Story, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let record = match names.parse(&place.topic) {
        Some(_) => origin_behind(&operator, names, place)?,
        None => place.clone(),
    };
    let evidence = Evidence::gather(&operator, names, &Wanted::Record(record.clone()), progress)?;
    let nothing = || AdminError::NoTopic { topic: record.topic.to_string(), address: kafka.address().to_owned() };
    if !operator.topics().contains_key(&*record.topic) && evidence.is_empty() {
        return Err(nothing());
    }
    let (stories, ..) = evidence.into_stories(Some(&record), now);
    stories.into_iter().next().ok_or_else(nothing)
}
