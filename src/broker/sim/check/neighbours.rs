//! Promise 10: other groups never notice.
//!
//! They would notice a record in a topic that is not the group's own, a record missing there, or a round of their own
//! group that none of them asked for.

use super::{Terms, Violation};
use crate::broker::sim::trace::{Event, Removal, Spot, Trace};
use retrial_core::naming::OwnTopic;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Default)]
struct Watch {
    generations: BTreeMap<Arc<str>, usize>,
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, event) in trace.events().enumerate() {
        let broken = watch.observe(event, terms);
        violations.extend(broken.map(|what| Violation { promise: "other groups never notice", at, what }));
    }
    violations
}

impl Watch {
    fn observe(&mut self, event: &Event, terms: &Terms) -> Option<String> {
        let own = |topic: &str| terms.names.parse(topic);
        match event {
            Event::Appended { place, record, by: Some((writer, _)) } if own(&place.topic).is_none() => {
                let spot = Spot::of(place, record);
                Some(format!("{writer:?} wrote {spot}, where others read"))
            }
            Event::Removed { place, records, why: Removal::Trimmed }
                if !matches!(own(&place.topic), Some(OwnTopic::Tier(_))) =>
            {
                Some(format!("{} records of {place} were deleted", records.len()))
            }
            Event::Generation { group, generation, .. } if **group != *terms.names.group() => {
                let rounds = self.generations.entry(Arc::clone(group)).or_default();
                *rounds += 1;
                (*rounds > 1).then(|| format!("group {group} began generation {generation}"))
            }
            _ => None,
        }
    }
}
