//! Order by key, within a partition of an ordered source topic. Tiers are not looked at: what climbs has given its order up.
//!
//! 1. **No later record of a key begins before each earlier one was finished once.** Finished means, where failing records
//!    are overtaken: an attempt ended, whatever came of it. Where they hold their key: it was done, refused, or failed for
//!    the last time. Which worker did it does not matter, and neither does a redo afterwards: when a worker dies, what it
//!    had finished and not committed runs again, behind records that had rightly begun.
//! 2. **Within an assignment a key goes forward, one record at a time**: none begins while another one runs, and none
//!    whose offset is lower than that of the last one.
//! 3. **Two workers do not run records of a key at once**, unless the first of them had lost the partition without knowing:
//!    it was frozen meanwhile, or a broker was away. What it runs then goes nowhere (promise 9).
//!
//! Records that nobody can decode never reach a handler, and are left out.

use std::collections::BTreeMap;

use super::{Evidence, Verdict, explanation::Explanations, run::Run};
use crate::{
    clock::Micros,
    ledger::{What, Worker},
    place::{Log, Place, Source},
    work::End,
};

/// A key of a partition.
type Lane = (Source, i32, u64);

#[derive(Debug, Default)]
struct Key {
    /// Offsets in order, with whether each was finished once.
    records: Vec<(i64, bool)>,
    /// How many of them, from the first on, are finished.
    finished: usize,
    /// The offset that each assignment began last.
    reached: BTreeMap<(Worker, u64), i64>,
    /// What runs: the index into all runs, by assignment.
    running: BTreeMap<(Worker, u64), usize>,
}

/// A moment of an attempt. At the same time, ends come before beginnings, but not before their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    End,
    Begin,
    EndAtOnce,
}

pub(super) fn judge(evidence: &Evidence, runs: &[Run], verdict: &mut Verdict) {
    let explanations = Explanations::new(evidence);
    let (mut keys, lanes) = keys(evidence);
    for (at, moment, index) in moments(runs, &explanations) {
        let run = &runs[index];
        let Some(key) = lanes.get(&run.place).and_then(|lane| keys.get_mut(lane)) else { continue };
        if moment == Moment::Begin {
            begin(key, runs, index, &explanations, verdict);
            continue;
        }
        if key.running.get(&run.assignment()) == Some(&index) {
            key.running.remove(&run.assignment());
        }
        if run.answer().is_some_and(|(ended, what)| ended == at && finishes(run, what)) {
            key.finish(run.place.offset);
        }
    }
}

/// The ordered records by their keys, and the key of each.
fn keys(evidence: &Evidence) -> (BTreeMap<Lane, Key>, BTreeMap<Place, Lane>) {
    let (mut keys, mut lanes) = (BTreeMap::<Lane, Key>::new(), BTreeMap::new());
    for (place, produced) in &evidence.produced {
        let Log::Source(source @ (Source::Keyed | Source::Held)) = place.log else { continue };
        if produced.end == End::Undecodable {
            continue;
        }
        let lane = (source, place.partition, produced.key);
        keys.entry(lane).or_default().records.push((place.offset, false));
        lanes.insert(*place, lane);
    }
    (keys, lanes)
}

/// Beginnings and ends in the order of time; a death ends what runs.
fn moments(runs: &[Run], explanations: &Explanations<'_>) -> Vec<(Micros, Moment, usize)> {
    let mut moments = Vec::with_capacity(2 * runs.len());
    for (index, run) in runs.iter().enumerate() {
        if !matches!(run.place.log, Log::Source(Source::Keyed | Source::Held)) {
            continue;
        }
        moments.push((run.began, Moment::Begin, index));
        let end = run.ended.map(|(at, _)| at).or_else(|| explanations.death(run.worker));
        if let Some(at) = end {
            let moment = if at == run.began { Moment::EndAtOnce } else { Moment::End };
            moments.push((at, moment, index));
        }
    }
    moments.sort_unstable();
    moments
}

/// Whether the next record of the key may begin after such an end.
fn finishes(run: &Run, what: What) -> bool {
    match (run.place.log, what) {
        (_, What::Began | What::Dropped) => false,
        (Log::Source(source @ Source::Held), What::Failed) => run.attempt >= source.last_attempt(),
        _ => true,
    }
}

impl Key {
    fn finish(&mut self, offset: i64) {
        if let Ok(at) = self.records.binary_search_by_key(&offset, |(offset, _)| *offset) {
            self.records[at].1 = true;
        }
        while self.records.get(self.finished).is_some_and(|(_, finished)| *finished) {
            self.finished += 1;
        }
    }

    fn first_unfinished(&self) -> Option<i64> {
        self.records.get(self.finished).map(|(offset, _)| *offset)
    }
}

fn begin(key: &mut Key, runs: &[Run], index: usize, explanations: &Explanations<'_>, verdict: &mut Verdict) {
    let run = &runs[index];
    if let Some(earlier) = key.first_unfinished().filter(|earlier| *earlier < run.place.offset) {
        verdict.out_of_order.add(|| format!("offset {earlier} of the key was not finished when this began: {run:?}"));
    }
    let reached = key.reached.insert(run.assignment(), run.place.offset);
    if let Some(reached) = reached.filter(|reached| *reached > run.place.offset) {
        verdict.out_of_order.add(|| format!("the same assignment had begun offset {reached} of the key: {run:?}"));
    }
    if let Some(other) = key.running.insert(run.assignment(), index) {
        verdict.out_of_order.add(|| format!("{run:?} began while the same assignment ran {:?}", runs[other]));
    }
    let elsewhere = key.running.values().map(|other| &runs[*other]);
    for other in elsewhere.filter(|other| other.assignment() != run.assignment()) {
        if explanations.may_have_lost(other.worker, other.began, run.began).is_none() {
            verdict.out_of_order.add(|| format!("{run:?} began while another assignment ran {other:?}"));
        }
    }
}
