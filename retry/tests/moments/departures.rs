//! How partitions are given up: what is told, dropped and awaited, and what is left alone.

use crate::desk::{Desk, history, holding, settings, slot};
use retrial_core::{
    engine::EngineConfig,
    event::{Action, Event, ForwardError},
    outcome::Outcome,
    time::Timestamp,
};
use std::time::Duration;

fn without_commits(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().filter(|action| !matches!(action, Action::Commit(..))).collect()
}

fn revoke(desk: &mut Desk, index: u32, lost: bool) {
    desk.handle(Event::Revoking { slots: vec![slot(index)], lost });
}

#[test]
fn a_quiet_partition_is_given_up_without_anything_being_abandoned_or_purged() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 2);
    for work in desk.take_work() {
        desk.finish(work, Outcome::Done);
    }
    desk.take_others();
    revoke(&mut desk, 0, false);
    let (id, _) = desk
        .out
        .others
        .iter()
        .find_map(|action| if let Action::Commit(id, entries) = action { Some((*id, entries.clone())) } else { None })
        .unwrap();
    assert_eq!(without_commits(desk.take_others()), [Action::Hurry(slot(0))]);
    desk.accept(id);
    desk.wait(0);
    assert_eq!(desk.take_others(), [Action::Release(vec![slot(0)])]);
}

#[test]
fn at_the_deadline_attempts_are_abandoned_and_unsent_writes_purged() {
    for (forwards, attempts) in [(true, false), (false, true)] {
        let mut desk = Desk::new(settings());
        desk.own(0, "orders", 1);
        let work = desk.take_work().remove(0);
        if forwards {
            desk.finish(work, Outcome::retry("down"));
            desk.take_forwards();
        }
        desk.take_others();
        revoke(&mut desk, 0, false);
        desk.take_others();
        desk.wait(1_999);
        assert_eq!(without_commits(desk.take_others()), []);
        desk.wait(1);
        let told = desk.take_others();
        assert_eq!(told.contains(&Action::Purge), forwards);
        assert_eq!(told.contains(&Action::Abandon(slot(0))), attempts);
    }
}

#[test]
fn a_lost_partition_purges_only_if_it_has_writes_under_way() {
    for has_writes in [false, true] {
        let mut desk = Desk::new(settings());
        desk.own(0, "orders", 1);
        desk.own(1, "orders", 1);
        let mut works = desk.take_work();
        // The other partition's writes are not its own.
        desk.finish(works.remove(1), Outcome::retry("down"));
        if has_writes {
            desk.finish(works.remove(0), Outcome::retry("down"));
        }
        desk.take_others();
        revoke(&mut desk, 0, true);
        assert_eq!(desk.take_others().contains(&Action::Purge), has_writes);
    }
}

#[test]
fn a_stop_ends_although_a_partition_waits_for_an_operator() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "orders", 0..9, None, true);
    desk.handle(Event::Stop(Duration::from_secs(25)));
    desk.wait(0);
    assert!(desk.take_others().contains(&Action::Leave));
    assert!(desk.engine.has_left());
}

#[test]
fn what_is_offered_during_a_stop_is_answered_and_not_worked_on() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    desk.take_others();
    desk.handle(Event::Stop(Duration::from_secs(25)));
    desk.offer(1, "orders", 0..9, None, false);
    assert!(desk.take_others().contains(&Action::Start { slot: slot(1), offset: 0 }));
    assert_eq!(desk.engine.room(slot(1)), 0);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Done);
    desk.accept_all();
    desk.wait(0);
    assert!(desk.engine.has_left(), "it waits for a partition that it does not work on");
}

/// At each deadline the engine is called because it asked for it: nothing else happens.
#[test]
fn a_stop_goes_on_by_itself_when_nothing_ends_and_nobody_answers() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    desk.take_others();
    let (began, mut told) = (desk.now, Vec::new());
    desk.handle(Event::Stop(Duration::from_secs(5)));
    for _ in 0..20 {
        let millis = desk.now.since(began).as_millis();
        told.extend(without_commits(desk.take_others()).into_iter().map(|action| (millis, action)));
        if !desk.engine.has_left() {
            desk.wake();
        }
    }
    let expected = [(5_000, Action::Hurry(slot(0))), (5_500, Action::Abandon(slot(0))), (13_500, Action::Leave)];
    let actions: Vec<_> = told.into_iter().filter(|(_, action)| !matches!(action, Action::Notice(_))).collect();
    assert_eq!(actions, expected);
}

#[test]
fn what_rests_of_a_partition_that_is_given_up_is_let_go_of_and_nothing_else() {
    let mut desk = Desk::new(holding());
    desk.own(0, "orders", 2);
    desk.own(1, "orders", 3);
    for work in desk.take_work() {
        desk.finish(work, Outcome::Snooze(Duration::from_secs(3)));
    }
    assert_eq!(desk.held(), 5);
    revoke(&mut desk, 0, true);
    assert_eq!(desk.held(), 3);
    desk.pass(Duration::from_secs(4));
    assert_eq!(Desk::offsets(&desk.take_work()), [0, 1, 2]);
}

#[test]
fn a_partition_that_is_given_up_takes_all_of_its_records_along() {
    let mut desk = Desk::new(EngineConfig { service_limit: 1, ..holding() });
    desk.own(0, "orders", 9);
    desk.own(1, "billing.retry.5s", 0);
    desk.arrive_in_tier(1, 0, history(7));
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::dead("no"));
    desk.take_forwards();
    for lost in [0, 1] {
        revoke(&mut desk, lost, true);
    }
    for work in desk.take_work() {
        desk.finish(work, Outcome::Done);
    }
    assert_eq!(desk.held(), 0);
}

#[test]
fn a_write_of_a_partition_that_was_lost_is_never_sent_again() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    desk.own(1, "orders", 1);
    let works = desk.take_work();
    for work in works {
        desk.finish(work, Outcome::retry("down"));
    }
    let forwards = desk.take_forwards();
    for forward in &forwards {
        desk.answer(forward, Err(ForwardError::Refused("no leader".into())));
    }
    revoke(&mut desk, 0, true);
    desk.answer(&forwards[0], Ok(()));
    desk.pass(Duration::from_secs(2));
    let again = desk.take_forwards();
    assert_eq!(again.iter().map(|forward| forward.slot).collect::<Vec<_>>(), [slot(1)]);
}

#[test]
fn a_partition_that_leaves_at_a_stop_and_is_revoked_then_is_awaited_less_long() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Done);
    desk.handle(Event::Stop(Duration::from_secs(5)));
    desk.take_others();
    let began: Timestamp = desk.now;
    desk.wait(1_000);
    revoke(&mut desk, 0, false);
    let released = (0..20).any(|_| {
        let released = desk.take_others().contains(&Action::Release(vec![slot(0)]));
        if !released {
            desk.wake();
        }
        released
    });
    assert!(released);
    assert_eq!(desk.now.since(began), Duration::from_secs(3));
}

/// A stop has more patience than a group that waits for a partition.
#[test]
fn a_partition_that_is_revoked_during_a_stop_leaves_as_soon_as_without_one() {
    for (revoked, released) in [(true, 5_000), (false, 13_500)] {
        let mut desk = Desk::new(settings());
        desk.own(0, "orders", 1);
        desk.handle(Event::Stop(Duration::from_secs(5)));
        let began = desk.now;
        desk.wait(1_000);
        if revoked {
            revoke(&mut desk, 0, false);
        }
        let mut left = None;
        for _ in 0..20 {
            if desk.engine.has_left() {
                left = left.or(Some(desk.now.since(began).as_millis()));
            } else {
                desk.wake();
            }
        }
        assert_eq!(left, Some(released));
    }
}

/// Results and the news of a loss may come in one turn: nothing has been sent yet.
#[test]
fn what_was_to_be_forwarded_when_the_loss_was_told_is_not() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    desk.own(1, "orders", 1);
    for work in desk.take_work() {
        desk.finish(work, Outcome::retry("down"));
    }
    assert_eq!(desk.out.forwards.len(), 2);
    revoke(&mut desk, 0, true);
    let kept: Vec<_> = desk.out.forwards.iter().map(|forward| forward.slot).collect();
    assert_eq!(kept, [slot(1)]);
}
