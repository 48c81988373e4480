//! What was done again, and what was forwarded again.

use super::scene::Scene;
use crate::{
    faults::Kind,
    ledger::What::{Done, Failed},
    place::{
        Log,
        Source::{Free, Held},
    },
    work::End,
};

/// Done by worker 1 at 12, and begun by worker 2 at 8000.
fn done_twice() -> Scene {
    Scene::new().produced(Free, 0, End::Done).ran(Free, 0, (1, 1), 10, Some((12, Done))).ran(
        Free,
        0,
        (2, 1),
        8000,
        Some((8001, Done)),
    )
}

#[test]
fn what_was_done_twice_needs_a_fault_of_the_first_worker_or_of_a_broker() {
    assert_eq!(done_twice().broken(), ["redone_unexplained"]);
    assert_eq!(done_twice().fault(Kind::WorkerKilled, 1, 500, 501).broken(), [""; 0]);
    assert_eq!(done_twice().fault(Kind::WorkerFrozen, 1, 500, 7900).broken(), [""; 0]);
    assert_eq!(done_twice().fault(Kind::BrokerKilled, 0, 500, 5000).broken(), [""; 0]);
    assert_eq!(done_twice().fault(Kind::Starved, 0, 500, 2000).broken(), [""; 0]);
    for planned in [Kind::WorkerReplaced, Kind::ScaledDown, Kind::ScaledUp] {
        assert_eq!(done_twice().fault(planned, 1, 500, 600).broken(), ["redone_unexplained"], "{planned:?}");
    }
    // Another worker's death explains nothing; neither does one that came later.
    assert_eq!(done_twice().fault(Kind::WorkerKilled, 2, 500, 501).broken(), ["redone_unexplained"]);
    assert_eq!(done_twice().fault(Kind::WorkerKilled, 1, 9000, 9001).broken(), ["redone_unexplained"]);
}

#[test]
fn a_kill_explains_only_what_could_not_be_committed_yet() {
    let late = done_twice().fault(Kind::WorkerKilled, 1, 5000, 5001);
    assert_eq!(late.broken(), ["redone_unexplained"]);
    // Nobody's commits go through while the group waits for a frozen member.
    let waited = done_twice().fault(Kind::WorkerKilled, 1, 5000, 5001).fault(Kind::WorkerFrozen, 3, 0, 4000);
    let waited = waited.judged();
    assert_eq!((waited.holds(), waited.redone_while_blocked, waited.redone_age.count), (true, 1, 0));
    let verdict = done_twice().fault(Kind::WorkerKilled, 1, 500, 501).judged();
    assert_eq!((verdict.handled_twice, verdict.redone, verdict.redone_age.max), (1, 1, 489));
    assert_eq!(verdict.handled_twice_by_fault, [("worker_killed", 1)].into());
}

#[test]
fn the_same_assignment_never_repeats_what_it_finished() {
    let scene = Scene::new()
        .produced(Free, 0, End::Done)
        .ran(Free, 0, (1, 1), 10, Some((12, Done)))
        .ran(Free, 0, (1, 1), 20, Some((21, Done)))
        .fault(Kind::BrokerKilled, 0, 5, 100);
    assert_eq!(scene.broken(), ["redone_unexplained"]);
}

#[test]
fn what_was_in_flight_may_run_again_with_any_end_of_its_worker() {
    let scene = Scene::new().produced(Free, 0, End::Done).ran(Free, 0, (1, 1), 10, None).ran(
        Free,
        0,
        (2, 1),
        20,
        Some((21, Done)),
    );
    assert_eq!(scene.broken(), [""; 0]);
}

#[test]
fn waits_in_memory_begin_anew_with_a_new_owner_and_ended_ones_do_not() {
    let first = |end| Scene::new().produced(Held, 0, End::Done).ran(Held, 0, (1, 1), 10, Some((12, end)));
    let again = |scene: Scene| scene.ran(Held, 0, (2, 1), 50, Some((51, Done)));
    assert_eq!(again(first(Failed)).broken(), [""; 0]);
    assert_eq!(again(first(Done)).broken(), ["redone_unexplained"]);
}

/// Failed at worker 1, forwarded twice; the copies were begun by these assignments.
fn copied(first: (u32, u64), second: (u32, u64), attempted_twice: bool) -> Scene {
    let scene = Scene::new().produced(Free, 0, End::Done).ran(Free, 0, (1, 1), 10, Some((12, Failed)));
    let scene = if attempted_twice { scene.ran(Free, 0, (2, 1), 8000, Some((8002, Failed))) } else { scene };
    scene
        .forward(Log::Tier(1), 0, 0, 1, 15)
        .forward(Log::Tier(1), 1, 0, 1, 8005)
        .retried((1, 0), 0, 2, first, 1015, Some((1016, Done)))
        .retried((1, 1), 0, 2, second, 9005, Some((9006, Done)))
}

#[test]
fn a_forward_that_was_written_twice_needs_a_fault() {
    assert_eq!(copied((2, 1), (3, 1), false).broken(), ["forwarded_twice_unexplained"]);
    assert_eq!(copied((2, 1), (3, 1), false).fault(Kind::BrokerKilled, 0, 500, 600).broken(), [""; 0]);
    // The attempt was made twice: what explains that explains the copy.
    assert_eq!(copied((2, 1), (3, 1), true).broken(), ["redone_unexplained"]);
    let verdict = copied((2, 1), (3, 1), true).fault(Kind::WorkerKilled, 1, 500, 501).judged();
    assert!(verdict.holds(), "{verdict:?}");
    assert_eq!((verdict.forwarded_twice, verdict.both_lineages_ran), (1, 1));
    assert_eq!((verdict.handled_twice, verdict.redone), (1, 1));
    assert_eq!(verdict.handled_twice_by_fault, [("two_lineages", 1)].into());
}

#[test]
fn one_assignment_never_runs_both_copies() {
    let scene = copied((2, 1), (2, 1), true).fault(Kind::WorkerKilled, 1, 500, 501);
    assert_eq!(scene.broken(), ["forwarded_twice_unexplained"]);
}

#[test]
fn copies_lie_in_one_partition() {
    let mut scene = copied((2, 1), (3, 1), true).fault(Kind::WorkerKilled, 1, 500, 501);
    scene.evidence.forwards[1].place.partition = 4;
    assert_eq!(scene.broken(), ["forwarded_twice_unexplained"]);
}
