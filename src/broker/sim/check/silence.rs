//! Promise 9: who has lost a partition starts, forwards and commits nothing of it.
//!
//! Lost means: released, or told that it is lost. Without an accepted commit that was sent less than a lease ago an owner
//! starts and forwards nothing either, since it may have lost everything without hearing of it. What ran when a
//! partition was given up is dropped. A lease is measured by the process's own clock: while a machine is suspended that
//! stands still, and nobody inside can tell.

use super::{Terms, Violation};
use crate::broker::sim::trace::{Ended, Event, Place, ProcessId, Trace};
use retrial_core::{
    event::CommitResult,
    id::{CommitId, Slot},
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Watch {
    held: BTreeMap<(ProcessId, Slot), Place>,
    /// Asked for, and not given up yet: what runs may end.
    leaving: BTreeSet<(ProcessId, Place)>,
    given_up: BTreeMap<(ProcessId, Place), Timestamp>,
    sent: BTreeMap<(ProcessId, CommitId), Timestamp>,
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
                self.given_up.remove(&(*process, place.clone()));
                self.leaving.remove(&(*process, place.clone()));
                self.held.insert((*process, *slot), place.clone());
            }
            Event::Released { process, slot } => self.give_up(now, *process, *slot),
            Event::Revoking { process, slots, lost: true } => {
                slots.iter().for_each(|slot| self.give_up(now, *process, *slot));
            }
            Event::Revoking { process, slots, lost: false } => {
                self.leaving.extend(
                    slots
                        .iter()
                        .filter_map(|slot| self.held.get(&(*process, *slot)))
                        .map(|place| (*process, place.clone())),
                );
            }
            Event::CommitAnswered { process, id, result } => {
                let sent = self.sent.remove(&(*process, *id));
                if let (CommitResult::Accepted { .. }, Some(sent)) = (result, sent) {
                    let renewed = self.renewed.entry(*process).or_insert(sent);
                    *renewed = (*renewed).max(sent);
                }
            }
            Event::ClockStood { process, stood } => {
                let slept = |time: &mut Timestamp| *time = time.after(*stood);
                self.renewed.get_mut(process).into_iter().for_each(slept);
                self.sent.iter_mut().filter(|((sender, _), _)| sender == process).map(|(_, sent)| sent).for_each(slept);
            }
            Event::Concluded { process, spot, ended, .. } if *ended != Ended::Dropped => {
                let since = self.given_up.get(&(*process, spot.place.clone()))?;
                return (*since < now).then(|| format!("{process:?} went on with {spot}, which it gave up at {since}"));
            }
            Event::Began { process, spot, .. } if self.leaving.contains(&(*process, spot.place.clone())) => {
                return Some(format!("{process:?} began {spot}, whose partition it was asked to give up"));
            }
            Event::Began { process, spot, .. } => return self.judge(now, *process, &spot.place, "began", terms),
            Event::Forwarded { process, from, .. } => {
                return self.judge(now, *process, &from.place, "forwarded", terms);
            }
            Event::CommitSent { process, id, parts } => {
                self.sent.insert((*process, *id), now);
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
        let lease = terms.lease?;
        let renewed = self.renewed.get(&process).copied().unwrap_or_default();
        let over = now.since(renewed) > lease;
        over.then(|| format!("{process:?} {did} a record of {place}, its last accepted commit sent at {renewed}"))
    }

    fn give_up(&mut self, now: Timestamp, process: ProcessId, slot: Slot) {
        if let Some(place) = self.held.remove(&(process, slot)) {
            self.given_up.insert((process, place), now);
        }
    }
}
