//! Promise 2: what the commit says is finished does not run again, and little is finished that no commit says.

use super::{Run, Terms, Violation};
#[cfg(test)]
use crate::broker::sim::trace::Ended;
use crate::broker::sim::trace::{Event, Place, ProcessId, Spot, Trace};
use retrial_core::id::Slot;
use std::collections::BTreeMap;
#[cfg(test)]
use std::collections::BTreeSet;

struct Tenure {
    place: Place,
    committed: i64,
    epoch: i32,
    runs: Vec<Run>,
    /// What the commit says is void: it spoke of another creation of the topic, or the log was cut since.
    void: bool,
}

impl Tenure {
    fn covers(&self, spot: &Spot) -> bool {
        let below = spot.offset < self.committed && (self.epoch < 0 || spot.epoch <= self.epoch);
        let inside = |run: &Run| (run.from..run.to).contains(&spot.offset) && run.epoch == spot.epoch;
        !self.void && self.place == spot.place && (below || self.runs.iter().any(inside))
    }
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let mut tenures: BTreeMap<(ProcessId, Slot), Tenure> = BTreeMap::new();
    let mut violations = Vec::new();
    for (at, event) in trace.events().enumerate() {
        match event {
            Event::Offered { process, slot, place, committed, holds } => {
                let (offset, epoch, metadata) = committed.as_ref().map_or((i64::MIN, -1, &[][..]), |committed| {
                    (committed.offset, committed.leader_epoch, &committed.metadata[..])
                });
                let runs = (terms.runs)(place, offset, metadata);
                let void = !holds;
                let tenure = Tenure { place: place.clone(), committed: offset, epoch, runs, void };
                tenures.insert((*process, *slot), tenure);
            }
            Event::OutOfRange { process, slot, .. } => {
                tenures.get_mut(&(*process, *slot)).into_iter().for_each(|tenure| tenure.void = true);
            }
            Event::Released { process, slot } => drop(tenures.remove(&(*process, *slot))),
            Event::Began { process, spot, .. } => {
                let own = tenures.iter().filter(|((owner, _), _)| owner == process);
                if own.into_iter().any(|(_, tenure)| tenure.covers(spot)) {
                    let what = format!("{process:?} ran {spot}, which its commit says is finished");
                    violations.push(Violation { promise: "finished work is not redone", at, what });
                }
            }
            _ => {}
        }
    }
    violations
}

/// How much work was redone.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Redone {
    /// Records whose handler was done more than once.
    pub(crate) records: usize,
    /// The most that a process had finished and no stored commit covered when it died.
    pub(crate) uncovered_at_death: usize,
}

/// Measures what was redone.
#[cfg(test)]
pub(crate) fn redone(trace: &Trace, terms: &Terms) -> Redone {
    let (mut done, mut uncovered) = (BTreeMap::<Spot, usize>::new(), BTreeMap::<ProcessId, BTreeSet<Spot>>::new());
    let mut most = 0;
    for event in trace.events() {
        match event {
            Event::Concluded { process, spot, ended: Ended::Done, .. } => {
                *done.entry(spot.clone()).or_default() += 1;
                uncovered.entry(*process).or_default().insert(spot.clone());
            }
            Event::CommitApplied { part, .. } => {
                let runs = (terms.runs)(&part.place, part.offset, part.metadata.as_bytes());
                let (place, committed, epoch) = (part.place.clone(), part.offset, part.epoch);
                let tenure = Tenure { place, committed, epoch, runs, void: false };
                uncovered.values_mut().for_each(|spots| spots.retain(|spot| !tenure.covers(spot)));
            }
            Event::Died { process } => most = most.max(uncovered.remove(process).map_or(0, |spots| spots.len())),
            _ => {}
        }
    }
    Redone { records: done.values().filter(|&&times| times > 1).count(), uncovered_at_death: most }
}
