//! Order by key.

use super::scene::Scene;
use crate::{
    faults::Kind,
    ledger::What::{Done, Dropped, Failed},
    place::{
        Log,
        Source::{self, Free, Held, Keyed},
    },
    work::End,
};

/// Records 0 and 1 of a key.
fn two(source: Source) -> Scene {
    Scene::new().produced(source, 0, End::Done).produced(source, 1, End::Done)
}

#[test]
fn one_after_the_other_is_in_order_and_the_other_way_round_is_not() {
    let ran = |source, first: (i64, i64), second: (i64, i64)| {
        two(source)
            .ran(source, 0, (1, 1), first.0, Some((first.1, Done)))
            .ran(source, 1, (1, 1), second.0, Some((second.1, Done)))
            .broken()
    };
    for source in [Keyed, Held] {
        assert_eq!(ran(source, (10, 12), (12, 13)), [""; 0]);
        // Begun before the first had ended; begun before it had begun.
        assert_eq!(ran(source, (10, 12), (11, 13)), ["out_of_order"]);
        assert_eq!(ran(source, (14, 15), (11, 13)), ["out_of_order"]);
    }
    assert_eq!(ran(Free, (14, 15), (11, 13)), [""; 0]);
}

#[test]
fn a_failed_record_is_overtaken_where_that_was_asked_for_and_holds_its_key_elsewhere() {
    let overtaken = |source| {
        two(source).ran(source, 0, (1, 1), 10, Some((12, Failed))).ran(source, 1, (1, 1), 13, Some((14, Done)))
    };
    let climbed = overtaken(Keyed).forward(Log::Tier(1), 0, 0, 1, 15);
    assert_eq!(climbed.retried((1, 0), 0, 2, (1, 1), 1015, Some((1016, Done))).broken(), [""; 0]);
    let place = super::scene::place(Log::Source(Held), 0);
    let held = overtaken(Held).attempt(place, 0, 2, (1, 1), 1015, Some((1016, Done)));
    let broken = held.broken();
    assert_eq!(broken, ["out_of_order"]);
}

#[test]
fn a_redo_after_a_kill_is_in_order_and_a_jump_over_what_was_in_flight_is_not() {
    // Number 0 was done, number 1 in flight, when the worker was killed; nothing was committed.
    let killed = || {
        two(Keyed).ran(Keyed, 0, (1, 1), 10, Some((12, Done))).ran(Keyed, 1, (1, 1), 12, None).fault(
            Kind::WorkerKilled,
            1,
            20,
            21,
        )
    };
    let redo = killed().ran(Keyed, 0, (2, 1), 7000, Some((7001, Done))).ran(Keyed, 1, (2, 1), 7002, Some((7003, Done)));
    assert_eq!(redo.broken(), [""; 0]);
    // Number 0 was in flight when its worker died, and the next owner begins with number 1.
    let jump = two(Keyed).ran(Keyed, 0, (1, 1), 10, None).fault(Kind::WorkerKilled, 1, 20, 21);
    let jump = jump.ran(Keyed, 1, (2, 1), 7002, Some((7003, Done))).ran(Keyed, 0, (2, 1), 7004, Some((7005, Done)));
    assert_eq!(jump.broken(), ["out_of_order"]);
    // A redo in the wrong order within one assignment.
    let back = killed().ran(Keyed, 1, (2, 1), 7000, Some((7001, Done))).ran(Keyed, 0, (2, 1), 7002, Some((7003, Done)));
    assert_eq!(back.broken(), ["out_of_order"]);
}

#[test]
fn an_attempt_that_was_dropped_finished_nothing() {
    let dropped = two(Keyed)
        .ran(Keyed, 0, (1, 1), 10, Some((12, Dropped)))
        .ran(Keyed, 1, (2, 1), 13, Some((14, Done)))
        .ran(Keyed, 0, (2, 1), 15, Some((16, Done)));
    assert_eq!(dropped.broken(), ["out_of_order"]);
}

#[test]
fn a_key_at_two_workers_at_once_needs_a_zombie_or_a_broker_that_was_away() {
    // The first worker still runs number 0 when the second begins it anew.
    let both =
        || {
            two(Keyed)
                .ran(Keyed, 0, (1, 1), 10, Some((9000, Dropped)))
                .ran(Keyed, 0, (2, 1), 8000, Some((8001, Done)))
                .ran(Keyed, 1, (2, 1), 8002, Some((8003, Done)))
        };
    assert_eq!(both().broken(), ["out_of_order"]);
    assert_eq!(both().fault(Kind::WorkerFrozen, 1, 500, 8900).broken(), [""; 0]);
    assert_eq!(both().fault(Kind::BrokerKilled, 0, 500, 3000).broken(), [""; 0]);
    // The freeze of another worker explains nothing, nor one that was over before.
    assert_eq!(both().fault(Kind::WorkerFrozen, 3, 500, 8900).broken(), ["out_of_order"]);
    assert_eq!(both().fault(Kind::WorkerFrozen, 1, 1, 9).broken(), ["out_of_order"]);
}

#[test]
fn records_that_nobody_can_decode_are_no_gap_in_the_order() {
    let scene = Scene::new().produced(Keyed, 0, End::Undecodable).produced(Keyed, 1, End::Done);
    let scene = scene.forward(Log::Letters, 0, 0, 1, 15).ran(Keyed, 1, (1, 1), 10, Some((12, Done)));
    // The forward of the scene says "refused": that is wrong, the order is not.
    assert_eq!(scene.broken(), ["wrong_end"]);
}
