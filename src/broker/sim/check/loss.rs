//! Promise 1: a commit covers nothing that is still owed.
//!
//! A commit with a leader epoch speaks of records up to that epoch only: who reads it finds out that the log has
//! changed since (KIP-320). A repeated forward may be passed over while the same forward stands elsewhere.

use super::{Terms, Violation, settlement::Settlement};
use crate::broker::sim::trace::{Event, Part, Removal, Spot, Trace};
use std::collections::BTreeSet;

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let (mut settlement, mut violations) = (Settlement::default(), Vec::new());
    let mut members = BTreeSet::new();
    for (at, event) in trace.events().enumerate() {
        if let Event::Removed { place, records, why: Removal::Trimmed } = event
            && let Some(record) = records.iter().find(|record| settlement.is_owed(&Spot::of(place, record)))
        {
            let what = format!("{} was deleted, which nobody finished", Spot::of(place, record));
            violations.push(Violation { promise: "nothing is lost", at, what });
        }
        settlement.observe(event, terms);
        match event {
            Event::Born { process, group } if **group == *terms.names.group() => drop(members.insert(*process)),
            Event::CommitApplied { process, part, .. } if members.contains(process) => {
                let covered = covered(&settlement, part, terms);
                for spot in &covered {
                    if !settlement.stands_elsewhere(spot, &covered) {
                        let what = format!("{process:?} committed past {spot}, which nobody finished: {part:?}");
                        violations.push(Violation { promise: "nothing is lost", at, what });
                    }
                    settlement.strike(spot);
                }
            }
            _ => {}
        }
    }
    violations
}

fn covered(settlement: &Settlement, part: &Part, terms: &Terms) -> BTreeSet<Spot> {
    let Part { place, offset, epoch, metadata, .. } = part;
    let below = settlement.owed(place, i64::MIN, *offset).filter(|record| *epoch < 0 || record.epoch <= *epoch);
    let mut covered: BTreeSet<Spot> = below.map(|record| Spot::of(place, record)).collect();
    for run in (terms.runs)(place, *offset, metadata.as_bytes()) {
        let inside = settlement.owed(place, run.from, run.to).filter(|record| record.epoch == run.epoch);
        covered.extend(inside.map(|record| Spot::of(place, record)));
    }
    covered
}

/// What the group still owes at the end: empty once it has had the time to finish everything. A repeated forward
/// that stands elsewhere is not owed.
pub(crate) fn unfinished(trace: &Trace, terms: &Terms) -> Vec<Spot> {
    let mut settlement = Settlement::default();
    trace.events().for_each(|event| settlement.observe(event, terms));
    let none = BTreeSet::new();
    settlement.all().filter(|spot| !settlement.stands_elsewhere(spot, &none)).collect()
}
