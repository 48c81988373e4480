//! Judges of a trace: each promise that a run can show broken, as a pure function of what the cluster saw.
//!
//! They trust nothing that a member says of itself: a record is settled when a handler said so or its forward was
//! acknowledged, and a commit is read as the next owner would read it.

mod commits;
mod crashes;
mod early;
mod letters;
mod lineage;
mod loss;
mod memory;
mod neighbours;
mod order;
mod prompt;
mod redo;
mod repeats;
mod settlement;
mod silence;

pub(crate) use self::loss::unfinished;
#[cfg(test)]
pub(crate) use self::{crashes::buried_for_crashes, early::latest, redo::redone};

use super::{
    log::Stored,
    topics::topic_id,
    trace::{Event, Place, Trace},
};
use bytes::Bytes;
use retrial_core::{
    history::History,
    naming::{GroupNames, OwnTopic},
    snapshot::{Departure, FinishedRun, Snapshot, Subject, Suspicion, decode},
};
use std::{collections::BTreeSet, fmt, rc::Rc, sync::Arc, time::Duration};

/// Offsets that commit metadata says are finished, as far as records of this leader epoch go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) from: i64,
    /// Exclusive.
    pub(crate) to: i64,
    pub(crate) epoch: i32,
}

/// Reads commit metadata as the next owner of a partition would, beside the committed offset.
pub(crate) type ReadRuns = Rc<dyn Fn(&Place, i64, &[u8]) -> Vec<Run>>;

/// What commit metadata says of records that may take a process down (RULES 8).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caution {
    /// Who wrote it had not left: if it is gone, what it ran is under suspicion.
    pub(crate) still_here: bool,
    /// Owners vanished of late, or a record is under suspicion, of this partition or of another.
    pub(crate) suspects: bool,
}

/// Reads that of commit metadata, beside the committed offset.
pub(crate) type ReadCaution = Rc<dyn Fn(&Place, i64, &[u8]) -> Caution>;

/// What judges must know of a service.
#[derive(Clone)]
pub(crate) struct Terms {
    /// The group and its topics.
    pub(crate) names: GroupNames,
    /// The source topics it reads.
    pub(crate) sources: BTreeSet<Arc<str>>,
    /// Those of them that are ordered by key.
    pub(crate) ordered: BTreeSet<Arc<str>>,
    /// For this long an owner may start and forward without an accepted commit; `None` where it makes no promise.
    pub(crate) lease: Option<Duration>,
    /// Whether order is by partition, and not by key.
    pub(crate) by_partition: bool,
    /// Whether records that failed hold their lane, in memory.
    pub(crate) holds: bool,
    /// What its members keep within; `None` where they make no promise.
    pub(crate) limits: Option<Limits>,
    /// How its commit metadata is read.
    pub(crate) runs: ReadRuns,
    /// The same, for what it says of suspects.
    pub(crate) caution: ReadCaution,
}

/// What a member keeps within.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of records that it may hold.
    pub(crate) memory: usize,
    /// Attempts that run at once.
    pub(crate) slots: usize,
}

impl Terms {
    /// Terms of a service that writes snapshots beside its offsets.
    pub(crate) fn with_snapshots(names: &GroupNames, sources: &[&str], ordered: &[&str], lease: Duration) -> Self {
        let group = names.group().to_owned();
        let shared = |topics: &[&str]| topics.iter().map(|&topic| topic.into()).collect();
        let same = group.clone();
        let runs = move |place: &Place, offset: i64, metadata: &[u8]| {
            let finished = snapshot_of(&group, place, offset, metadata).map(|snapshot| snapshot.finished);
            let run = |run: FinishedRun| Run { from: run.from, to: run.to, epoch: run.leader_epoch };
            finished.into_iter().flatten().map(run).collect()
        };
        let caution = move |place: &Place, offset: i64, metadata: &[u8]| {
            let said = |snapshot: Snapshot| Caution {
                still_here: snapshot.departure == Departure::StillHere,
                suspects: snapshot.suspicion != Suspicion::default(),
            };
            snapshot_of(&same, place, offset, metadata).map(said).unwrap_or_default()
        };
        let (sources, ordered) = (shared(sources), shared(ordered));
        let runs = Rc::new(runs);
        Self {
            names: names.clone(),
            sources,
            ordered,
            lease: Some(lease),
            by_partition: false,
            holds: false,
            limits: None,
            runs,
            caution: Rc::new(caution),
        }
    }

    /// What a record shares with those that it must not overtake.
    fn lane(&self, record: &Stored) -> Option<Bytes> {
        if self.by_partition { None } else { record.message.key.clone() }
    }

    /// Whether records of this topic are the group's to finish.
    fn reads(&self, topic: &str) -> bool {
        self.sources.contains(topic) || self.tier(topic).is_some()
    }

    fn tier(&self, topic: &str) -> Option<Duration> {
        match self.names.parse(topic)? {
            OwnTopic::Tier(delay) => Some(delay),
            OwnTopic::DeadLetters | OwnTopic::Control => None,
        }
    }

    /// What a record of one of the group's own topics says of its past.
    pub(crate) fn history(&self, topic: &str, record: &Stored) -> Option<History> {
        self.names.parse(topic)?;
        let headers = record.message.headers.iter().map(|(name, value)| (&name[..], value.as_deref()));
        History::decode(self.names.group(), headers).ok().flatten()
    }
}

fn snapshot_of(group: &str, place: &Place, offset: i64, metadata: &[u8]) -> Option<Snapshot> {
    let (topic, topic_id, partition) = (&*place.topic, Some(topic_id(place)), place.partition);
    decode(metadata, &Subject { group, topic, topic_id, partition, offset }).ok().flatten()
}

/// A promise that was broken, and where in the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Which promise.
    pub(crate) promise: &'static str,
    /// Position in the trace.
    pub(crate) at: usize,
    /// What happened.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (event {}): {}", self.promise, self.at, self.what)
    }
}

/// Every promise that this trace shows broken.
pub(crate) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let judges = [
        loss::judge,
        commits::judge,
        redo::judge,
        prompt::judge,
        early::judge,
        order::judge,
        memory::judge,
        letters::judge,
        lineage::judge,
        repeats::judge,
        silence::judge,
        neighbours::judge,
        crashes::judge,
        misuse,
    ];
    judges.into_iter().flat_map(|judge| judge(trace, terms)).collect()
}

fn misuse(trace: &Trace, _terms: &Terms) -> Vec<Violation> {
    let misused = trace.events().enumerate().filter_map(|(at, event)| match event {
        Event::Misuse { process, what } => {
            Some(Violation { promise: "ports are used in order", at, what: format!("{process:?}: {what}") })
        }
        _ => None,
    });
    misused.collect()
}
