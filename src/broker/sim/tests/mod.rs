//! The simulator by itself, with a consumer that is too simple to be wrong.

mod naive;
mod ports;
mod town;

use super::{
    check::{latest, redone, unfinished},
    faults::{Fault, Faults},
    trace::Event,
};
use naive::Flaw;
use std::time::Duration;
use town::Town;

const MINUTE: Duration = Duration::from_secs(60);

/// A run with faults, then time to finish in peace; whatever the faults, the promises hold.
fn lived_through(seed: u64, faults: Faults) -> Town {
    let mut town = Town::new(seed, 3, faults, Flaw::None);
    town.run(2 * MINUTE, 300);
    town.cluster.calm();
    town.run(3 * MINUTE, 0);
    let violations = town.judged();
    if let Some(first) = violations.first() {
        let story = town.cluster.trace().story(first.at, 60, |event| !matches!(event, Event::Appended { .. }));
        panic!("seed {seed}: {first}\n{story}");
    }
    let left = unfinished(&town.cluster.trace(), &town.terms());
    assert!(left.is_empty(), "seed {seed}: {} records are unfinished, the first is {}", left.len(), left[0]);
    town
}

#[test]
fn in_peace_everything_is_done_once_and_committed() {
    let town = lived_through(1, Faults::none());
    let trace = town.cluster.trace();
    assert_eq!(redone(&trace, &town.terms()).records, 0);
    assert!(latest(&trace, &town.terms()) < Duration::from_secs(1), "{:?}", latest(&trace, &town.terms()));
    let done: i64 =
        (0..6).map(|partition| town.cluster.committed("billing", "orders", partition).unwrap().offset).sum();
    assert_eq!(done, 300);
}

/// Every seed's own mixture; the seed in the message is all it takes to see it again.
#[test]
fn whatever_goes_wrong_a_careful_consumer_keeps_the_promises() {
    for seed in 0..40 {
        lived_through(seed, Faults::drawn(&mut super::random::Random::new(seed), false));
    }
}

#[test]
fn what_is_destroyed_is_not_called_lost_by_the_consumer() {
    for seed in 0..20 {
        let mut faults = Faults::drawn(&mut super::random::Random::new(seed), true);
        if faults.chance(Fault::TopicRecreated) > 0 {
            // Then only metadata tells whose offset it is.
            faults = faults.with(Fault::MetadataCut, 0).with(Fault::MetadataForeign, 0);
        }
        lived_through(seed, faults);
    }
}

#[test]
fn every_fault_occurs_where_it_has_a_chance_and_nowhere_else() {
    for fault in Fault::ALL {
        // These need what the naive consumer does not have, workers and trimming: see `tests/simulation`.
        if matches!(fault, Fault::Starved | Fault::TrimFailed) {
            continue;
        }
        let chance = if fault == Fault::Crash { 10 } else { 3_000 };
        let counted = |chance| {
            // Members that die make the others read commits.
            let faults = Faults::none().with(Fault::Crash, 3).with(fault, chance);
            (0..3).map(|seed| lived_through(seed, faults.clone()).cluster.counted(fault)).sum::<u64>()
        };
        assert!(counted(chance) > 0, "{fault:?}");
        assert_eq!(counted(0), 0, "{fault:?}");
    }
}

#[test]
fn one_seed_is_one_trace() {
    let run = |seed| {
        let faults = Faults::drawn(&mut super::random::Random::new(seed), true);
        let mut town = Town::new(seed, 3, faults, Flaw::None);
        town.run(MINUTE, 200);
        town
    };
    for seed in 0..5 {
        assert!(*run(seed).cluster.trace() == *run(seed).cluster.trace(), "seed {seed}");
    }
    assert!(*run(1).cluster.trace() != *run(2).cluster.trace());
}

/// Which promises the judges find broken in runs of a consumer with this flaw.
fn broken(flaw: Flaw) -> Vec<&'static str> {
    let mut promises = Vec::new();
    for seed in 0..6 {
        let faults = Faults::none().with(Fault::Crash, 5).with(Fault::CutOff, 1).with(Fault::Freeze, 1);
        let mut town = Town::new(seed, 3, faults, flaw);
        town.run(2 * MINUTE, 600);
        promises.extend(town.judged().iter().map(|violation| violation.promise));
    }
    promises.sort_unstable();
    promises.dedup();
    promises
}

#[test]
fn each_flaw_is_found_by_its_judge() {
    for (flaw, promise) in [
        (Flaw::CommitsEarly, "nothing is lost"),
        (Flaw::RunsEarly, "never early"),
        (Flaw::WorksOn, "a lost owner stays silent"),
        (Flaw::Overtakes, "order per key"),
        (Flaw::ForgetsAttempts, "a record's past survives"),
        (Flaw::IgnoresCommits, "finished work is not redone"),
        (Flaw::RunsRepeats, "one record is one lineage"),
    ] {
        assert!(broken(flaw).contains(&promise), "{flaw:?}: only {:?} found broken", broken(flaw));
    }
    assert_eq!(broken(Flaw::None), Vec::<&str>::new());
}

/// Joining moves partitions in two generations and leaving frees them at once; neither repeats anything.
#[test]
fn members_come_and_go_without_repeating_work() {
    let mut town = Town::new(2, 1, Faults::none(), Flaw::None);
    town.run(MINUTE, 100);
    town.join();
    town.run(MINUTE, 100);
    assert_eq!(town.readers(), [5, 5], "ten partitions of sources and tiers, shared evenly");
    town.member(0).leave();
    town.run(MINUTE, 100);
    town.run(2 * MINUTE, 0);
    assert_eq!(town.readers(), [10]);
    assert_eq!(town.judged(), []);
    assert_eq!(unfinished(&town.cluster.trace(), &town.terms()), []);
    assert_eq!(redone(&town.cluster.trace(), &town.terms()).records, 0);
}
