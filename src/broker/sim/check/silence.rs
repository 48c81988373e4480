//! Promise 9: who has lost a partition starts, forwards and commits nothing of it.
//!
//! Lost means: released, or told that it is lost. Without an accepted commit for a whole lease an owner starts and
//! forwards nothing either, since it may have lost everything without hearing of it.

use super::{Terms, Violation};
use crate::broker::sim::trace::{Event, Place, ProcessId, Trace};
use retrial_core::{event::CommitResult, id::Slot, time::Timestamp};
use std::collections::BTreeMap;

#[derive(Default)]
struct Watch {
    held: BTreeMap<(ProcessId, Slot), Place>,
    renewed: BTreeMap<ProcessId, Timestamp>,
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, (now, event)) in trace.entries().iter().enumerate() {
        let broken = watch.observe(*now, event, terms);
        violations.extend(broken.map(|what| Violation { promise: "a lost owner stays silent", at, what }));
    }
    violations
}

impl Watch {
    fn observe(&mut self, now: Timestamp, event: &Event, terms: &Terms) -> Option<String> {
        match event {
            Event::Offered { process, slot, place, .. } => {
                self.held.insert((*process, *slot), place.clone());
                self.renewed.insert(*process, now);
            }
            Event::Released { process, slot } => drop(self.held.remove(&(*process, *slot))),
            Event::Revoking { process, slots, lost: true } => {
                slots.iter().for_each(|slot| drop(self.held.remove(&(*process, *slot))));
            }
            Event::CommitAnswered { process, result: CommitResult::Accepted { .. }, .. } => {
                self.renewed.insert(*process, now);
            }
            Event::Began { process, spot, .. } => return self.judge(now, *process, &spot.place, "began", terms),
            Event::Forwarded { process, from, .. } => {
                return self.judge(now, *process, &from.place, "forwarded", terms);
            }
            Event::CommitSent { process, parts, .. } => {
                let lost = parts.iter().find(|part| !self.held.contains_key(&(*process, part.slot)));
                return lost.map(|part| format!("{process:?} committed {}, which it has lost", part.place));
            }
            _ => {}
        }
        None
    }

    fn judge(&self, now: Timestamp, process: ProcessId, place: &Place, did: &str, terms: &Terms) -> Option<String> {
        if !self.held.iter().any(|((holder, _), held)| *holder == process && held == place) {
            return Some(format!("{process:?} {did} a record of {place}, which it has lost"));
        }
        let silent = now.since(self.renewed.get(&process).copied().unwrap_or(now));
        let over = terms.lease.is_some_and(|lease| silent > lease);
        over.then(|| format!("{process:?} {did} a record of {place}, {silent:?} after its last accepted commit"))
    }
}
