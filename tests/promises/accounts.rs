//! What the journals of several workers come to together.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::journal::{Entry, What};

/// The ids of what was done so.
pub(crate) fn ids(entries: &[Entry], what: What) -> BTreeSet<u64> {
    entries.iter().filter(|entry| entry.what == what).map(|entry| entry.id).collect()
}

/// What was begun and not ended: in flight when the journal ends.
pub(crate) fn in_flight(entries: &[Entry]) -> BTreeSet<u64> {
    let mut open = BTreeMap::<u64, i64>::new();
    for entry in entries {
        *open.entry(entry.id).or_default() += if entry.what == What::Began { 1 } else { -1 };
    }
    open.into_iter().filter(|(_, open)| *open > 0).map(|(id, _)| id).collect()
}

/// How long finished work may be uncommitted: a second, and once more for the round trips of a busy machine.
const UNCOMMITTED: Duration = Duration::from_secs(2);

/// Records with an attempt that ended before a worker was killed (in microseconds since 1970) and that a later one made
/// again, with how long before the kill it had ended. Fails if that was long enough to be committed, unless the record
/// is `doubled`: it had been forwarded twice before.
pub(crate) fn ended_and_made_again(
    killed: &[Entry],
    at: i64,
    later: &[Entry],
    doubled: &BTreeSet<u64>,
) -> BTreeMap<u64, Duration> {
    let ended = killed.iter().filter(|entry| entry.what != What::Began);
    let ended: BTreeMap<(u64, u32), i64> = ended.map(|entry| ((entry.id, entry.attempt), entry.at)).collect();
    let mut ages = BTreeMap::new();
    for entry in later.iter().filter(|entry| entry.what == What::Began) {
        let Some(ended) = ended.get(&(entry.id, entry.attempt)) else { continue };
        let age = Duration::from_micros(u64::try_from(at - ended).unwrap_or(0));
        let excused = age < UNCOMMITTED || doubled.contains(&entry.id);
        assert!(excused, "{entry:?} was made again and had ended {age:?} before the kill");
        ages.insert(entry.id, age);
    }
    ages
}

/// How often a first attempt was begun beyond once for each record.
pub(crate) fn repeats(entries: &[Entry]) -> usize {
    let firsts = entries.iter().filter(|entry| entry.what == What::Began && entry.attempt == 1);
    firsts.clone().count() - firsts.map(|entry| entry.id).collect::<BTreeSet<_>>().len()
}

/// Fails unless each of these was finished by somebody.
pub(crate) fn assert_none_missing(expected: impl IntoIterator<Item = u64>, entries: &[Entry]) {
    let finished = ids(entries, What::Finished);
    let missing: Vec<u64> = expected.into_iter().filter(|id| !finished.contains(id)).collect();
    assert!(
        missing.is_empty(),
        "{} records were never finished, the first {:?}",
        missing.len(),
        &missing[..missing.len().min(10)]
    );
}
