//! Which records are still owed: live in a log that the group reads, and not settled.

use super::Terms;
use crate::broker::sim::{
    log::Stored,
    trace::{Ended, Event, Place, ProcessId, Spot},
};
use retrial_core::id::ForwardId;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Follows a trace, event by event.
#[derive(Default)]
pub(super) struct Settlement {
    owed: BTreeMap<Place, BTreeMap<i64, Rc<Stored>>>,
    settled: BTreeSet<Spot>,
    sent: BTreeMap<(ProcessId, ForwardId), Spot>,
    forwarded: BTreeSet<Spot>,
    /// Records of tiers by topic and identity: more than one where a forward was repeated.
    repeats: BTreeMap<(Rc<str>, u64), Vec<Spot>>,
    identity: BTreeMap<Spot, (Rc<str>, u64)>,
}

impl Settlement {
    pub(super) fn observe(&mut self, event: &Event, terms: &Terms) {
        match event {
            Event::Appended { place, record, .. } if terms.reads(&place.topic) => self.append(place, record, terms),
            Event::Removed { place, records, .. } => {
                for record in records {
                    self.strike(&Spot::of(place, record));
                }
            }
            Event::Concluded { spot, ended: Ended::Done | Ended::Discarded, .. } => self.settle(spot),
            Event::Forwarded { process, id, from, .. } => {
                self.forwarded.insert(from.clone());
                self.sent.insert((*process, *id), from.clone());
            }
            Event::Acknowledged { process, id, result: Ok(()) } => {
                if let Some(spot) = self.sent.remove(&(*process, *id)) {
                    self.settle(&spot);
                }
            }
            _ => {}
        }
    }

    fn append(&mut self, place: &Place, record: &Rc<Stored>, terms: &Terms) {
        self.owed.entry(place.clone()).or_default().insert(record.offset, Rc::clone(record));
        if let Some(history) = terms.history(&place.topic, record) {
            let (spot, name) = (Spot::of(place, record), (Rc::from(&*place.topic), history.identity()));
            self.repeats.entry(name.clone()).or_default().push(spot.clone());
            self.identity.insert(spot, name);
        }
    }

    fn settle(&mut self, spot: &Spot) {
        self.strike(spot);
        self.settled.insert(spot.clone());
    }

    /// Takes a record off what is owed.
    pub(super) fn strike(&mut self, spot: &Spot) {
        if let Some(owed) = self.owed.get_mut(&spot.place)
            && owed.get(&spot.offset).is_some_and(|record| record.epoch == spot.epoch)
        {
            owed.remove(&spot.offset);
        }
    }

    /// Whether it is owed, and no other of its forward stands anywhere.
    pub(super) fn is_owed(&self, spot: &Spot) -> bool {
        let owed = self.owed.get(&spot.place).and_then(|owed| owed.get(&spot.offset));
        owed.is_some_and(|record| record.epoch == spot.epoch) && !self.stands_elsewhere(spot, &BTreeSet::new())
    }

    /// What is owed of a place, in order, from an offset to before another.
    pub(super) fn owed(&self, place: &Place, from: i64, to: i64) -> impl Iterator<Item = &Rc<Stored>> {
        self.owed.get(place).into_iter().flat_map(move |owed| owed.range(from..to.max(from)).map(|(_, record)| record))
    }

    /// Everything that is owed.
    pub(super) fn all(&self) -> impl Iterator<Item = Spot> {
        self.owed.iter().flat_map(|(place, owed)| owed.values().map(move |record| Spot::of(place, record)))
    }

    /// Whether somebody began to forward it.
    pub(super) fn is_forwarded(&self, spot: &Spot) -> bool {
        self.forwarded.contains(spot)
    }

    /// Whether the same forward stands elsewhere too, where it is settled, or still owed and not among `but`.
    pub(super) fn stands_elsewhere(&self, spot: &Spot, but: &BTreeSet<Spot>) -> bool {
        let name = self.identity.get(spot);
        let others = name.and_then(|name| self.repeats.get(name)).into_iter().flatten();
        others.filter(|other| *other != spot && !but.contains(other)).any(|other| {
            let owed = self.owed.get(&other.place).and_then(|owed| owed.get(&other.offset));
            self.settled.contains(other) || owed.is_some_and(|record| record.epoch == other.epoch)
        })
    }
}
