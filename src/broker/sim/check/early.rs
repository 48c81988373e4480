//! Promise 4: by the broker's clock, no retry runs before its time.

use super::{Terms, Violation};
use crate::broker::sim::{
    log::Stored,
    trace::{Event, Place, ProcessId, Spot, Trace},
};
use retrial_core::{event::Target, id::ForwardId, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let mut violations = Vec::new();
    each_retry(trace, terms, |at, now, due, spot| {
        if now < due {
            let what = format!("{spot} ran at {now}, {:?} before it was due", due.since(now));
            violations.push(Violation { promise: "never early", at, what });
        }
    });
    let mut wishes = Wishes::default();
    for (at, (now, event)) in trace.entries().iter().enumerate() {
        let broken = wishes.observe(*now, event);
        violations.extend(broken.map(|what| Violation { promise: "never early", at, what }));
    }
    violations
}

/// The longest that a retry's first attempt after a wait began after it was due.
#[cfg(test)]
pub(crate) fn latest(trace: &Trace, terms: &Terms) -> Duration {
    let mut first: BTreeMap<Spot, Duration> = BTreeMap::new();
    each_retry(trace, terms, |_, now, due, spot| {
        first.entry(spot.clone()).or_insert(now.since(due));
    });
    first.into_values().max().unwrap_or_default()
}

fn each_retry(trace: &Trace, terms: &Terms, mut see: impl FnMut(usize, Timestamp, Timestamp, &Spot)) {
    let mut waiting: BTreeMap<Spot, Rc<Stored>> = BTreeMap::new();
    for (at, (now, event)) in trace.entries().iter().enumerate() {
        match event {
            Event::Appended { place, record, .. } if terms.tier(&place.topic).is_some() => {
                waiting.insert(Spot::of(place, record), Rc::clone(record));
            }
            Event::Began { spot, .. } => {
                if let Some(due) = waiting.get(spot).and_then(|record| due(&spot.place, record, terms)) {
                    see(at, *now, due, spot);
                }
            }
            _ => {}
        }
    }
}

/// When a record of a tier is due; nothing else is.
pub(super) fn due(place: &Place, record: &Stored, terms: &Terms) -> Option<Timestamp> {
    let gate = record.time.timestamp()?.after(terms.tier(&place.topic)?);
    let header = terms.history(&place.topic, record).and_then(|history| history.due);
    Some(header.map_or(gate, |due| gate.max(due)))
}

/// A time that a handler asked for is as exact as the engine's reading of the broker's clock.
const ASKED: Duration = Duration::from_millis(100);

/// What handlers asked for, carried along with the forwards.
#[derive(Default)]
struct Wishes {
    asked: BTreeMap<(ProcessId, Spot), Timestamp>,
    sent: BTreeMap<(ProcessId, ForwardId), Timestamp>,
    owed: BTreeMap<Spot, Timestamp>,
    adrift: BTreeSet<ProcessId>,
}

impl Wishes {
    fn observe(&mut self, now: Timestamp, event: &Event) -> Option<String> {
        match event {
            // A member whose clock stood still reckons by what it knew of the broker's before.
            Event::ClockStood { process, .. } => drop(self.adrift.insert(*process)),
            Event::Concluded { process, spot, asked: Some(delay), .. } if !self.adrift.contains(process) => {
                self.asked.insert((*process, spot.clone()), now.after(*delay));
            }
            Event::Forwarded { process, id, from, target: Target::Tier(_), .. } => {
                let hop = self.owed.get(from).copied();
                if let Some(due) = self.asked.remove(&(*process, from.clone())).or(hop) {
                    self.sent.insert((*process, *id), due);
                }
            }
            Event::Appended { place, record, by: Some(writer) } => {
                if let Some(&due) = self.sent.get(writer) {
                    self.owed.insert(Spot::of(place, record), due);
                }
            }
            Event::Began { process, spot, .. } => {
                self.asked.remove(&(*process, spot.clone()));
                let due = self.owed.get(spot).copied().filter(|due| now.after(ASKED) < *due)?;
                return Some(format!(
                    "{spot} ran at {now}, {:?} before the time that its handler asked for",
                    due.since(now)
                ));
            }
            _ => {}
        }
        None
    }
}
