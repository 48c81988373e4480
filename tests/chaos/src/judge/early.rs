//! By the broker's clock no attempt out of a tier begins before its time; and how long after it they do.

use std::collections::BTreeMap;

use super::{Evidence, Spread, Verdict, run::Run};
use crate::{
    clock::{MILLI, Micros},
    place::{Log, Place},
};

pub(super) fn judge(evidence: &Evidence, runs: &[Run], verdict: &mut Verdict) {
    let in_tiers = evidence.forwards.iter().filter(|forward| forward.place.log != Log::Letters);
    let due: BTreeMap<Place, i64> = in_tiers.filter_map(|forward| Some((forward.place, forward.due?))).collect();
    let mut first: BTreeMap<Place, Micros> = BTreeMap::new();
    for run in runs {
        let Some(opens) = opens(run, &due) else { continue };
        if run.began < opens {
            verdict.early.add(|| format!("{} began {} µs before its time: {run:?}", run.place, opens - run.began));
        }
        // In the order of time: the first beginning counts.
        first.entry(run.place).or_insert(run.began - opens);
    }
    let mut late: BTreeMap<Log, Vec<Micros>> = BTreeMap::new();
    for (place, by) in first {
        late.entry(place.log).or_default().push(by);
    }
    verdict.lateness = late.into_iter().map(|(log, late)| (log.topic(), Spread::of(late))).collect();
}

/// The time before which an attempt must not begin.
fn opens(run: &Run, due: &BTreeMap<Place, i64>) -> Option<Micros> {
    let delay = Micros::try_from(run.place.log.delay()?.as_micros()).ok()?;
    let gate = run.stamp * MILLI + delay;
    Some(due.get(&run.place).map_or(gate, |due| gate.max(due * MILLI)))
}
