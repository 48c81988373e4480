//! Judges of a trace: each promise that a run can show broken, as a pure function of what the cluster saw.
//!
//! They trust nothing that a member says of itself: a record is settled when a handler said so or its forward was
//! acknowledged, and a commit is read as the next owner would read it.

mod early;
mod lineage;
mod loss;
mod order;
mod redo;
mod repeats;
mod settlement;
mod silence;

pub(crate) use self::{early::latest, loss::unfinished, redo::redone};

use super::{
    topics::topic_id,
    trace::{Event, Place, Trace},
};
use retrial_core::{
    history::History,
    naming::{GroupNames, OwnTopic},
    snapshot::{FinishedRun, Subject, decode},
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
    /// How its commit metadata is read.
    pub(crate) runs: ReadRuns,
}

impl Terms {
    /// Terms of a service that writes snapshots beside its offsets.
    pub(crate) fn with_snapshots(names: &GroupNames, sources: &[&str], ordered: &[&str], lease: Duration) -> Self {
        let group = names.group().to_owned();
        let shared = |topics: &[&str]| topics.iter().map(|&topic| topic.into()).collect();
        let runs = move |place: &Place, offset: i64, metadata: &[u8]| {
            let (topic, topic_id, partition) = (&*place.topic, Some(topic_id(place)), place.partition);
            let subject = Subject { group: &group, topic, topic_id, partition, offset };
            let finished = decode(metadata, &subject).ok().flatten().map(|snapshot| snapshot.finished);
            let run = |run: FinishedRun| Run { from: run.from, to: run.to, epoch: run.leader_epoch };
            finished.into_iter().flatten().map(run).collect()
        };
        let (sources, ordered) = (shared(sources), shared(ordered));
        Self { names: names.clone(), sources, ordered, lease: Some(lease), runs: Rc::new(runs) }
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
    fn history(&self, topic: &str, record: &super::log::Stored) -> Option<History> {
        self.names.parse(topic)?;
        let headers = record.message.headers.iter().map(|(name, value)| (&name[..], value.as_deref()));
        History::decode(self.names.group(), headers).ok().flatten()
    }
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
    let judges =
        [loss::judge, early::judge, order::judge, silence::judge, redo::judge, repeats::judge, lineage::judge, misuse];
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
