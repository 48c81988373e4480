//! Whose turn it is, and when tries in place make sense.

use crate::desk::{Desk, history, holding, settings, slot};
use retrial_core::{
    engine::EngineConfig,
    event::{Action, Event, Finished, ForwardError, Notice},
    outcome::Outcome,
    shares::Class,
};
use std::time::Duration;

fn with_a_try() -> Desk {
    let mut settings = settings();
    settings.topics[0].retry.in_place = 1;
    let mut desk = Desk::new(settings);
    desk.own(0, "orders", 100);
    desk
}

/// Whether an attempt that fails is tried again in place, after so many that ended like this and so many that ended well.
fn tries_again(outcome: fn() -> Outcome, before: usize, done: usize) -> bool {
    let mut desk = with_a_try();
    let mut works = desk.take_work().into_iter();
    for work in works.by_ref().take(before) {
        desk.finish(work, outcome());
    }
    for work in works.by_ref().take(done) {
        desk.finish(work, Outcome::Done);
    }
    desk.take_forwards();
    desk.finish(works.next().unwrap(), Outcome::retry("down"));
    desk.take_forwards().is_empty()
}

#[test]
fn there_are_no_tries_in_place_while_more_than_half_of_the_attempts_fail() {
    let after = |failed, done| tries_again(|| Outcome::retry("down"), failed, done);
    // Twenty attempts are too few to tell; the one that is asked about counts.
    assert!(after(18, 0) && !after(19, 0));
    assert!(!after(20, 20) && after(20, 21));
    // Of the last 64, 33 are more than half.
    assert!(!after(60, 31) && after(60, 32));
}

#[test]
fn a_refusal_is_an_answer_and_no_failure_of_the_topic() {
    assert!(tries_again(|| Outcome::dead("no"), 60, 0));
    assert!(tries_again(|| Outcome::Snooze(Duration::from_secs(5)), 60, 0));
}

#[test]
fn what_an_operator_sent_back_has_its_turn_again_when_the_last_one_has_ended() {
    let mut settings = settings();
    settings.topics[0].concurrency = 5;
    let mut desk = Desk::new(EngineConfig { service_limit: 5, ..settings });
    desk.own(0, "orders", 60);
    desk.own(1, "billing.retry.0s", 0);
    (0..6).for_each(|offset| desk.arrive_in_tier(1, offset, history(offset)));
    let (mut works, mut classes) = (desk.take_work(), Vec::new());
    while !works.is_empty() {
        let work = works.remove(0);
        classes.push(work.class);
        desk.finish(work, Outcome::Done);
        works.extend(desk.take_work());
    }
    let last = classes.iter().rposition(|&class| class == Class::WayBack).unwrap();
    let sent_back = classes.iter().filter(|&&class| class == Class::WayBack).count();
    assert_eq!((classes.len(), sent_back), (66, 6));
    assert!(last < 45, "one in five: {classes:?}");
}

#[test]
fn what_is_ready_of_a_partition_that_is_lost_never_starts_and_the_rest_does() {
    let mut desk = Desk::new(EngineConfig { service_limit: 1, ..settings() });
    desk.own(0, "orders", 3);
    desk.own(1, "orders", 3);
    let work = desk.take_work().remove(0);
    desk.handle(Event::Revoking { slots: vec![slot(0)], lost: true });
    assert_eq!(desk.held(), 4, "what runs, and what the other partition has");
    let mut ran = Vec::new();
    let mut next = Some(work);
    while let Some(work) = next {
        desk.finish(work, Outcome::Done);
        next = desk.take_work().pop();
        ran.extend(next.as_ref().map(|work| (work.ticket.slot, work.record.offset)));
    }
    assert_eq!(ran, [0, 1, 2].map(|offset| (slot(1), offset)));
}

#[test]
fn a_partition_is_quiet_when_its_attempts_were_given_up_or_did_not_start() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 3);
    let mut works = desk.take_work();
    desk.take_others();
    desk.handle(Event::Revoking { slots: vec![slot(0)], lost: false });
    let given_up = works.remove(0);
    let finished = [
        Finished::Abandoned { ticket: given_up.ticket, topic: given_up.topic, class: given_up.class },
        Finished::Unstarted(Box::new(works.remove(0))),
    ];
    desk.handle(Event::Finished(finished.into()));
    assert!(desk.take_commit().is_none(), "one of three still runs");
    desk.finish(works.remove(0), Outcome::Done);
    let (_, entries) = desk.take_commit().expect("all is quiet");
    assert_eq!((entries[0].slot, entries[0].offset), (slot(0), 0));
    assert!(desk.take_work().is_empty());
}

#[test]
fn what_did_not_start_is_ready_again() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.handle(Event::Finished(vec![Finished::Unstarted(Box::new(work))]));
    assert_eq!(Desk::offsets(&desk.take_work()), [0]);
}

/// The pause was measured by our clock. If the broker's turns out to be behind, it is not over yet.
#[test]
fn what_is_due_by_the_brokers_clock_rests_on_when_that_is_behind() {
    let mut desk = Desk::new(holding());
    desk.own(0, "orders", 1);
    desk.engine.observe_clock(desk.now, desk.now, desk.now);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Snooze(Duration::from_secs(5)));
    desk.pass(Duration::from_secs(2));
    desk.engine.observe_clock(desk.now, desk.now, desk.now.shifted(-2_000));
    desk.pass(Duration::from_millis(4_900));
    assert!(desk.take_work().is_empty());
    desk.pass(Duration::from_millis(200));
    assert_eq!(desk.take_work().len(), 1);
}

#[test]
fn refused_writes_are_sent_again_each_at_its_own_time_and_the_first_refusal_is_told_with_its_target() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    desk.own(1, "orders", 1);
    for (work, outcome) in desk.take_work().into_iter().zip([Outcome::retry("down"), Outcome::dead("no")]) {
        desk.finish(work, outcome);
    }
    desk.take_others();
    let forwards = desk.take_forwards();
    let refusal = || Err(ForwardError::Refused("no leader".into()));
    desk.answer(&forwards[0], refusal());
    desk.wait(600);
    desk.answer(&forwards[1], refusal());
    let mut details = Vec::new();
    for notice in desk.take_notices() {
        if let Notice::Held { detail, .. } = notice {
            details.push(detail);
        }
    }
    assert_eq!(details, ["the tier of 5 s: no leader", "the dead letters: no leader"]);
    desk.wait(400);
    assert_eq!(desk.take_forwards().iter().map(|forward| forward.id).collect::<Vec<_>>(), [forwards[0].id]);
    desk.wait(600);
    assert_eq!(desk.take_forwards().iter().map(|forward| forward.id).collect::<Vec<_>>(), [forwards[1].id]);
    assert!(!desk.take_others().contains(&Action::Purge));
}
