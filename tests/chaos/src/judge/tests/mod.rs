//! A judge that cannot find fault is worth nothing: each rule has a ledger that breaks it, and the nearest one that does not.

mod doubled;
mod ordered;
mod scene;

use retrial::Cause;

use crate::{
    clock::SECOND,
    crew::Desertion,
    faults::Kind,
    ledger::What::{Done, Failed, Refused},
    place::{Log, Source::Free},
    work::End,
};
use scene::Scene;

/// One record that fails, climbs a tier and is done there; one that is refused.
fn good() -> Scene {
    Scene::new()
        .produced(Free, 0, End::Done)
        .produced(Free, 1, End::Refused)
        .ran(Free, 0, (1, 1), 10, Some((12, Failed)))
        .forward(Log::Tier(1), 0, 0, 1, 15)
        .retried((1, 0), 0, 2, (2, 1), 1015, Some((1020, Done)))
        .ran(Free, 1, (1, 1), 11, Some((13, Refused)))
        .forward(Log::Letters, 0, 1, 1, 16)
}

#[test]
fn a_run_without_fault_holds() {
    let verdict = good().judged();
    assert!(verdict.holds(), "{verdict:?}");
    assert_eq!((verdict.produced, verdict.handled, verdict.dead_letters), (2, 1, 1));
    assert_eq!(verdict.dead_letters_by_cause, [("refused".to_owned(), 1)].into());
    assert_eq!((verdict.handled_twice, verdict.redone, verdict.forwarded_twice), (0, 0, 0));
}

#[test]
fn a_record_that_nobody_finished_is_missing() {
    // Failed once, and never seen again.
    let scene = good().produced(Free, 2, End::Done).ran(Free, 2, (1, 1), 20, Some((22, Failed)));
    assert_eq!(scene.broken(), ["missing"]);
    // Begun, and its worker died.
    assert_eq!(good().produced(Free, 2, End::Done).ran(Free, 2, (1, 1), 20, None).broken(), ["missing"]);
}

#[test]
fn an_acknowledged_record_that_is_in_no_topic_is_lost_by_kafka() {
    let mut scene = good();
    scene.evidence.acknowledged.push(77);
    assert_eq!(scene.broken(), ["lost_by_kafka"]);
}

#[test]
fn a_record_must_end_as_its_body_demands() {
    let done_and_dead = good().forward(Log::Letters, 1, 0, 9, 2000);
    assert_eq!(done_and_dead.broken(), ["wrong_end"]);
    let mut other_cause = good();
    other_cause.evidence.forwards[1].cause = Some(Cause::Exhausted);
    assert_eq!(other_cause.broken(), ["wrong_end"]);
    let done_instead = good().produced(Free, 2, End::Exhausted).ran(Free, 2, (1, 1), 20, Some((22, Done)));
    assert_eq!(done_instead.broken(), ["wrong_end"]);
    let from_nowhere = good().ran(Free, 99, (1, 1), 20, Some((22, Done)));
    assert_eq!(from_nowhere.broken(), ["wrong_end"]);
}

#[test]
fn an_attempt_before_the_gate_or_before_the_due_time_is_early() {
    let tier = |from| {
        Scene::new()
            .produced(Free, 0, End::Done)
            .ran(Free, 0, (1, 1), 10, Some((12, Failed)))
            .forward(Log::Tier(3), 0, 0, 1, 15)
            .retried((3, 0), 0, 2, (2, 1), from, Some((from + 5, Done)))
    };
    assert_eq!(tier(3015).broken(), [""; 0]);
    assert_eq!(tier(3014).broken(), ["early"]);
    let mut due_later = tier(3015);
    due_later.evidence.forwards[0].due = Some(scene::START / 1000 + 3016);
    assert_eq!(due_later.broken(), ["early"]);
}

#[test]
fn lateness_is_that_of_the_first_attempt_after_the_wait() {
    let verdict = good().retried((1, 0), 0, 2, (3, 1), 9_000, None).judged();
    let late = verdict.lateness["chaos.retry.1s"];
    assert_eq!((late.count, late.p50, late.max), (1, 0, 0));
}

#[test]
fn an_attempt_that_is_not_the_next_one_is_wrong() {
    let forgotten = Scene::new()
        .produced(Free, 0, End::Done)
        .ran(Free, 0, (1, 1), 10, Some((12, Failed)))
        .forward(Log::Tier(1), 0, 0, 1, 15)
        .retried((1, 0), 0, 1, (2, 1), 1015, Some((1020, Done)));
    assert_eq!(forgotten.broken(), ["wrong_attempt"]);
}

#[test]
fn a_worker_that_ends_by_itself_is_told() {
    let ended = |gave_up| {
        let mut scene = good();
        let at = scene::START + 20 * SECOND;
        scene.evidence.desertions.push(Desertion { worker: 3, at, gave_up, what: "ended".to_owned() });
        scene
    };
    assert_eq!(ended(false).broken(), ["deserted"]);
    assert_eq!(ended(true).broken(), ["deserted"]);
    // It could not connect: a broker was away. But it did not crash because of that.
    assert_eq!(ended(true).fault(Kind::BrokerKilled, 0, 5_000, 15_000).judged().gave_up, 1);
    assert_eq!(ended(true).fault(Kind::BrokerKilled, 0, 5_000, 15_000).broken(), [""; 0]);
    assert_eq!(ended(false).fault(Kind::BrokerKilled, 0, 5_000, 15_000).broken(), ["deserted"]);
}

#[test]
fn what_a_worker_says_against_itself_counts() {
    let mut scene = good();
    scene.evidence.complaints.push("worker 2: commit metadata is not used".to_owned());
    assert_eq!(scene.broken(), ["complaints"]);
}

#[test]
fn a_run_that_does_not_come_to_rest_does_not_hold() {
    let mut scene = good();
    scene.evidence.restless = Some("work.free/0 is committed to Some(1) of 2".to_owned());
    assert!(!scene.judged().holds());
}

#[test]
fn a_stall_counts_only_while_there_was_work() {
    let scene = Scene::new().produced(Free, 0, End::Done).produced(Free, 1, End::Done).produced(Free, 2, End::Done);
    let mut scene = scene.ran(Free, 0, (1, 1), 5, Some((6, Done))).ran(Free, 1, (1, 1), 45, Some((46, Done))).ran(
        Free,
        2,
        (1, 1),
        1045,
        Some((1046, Done)),
    );
    // The last one was appended only 10 ms before it was begun.
    let last = scene.evidence.produced.last_entry().unwrap().into_mut();
    last.stamp += 1035;
    let stall = scene.judged().longest_stall.unwrap();
    assert_eq!((stall.millis, stall.ended_with.offset), (40, 1));
}
