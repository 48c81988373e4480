//! Promise 4: by the broker's clock, no retry runs before its time.

use super::{Terms, Violation};
use crate::broker::sim::{
    log::Stored,
    trace::{Event, Spot, Trace},
};
use retrial_core::time::Timestamp;
use std::{collections::BTreeMap, rc::Rc, time::Duration};

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let mut violations = Vec::new();
    each_retry(trace, terms, |at, now, due, spot| {
        if now < due {
            let what = format!("{spot} ran at {now}, {:?} before it was due", due.since(now));
            violations.push(Violation { promise: "never early", at, what });
        }
    });
    violations
}

/// The longest that a retry's first attempt after a wait began after it was due.
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
                if let Some(due) = waiting.get(spot).and_then(|record| due(spot, record, terms)) {
                    see(at, *now, due, spot);
                }
            }
            _ => {}
        }
    }
}

fn due(spot: &Spot, record: &Stored, terms: &Terms) -> Option<Timestamp> {
    let gate = record.time.timestamp()?.after(terms.tier(&spot.place.topic)?);
    let header = terms.history(&spot.place.topic, record).and_then(|history| history.due);
    Some(header.map_or(gate, |due| gate.max(due)))
}
