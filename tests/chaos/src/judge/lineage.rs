//! Forwards that were written twice: equal identities in one topic.
//!
//! Why two copies are written: the attempt before was made again (which [`super::redo`] judges), or it comes from two
//! lineages itself, and then it ended as often as there are copies; or the write itself was repeated, which only a fault
//! explains. Both copies may run, since what the owner of a tier has seen dies with its assignment (a known limit of the
//! design). But never within one assignment, and never from two partitions, where no owner could see both.

use std::collections::BTreeMap;

use super::{Evidence, Forward, Verdict, explanation::Explanations, run::Run};
use crate::{
    clock::MILLI,
    place::{Log, Place},
};

pub(super) fn judge(evidence: &Evidence, runs: &[Run], verdict: &mut Verdict) {
    let explanations = Explanations::new(evidence);
    let mut copies: BTreeMap<(Log, u64, u64), Vec<&Forward>> = BTreeMap::new();
    for forward in &evidence.forwards {
        copies.entry((forward.place.log, forward.number, forward.identity)).or_default().push(forward);
    }
    copies.retain(|_, copies| copies.len() > 1);
    let mut ends: BTreeMap<(u64, u32), usize> = BTreeMap::new();
    let mut begun: BTreeMap<Place, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        begun.entry(run.place).or_default().push(run);
        if run.answer().is_some() {
            *ends.entry((run.number, run.attempt)).or_default() += 1;
        }
    }
    for copies in copies.values_mut() {
        copies.sort_by_key(|copy| copy.stamp);
        verdict.forwarded_twice += copies.len() as u64 - 1;
        let first = copies[0];
        let ended = ends.get(&(first.number, first.attempts)).copied().unwrap_or(0);
        for copy in &copies[1..] {
            let by_repeat = explanations.of_copy(first.stamp * MILLI, copy.stamp * MILLI);
            if ended < copies.len() && by_repeat.is_none() {
                verdict.forwarded_twice_unexplained.add(|| format!("no fault explains {copy:?} after {first:?}"));
            }
            if copy.place.partition != first.place.partition {
                verdict.forwarded_twice_unexplained.add(|| format!("in two partitions: {first:?} and {copy:?}"));
            }
        }
        both_ran(copies, &begun, verdict);
    }
}

/// Looks at the attempts of all copies.
fn both_ran(copies: &[&Forward], begun: &BTreeMap<Place, Vec<&Run>>, verdict: &mut Verdict) {
    let ran: Vec<&Vec<&Run>> = copies.iter().filter_map(|copy| begun.get(&copy.place)).collect();
    verdict.both_lineages_ran += ran.len().saturating_sub(1) as u64;
    for (index, runs) in ran.iter().enumerate() {
        let others = ran[index + 1..].iter().flat_map(|others| others.iter());
        for other in others {
            if let Some(run) = runs.iter().find(|run| run.assignment() == other.assignment()) {
                verdict.forwarded_twice_unexplained.add(|| format!("one assignment ran both {run:?} and {other:?}"));
            }
        }
    }
}
