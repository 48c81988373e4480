//! RULES 16: of a forward that was written twice, the owner of the tier runs one.
//!
//! Both lie in the same partition, since their origin decides it. Only within one assignment can the owner know.

use super::{Terms, Violation};
use crate::broker::sim::trace::{Event, Place, ProcessId, Spot, Trace};
use retrial_core::id::Slot;
use std::collections::BTreeMap;

#[derive(Default)]
struct Watch {
    identities: BTreeMap<Spot, u64>,
    slots: BTreeMap<(ProcessId, Place), Slot>,
    ran: BTreeMap<(ProcessId, Slot, u64), Spot>,
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, event) in trace.events().enumerate() {
        let broken = watch.observe(event, terms);
        violations.extend(broken.map(|what| Violation { promise: "one record is one lineage", at, what }));
    }
    violations
}

impl Watch {
    fn observe(&mut self, event: &Event, terms: &Terms) -> Option<String> {
        match event {
            Event::Appended { place, record, .. } if terms.tier(&place.topic).is_some() => {
                let history = terms.history(&place.topic, record)?;
                self.identities.insert(Spot::of(place, record), history.identity());
            }
            Event::Offered { process, slot, place, .. } => {
                self.slots.insert((*process, place.clone()), *slot);
            }
            Event::Began { process, spot, .. } => {
                let identity = *self.identities.get(spot)?;
                let slot = *self.slots.get(&(*process, spot.place.clone()))?;
                let first = self.ran.entry((*process, slot, identity)).or_insert_with(|| spot.clone());
                return (first != spot)
                    .then(|| format!("{process:?} ran {first} and {spot}, which are the same forward"));
            }
            _ => {}
        }
        None
    }
}
