//! Promises 8 and 10: a record's past travels with it, and so do its bytes.
//!
//! A forward carries the origin it came with and the attempts that were made; its key and body are the record's own; it
//! lands in the group's own topics; and a handler is told one attempt more than were made.

use super::{Terms, Violation};
use crate::broker::sim::{
    log::Stored,
    trace::{Ended, Event, ProcessId, Spot, Trace},
};
use retrial_core::{
    history::History,
    id::{ForwardId, Origin},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

#[derive(Default)]
struct Watch {
    records: BTreeMap<Spot, Rc<Stored>>,
    whole: BTreeMap<(ProcessId, ForwardId), Spot>,
    /// Spots whose last attempt at a process failed.
    failed: BTreeSet<(ProcessId, Spot)>,
    /// Attempts that a process has counted in memory, where failing records hold their lane.
    held: BTreeMap<(ProcessId, Spot), u32>,
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, event) in trace.events().enumerate() {
        let broken = watch.observe(event, terms);
        violations.extend(broken.map(|what| Violation { promise: "a record's past survives", at, what }));
    }
    violations
}

impl Watch {
    fn observe(&mut self, event: &Event, terms: &Terms) -> Option<String> {
        match event {
            Event::Appended { place, record, by } => {
                let spot = Spot::of(place, record);
                let broken = by.and_then(|writer| self.landed(&spot, record, writer, terms));
                self.records.insert(spot, Rc::clone(record));
                broken
            }
            Event::Forwarded { process, id, from, whole, history, .. } => {
                if *whole {
                    self.whole.insert((*process, *id), from.clone());
                } else {
                    self.whole.remove(&(*process, *id));
                }
                let past = self.past(from, terms);
                let (origin, attempts) =
                    past.as_ref().map_or((here(from), 0), |past| (past.origin.clone(), past.attempts));
                let made = attempts + u32::from(self.failed.contains(&(*process, from.clone())));
                let kept = history.origin == origin && history.attempts >= made;
                (!kept).then(|| format!("{from} with {origin} after {made} attempts was forwarded as {history:?}"))
            }
            Event::Began { process, spot, origin, attempt } => {
                let past = self.past(spot, terms);
                let (from, made) = past.map_or((here(spot), 0), |past| (past.origin, past.attempts));
                let key = (*process, spot.clone());
                let last = self.held.insert(key, *attempt).filter(|_| terms.holds);
                let next = last.is_some_and(|last| *attempt == last || *attempt == last + 1);
                let told = *origin == from && (*attempt == made + 1 || next);
                (!told).then(|| format!("{spot} of {from} after {made} attempts ran as attempt {attempt} of {origin}"))
            }
            Event::Concluded { process, spot, ended, .. } => {
                let key = (*process, spot.clone());
                match ended {
                    Ended::Failed => self.failed.insert(key),
                    _ => self.failed.remove(&key),
                };
                None
            }
            _ => None,
        }
    }

    fn past(&self, spot: &Spot, terms: &Terms) -> Option<History> {
        terms.history(&spot.place.topic, self.records.get(spot)?)
    }

    fn landed(&self, spot: &Spot, record: &Stored, writer: (ProcessId, ForwardId), terms: &Terms) -> Option<String> {
        if terms.names.parse(&spot.place.topic).is_none() {
            return Some(format!("a forward landed at {spot}, outside the group's own topics"));
        }
        let from = self.whole.get(&writer)?;
        let original = self.records.get(from)?;
        let same = original.message.key == record.message.key && original.message.body == record.message.body;
        (!same).then(|| format!("{from} arrived at {spot} with another key or body"))
    }
}

fn here(spot: &Spot) -> Origin {
    Origin { topic: Arc::clone(&spot.place.topic), partition: spot.place.partition, offset: spot.offset }
}
