//! RULES 8: nobody is buried for a crash who was not alone in its process when that died, three times at least, while
//! another record survived alone in between.
//!
//! Alone is what the trace shows: the only attempt of its process that had begun and not ended.

use super::{Terms, Violation};
use crate::broker::sim::trace::{Event, ProcessId, Spot, Trace};
use retrial_core::outcome::Cause;
use std::collections::BTreeMap;

/// Fewest deaths alone that may bury a record.
const LEAST: usize = 3;

#[derive(Default)]
struct Watch {
    running: BTreeMap<ProcessId, Vec<Spot>>,
    /// For each record, when its process died while it was alone.
    deaths: BTreeMap<Spot, Vec<usize>>,
    /// When an attempt ended that had been alone in its process all the time.
    survivals: Vec<(usize, Spot)>,
    /// Attempts that were not alone at some time.
    accompanied: BTreeMap<(ProcessId, Spot), bool>,
}

pub(super) fn judge(trace: &Trace, _: &Terms) -> Vec<Violation> {
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, event) in trace.events().enumerate() {
        let broken = watch.observe(at, event);
        violations.extend(broken.map(|what| Violation { promise: "nobody is buried for another's crash", at, what }));
    }
    violations
}

impl Watch {
    fn observe(&mut self, at: usize, event: &Event) -> Option<String> {
        match event {
            Event::Began { process, spot, .. } => {
                let running = self.running.entry(*process).or_default();
                for other in running.iter() {
                    self.accompanied.insert((*process, other.clone()), true);
                }
                self.accompanied.insert((*process, spot.clone()), !running.is_empty());
                running.push(spot.clone());
            }
            Event::Concluded { process, spot, .. } => {
                self.running.entry(*process).or_default().retain(|running| running != spot);
                if self.accompanied.remove(&(*process, spot.clone())) == Some(false) {
                    self.survivals.push((at, spot.clone()));
                }
            }
            Event::Died { process } => self.vanished(at, *process),
            // What it runs still counts for nothing: to the group it is as dead as the others.
            Event::Expelled { process } => self.vanished(at, *process),
            Event::Forwarded { from, history, .. } if history.cause == Some(Cause::Crashed) => {
                return self.is_unjust(from).then(|| {
                    format!(
                        "{from} was buried for {} crashes, and its deaths alone are {:?}",
                        history.crashes,
                        self.deaths.get(from)
                    )
                });
            }
            _ => {}
        }
        None
    }

    fn vanished(&mut self, at: usize, process: ProcessId) {
        if let Some([alone]) = self.running.remove(&process).as_deref() {
            self.deaths.entry(alone.clone()).or_default().push(at);
        }
    }

    fn is_unjust(&self, spot: &Spot) -> bool {
        let deaths = self.deaths.get(spot).map(Vec::as_slice).unwrap_or_default();
        let (Some(first), Some(last)) = (deaths.first(), deaths.last()) else { return true };
        let between = |&(at, ref other): &(usize, Spot)| other != spot && (*first..*last).contains(&at);
        deaths.len() < LEAST || !self.survivals.iter().any(between)
    }
}

/// Where the records stood first that were buried because they took their process down.
#[cfg(test)]
pub(crate) fn buried_for_crashes(trace: &Trace) -> Vec<retrial_core::id::Origin> {
    let mut origins: Vec<_> = trace
        .events()
        .filter_map(|event| match event {
            Event::Forwarded { history, .. } if history.cause == Some(Cause::Crashed) => Some(history.origin.clone()),
            _ => None,
        })
        .collect();
    origins.sort_by(|one, other| {
        (&one.topic, one.partition, one.offset).cmp(&(&other.topic, other.partition, other.offset))
    });
    origins.dedup();
    origins
}
