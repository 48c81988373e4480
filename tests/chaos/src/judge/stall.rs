//! The longest time that a source partition had work and began none of it, whatever the reason.

use std::collections::BTreeMap;

use super::{Evidence, Stall, Verdict, run::Run};
use crate::{
    clock::{MILLI, Micros},
    place::{Log, Place},
};

/// When a record was begun first, when it was appended, and where.
type Beginning = (Micros, Micros, Place);

pub(super) fn judge(evidence: &Evidence, runs: &[Run], verdict: &mut Verdict) {
    let mut first: BTreeMap<Place, Micros> = BTreeMap::new();
    for run in runs.iter().filter(|run| matches!(run.place.log, Log::Source(_))) {
        first.entry(run.place).or_insert(run.began);
    }
    let mut partitions: BTreeMap<(Log, i32), Vec<Beginning>> = BTreeMap::new();
    for (place, began) in first {
        if let Some(produced) = evidence.produced.get(&place) {
            let appended = produced.stamp * MILLI;
            partitions.entry((place.log, place.partition)).or_default().push((began, appended, place));
        }
    }
    verdict.longest_stall = partitions.into_values().filter_map(longest).max_by_key(|stall| stall.millis);
}

/// The longest of one partition.
fn longest(mut begun: Vec<Beginning>) -> Option<Stall> {
    begun.sort_unstable();
    let mut longest: Option<Stall> = None;
    // From the last one on, so that the earliest append of all that was begun later is at hand.
    let mut waiting = Micros::MAX;
    for index in (0..begun.len()).rev() {
        let (at, appended, ended_with) = begun[index];
        waiting = waiting.min(appended);
        let idle_since = index.checked_sub(1).map_or(waiting, |before| begun[before].0.max(waiting));
        let millis = (at - idle_since) / MILLI;
        if longest.is_none_or(|longest| longest.millis < millis) {
            longest = Some(Stall { millis, ended_with, at });
        }
    }
    longest
}
