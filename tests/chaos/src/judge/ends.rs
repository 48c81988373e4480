//! What became of each record in the end.

use std::collections::{BTreeMap, BTreeSet};

use retrial::Cause;

use super::{Evidence, Verdict, run::Run};
use crate::{place::Log, work::End};

pub(super) fn judge(evidence: &Evidence, runs: &[Run], verdict: &mut Verdict) {
    let done: BTreeSet<u64> = runs.iter().filter(|run| run.is_done()).map(|run| run.number).collect();
    let letters = evidence.forwards.iter().filter(|forward| forward.place.log == Log::Letters);
    let mut dead: BTreeMap<u64, Option<Cause>> = BTreeMap::new();
    for letter in letters {
        let first = *dead.entry(letter.number).or_insert(letter.cause);
        if first != letter.cause {
            verdict
                .wrong_end
                .add(|| format!("number {} is dead as {first:?} and as {:?}", letter.number, letter.cause));
        }
    }
    let known = evidence.by_number();
    verdict.produced = known.len() as u64;
    verdict.handled = done.len() as u64;
    verdict.dead_letters = dead.len() as u64;
    for cause in dead.values() {
        let name = cause.map_or("none", Cause::as_str).to_owned();
        *verdict.dead_letters_by_cause.entry(name).or_default() += 1;
    }
    for (number, (source, produced)) in &known {
        let wanted = match produced.end {
            End::Done => (true, None),
            End::Refused => (false, Some(Cause::Refused)),
            End::Exhausted => (false, Some(Cause::Exhausted)),
            End::Undecodable => (false, Some(Cause::Undecodable)),
        };
        let was = (done.contains(number), dead.get(number).copied().flatten());
        let name = || format!("number {number} of {}", source.topic());
        if !done.contains(number) && !dead.contains_key(number) {
            verdict.missing.add(|| format!("{}: neither done nor dead", name()));
        } else if was != wanted {
            verdict.wrong_end.add(|| format!("{}: (done, dead) should be {wanted:?} and is {was:?}", name()));
        }
    }
    for number in evidence.acknowledged.iter().filter(|number| !known.contains_key(number)) {
        verdict.lost_by_kafka.add(|| format!("number {number} was acknowledged and is in no topic"));
    }
    for number in done.iter().chain(dead.keys()).filter(|number| !known.contains_key(number)) {
        verdict.wrong_end.add(|| format!("number {number} was handled and is in no source topic"));
    }
}
