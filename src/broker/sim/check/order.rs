//! Promise 5: where order by key was asked for, records of a key run one at a time and one after the other.
//!
//! A record gives way to the next one when it is settled or its forward was begun. Two may run at once only where
//! the process of one has lost the partition: then it runs into the void.

use super::{Terms, Violation, settlement::Settlement};
use crate::broker::sim::{
    log::Stored,
    trace::{Event, Place, ProcessId, Spot, Trace},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

#[derive(Default)]
struct Watch {
    settlement: Settlement,
    records: BTreeMap<Spot, Rc<Stored>>,
    running: BTreeMap<(Place, Option<Bytes>), (ProcessId, Spot)>,
    owners: BTreeSet<(ProcessId, Place)>,
    slots: BTreeMap<(ProcessId, retrial_core::id::Slot), Place>,
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, event) in trace.events().enumerate() {
        watch.settlement.observe(event, terms);
        if let Some(what) = watch.observe(event, terms) {
            violations.push(Violation { promise: "order per key", at, what });
        }
    }
    violations
}

impl Watch {
    fn observe(&mut self, event: &Event, terms: &Terms) -> Option<String> {
        match event {
            Event::Appended { place, record, .. } if terms.ordered.contains(&place.topic) => {
                self.records.insert(Spot::of(place, record), Rc::clone(record));
            }
            // What the coordinator says, not what a member believes: one that was frozen may take up an assignment
            // that is over.
            Event::Generation { assigned, .. } => {
                for (process, places) in assigned {
                    self.owners.extend(places.iter().map(|place| (*process, place.clone())));
                }
            }
            Event::Offered { process, slot, place, .. } => {
                self.slots.insert((*process, *slot), place.clone());
            }
            Event::Released { process, slot } => {
                if let Some(place) = self.slots.get(&(*process, *slot)) {
                    self.owners.remove(&(*process, place.clone()));
                    // What is left of that assignment runs into the void, also where the process gets the next one.
                    self.running.retain(|_, (runs, running)| runs != process || running.place != *place);
                }
            }
            // An attempt at a record that somebody destroyed stands in nobody's way.
            Event::Removed { place, records, .. } => {
                let gone = |running: &Spot| records.iter().any(|record| Spot::of(place, record) == *running);
                self.running.retain(|_, (_, running)| !gone(running));
            }
            Event::Died { process } | Event::Expelled { process } => self.owners.retain(|(owner, _)| owner != process),
            Event::Began { process, spot, .. } => return self.begin(*process, spot, terms),
            Event::Concluded { process, spot, .. } => {
                self.running.retain(|_, (runs, running)| runs != process || running != spot);
            }
            _ => {}
        }
        None
    }

    fn begin(&mut self, process: ProcessId, spot: &Spot, terms: &Terms) -> Option<String> {
        let key = terms.lane(self.records.get(spot)?);
        let lane = (spot.place.clone(), key.clone());
        let owns = |process| self.owners.contains(&(process, spot.place.clone()));
        if let Some((other, running)) = self.running.insert(lane, (process, spot.clone()))
            && owns(other)
            && owns(process)
        {
            return Some(format!("{spot} began at {process:?} while {running} of its key ran at {other:?}"));
        }
        let before = self.settlement.owed(&spot.place, i64::MIN, spot.offset).find(|record| {
            let same = terms.lane(record) == key && record.epoch <= spot.epoch;
            same && !self.settlement.is_forwarded(&Spot::of(&spot.place, record))
        });
        before.map(|record| format!("{spot} began while offset {} of its key was unfinished", record.offset))
    }
}
