//! The count of attempts follows a record: a handler is told one more than the record's headers say were made, and the first
//! attempt at a source topic is the first.

use std::collections::BTreeMap;

use super::{Evidence, Verdict, run::Run};
use crate::place::{Log, Place, Source};

pub(super) fn judge(evidence: &Evidence, runs: &[Run], verdict: &mut Verdict) {
    let past: BTreeMap<Place, (u64, u32)> =
        evidence.forwards.iter().map(|forward| (forward.place, (forward.number, forward.attempts))).collect();
    for run in runs {
        let is_right = match run.place.log {
            // Waits in memory go on in the same place.
            Log::Source(source @ Source::Held) => (1..=source.last_attempt()).contains(&run.attempt),
            Log::Source(_) => run.attempt == 1,
            // Without the record, which may be trimmed, its past is not known.
            Log::Tier(_) => past.get(&run.place).is_none_or(|past| *past == (run.number, run.attempt - 1)),
            Log::Letters => false,
        };
        if !is_right {
            verdict.wrong_attempt.add(|| format!("{run:?}, and its past says {:?}", past.get(&run.place)));
        }
    }
}
