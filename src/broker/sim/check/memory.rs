//! Promise 6: a member that holds more than it may takes no more.
//!
//! What it holds is read when its source is asked; one answer may go beyond the limit by what it brings.

use super::{Terms, Violation};
use crate::broker::sim::trace::{Event, Trace};
use std::collections::BTreeSet;

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let Some(limits) = terms.limits else { return Vec::new() };
    let (mut members, mut violations) = (BTreeSet::new(), Vec::new());
    for (at, event) in trace.events().enumerate() {
        match event {
            Event::Born { process, group } if **group == *terms.names.group() => drop(members.insert(*process)),
            Event::Delivered { process, slot, count, held, .. }
                if members.contains(process) && *held >= limits.memory =>
            {
                let what = format!("{process:?} took {count} records of {slot:?} while it held {held} bytes");
                violations.push(Violation { promise: "memory is bounded", at, what });
            }
            _ => {}
        }
    }
    violations
}
