//! What had ended and was done again. Places are compared, not numbers: two copies of a record in a tier are two lineages,
//! which [`super::lineage`] judges.
//!
//! - An attempt counts as finished if its handler ended it, done or failed; where failing records hold their key, only if
//!   it was the last one, since waits in memory begin anew with a new owner by design.
//! - Begun again in the same assignment, nothing explains it: the owner knew.
//! - Begun again elsewhere, a fault of the first worker or of a broker must explain it ([`super::explanation`]).
//! - Begun elsewhere before the first had ended it, the first must have been frozen, or a broker away, in that time.

use std::collections::BTreeMap;

use super::{
    Evidence, Spread, Verdict,
    explanation::{Explanations, Reason},
    run::Run,
};
use crate::{
    clock::{MILLI, Micros},
    ledger::What,
    place::{Log, Place, Source},
};

pub(super) fn judge(evidence: &Evidence, runs: &[Run], verdict: &mut Verdict) {
    let explanations = Explanations::new(evidence);
    let mut places: BTreeMap<Place, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        places.entry(run.place).or_default().push(run);
    }
    let mut ages = Vec::new();
    for runs in places.values().filter(|runs| runs.len() > 1) {
        for (index, again) in runs.iter().enumerate().skip(1) {
            let finished = runs[..index].iter().filter(|run| is_finished(run));
            if let Some(first) = finished.max_by_key(|run| run.ended) {
                ages.extend(redone(first, again, &explanations, verdict));
            }
        }
    }
    verdict.redone_age = Spread::of(ages);
    twice(runs, &explanations, verdict);
}

/// Whether no further attempt at this place was due.
fn is_finished(run: &Run) -> bool {
    match (run.place.log, run.answer()) {
        (_, None) => false,
        (Log::Source(source @ Source::Held), Some((_, What::Failed))) => run.attempt >= source.last_attempt(),
        _ => true,
    }
}

/// Counts an attempt that was made again. Returns its age at the fault, where that alone explains it.
fn redone(first: &Run, again: &Run, explanations: &Explanations<'_>, verdict: &mut Verdict) -> Option<Micros> {
    let (ended, _) = first.answer()?;
    verdict.redone += 1;
    if first.assignment() == again.assignment() {
        verdict.redone_unexplained.add(|| format!("{again:?} had ended in the same assignment: {first:?}"));
        return None;
    }
    let explained = explain(first, again, explanations);
    if explained.is_none() {
        let after = (again.began - ended) / MILLI;
        verdict.redone_unexplained.add(|| format!("{again:?} began {after} ms after it had ended: {first:?}"));
    }
    verdict.redone_while_blocked += u64::from(explained.is_some_and(|reason| reason.blocked));
    explained.filter(|reason| !reason.blocked).map(|reason| reason.age)
}

fn explain(first: &Run, again: &Run, explanations: &Explanations<'_>) -> Option<Reason> {
    let (ended, _) = first.answer()?;
    if again.began <= ended {
        let kind = explanations.may_have_lost(first.worker, first.began, ended)?;
        return Some(Reason { kind, age: 0, blocked: false });
    }
    explanations.of_redo(first.worker, first.began, ended, again.began)
}

/// Counts what was done beyond once, record by record, and by what explains it.
fn twice(runs: &[Run], explanations: &Explanations<'_>, verdict: &mut Verdict) {
    let mut numbers: BTreeMap<u64, Vec<&Run>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.is_done()) {
        numbers.entry(run.number).or_default().push(run);
    }
    for done in numbers.values().filter(|done| done.len() > 1) {
        for pair in done.windows(2) {
            let name = if pair[0].place == pair[1].place {
                explain(pair[0], pair[1], explanations).map_or("unexplained", |reason| reason.kind.name())
            } else {
                "two_lineages"
            };
            verdict.handled_twice += 1;
            *verdict.handled_twice_by_fault.entry(name).or_default() += 1;
        }
    }
}
