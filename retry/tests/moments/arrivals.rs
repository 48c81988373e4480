//! Where a partition goes on, what is told of it, and what becomes of records that nobody can read.

use crate::desk::{Desk, settings, slot};
use retrial_core::{
    event::{Action, Committed, Event, HoldReason, Lineage, LogRange, Notice, Target},
    id::TopicIndex,
    outcome::{Cause, Outcome, Reason},
    snapshot::{self, Departure, FinishedRun, Subject},
};
use std::time::Duration;

/// A commit beside an offset, with what is finished beyond it.
fn committed(offset: i64, finished: &[FinishedRun]) -> Committed {
    let subject = Subject { group: "billing", topic: "orders", topic_id: None, partition: 0, offset };
    let text = snapshot::encode(Departure::LeftWell, offset, finished.iter().copied(), &subject, snapshot::LIMIT).text;
    Committed { offset, leader_epoch: 0, metadata: text.into_bytes() }
}

fn run(from: i64, to: i64) -> FinishedRun {
    FinishedRun { from, to, leader_epoch: 0 }
}

#[test]
fn what_the_commit_says_is_finished_is_not_done_again() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "orders", 0..9, Some(committed(2, &[run(3, 5), run(7, 8)])), true);
    desk.accept_all();
    assert_eq!(desk.take_others(), [Action::Start { slot: slot(0), offset: 2 }]);
    desk.arrive(0, 2..9);
    let works = desk.take_work();
    assert_eq!(Desk::offsets(&works), [2, 5, 6, 8]);
    for work in works {
        desk.finish(work, Outcome::Done);
    }
    let (_, entries) = desk.next_commit();
    assert_eq!(entries[0].offset, 9);
}

#[test]
fn of_a_partition_that_was_never_read_no_leader_epoch_is_known() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "orders", 5..9, None, false);
    let (_, entries) = desk.next_commit();
    assert_eq!((entries[0].offset, entries[0].leader_epoch), (5, -1));
}

#[test]
fn what_retention_took_is_told_and_the_map_counts_from_there_on() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "orders", 4..9, Some(committed(2, &[run(3, 4), run(4, 6), run(7, 8)])), true);
    desk.accept_all();
    let gone = Action::Notice(Notice::RecordsGone { slot: slot(0), from: 2, to: 4 });
    assert_eq!(desk.take_others(), [gone, Action::Start { slot: slot(0), offset: 4 }]);
    desk.arrive(0, 4..9);
    assert_eq!(Desk::offsets(&desk.take_work()), [6, 8]);
}

#[test]
fn of_a_log_that_was_cut_all_runs_again_and_the_map_counts_nothing() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "orders", 0..3, Some(committed(5, &[run(6, 8)])), true);
    desk.accept_all();
    let cut = Action::Notice(Notice::LogCut { slot: slot(0), committed: 5, end: 3, lost: 0 });
    assert_eq!(desk.take_others(), [cut, Action::Start { slot: slot(0), offset: 0 }]);
    desk.arrive(0, 0..9);
    assert_eq!(desk.take_work().len(), 9);
}

#[test]
fn metadata_that_is_not_ours_is_told_and_nothing_is_skipped() {
    let mut desk = Desk::new(settings());
    let foreign = Committed { metadata: b"somebody else's".to_vec(), ..committed(2, &[]) };
    desk.offer(0, "orders", 0..9, Some(foreign), true);
    let why = "metadata was not written by retrial".to_owned();
    assert_eq!(desk.take_notices(), [Notice::MetadataIgnored { slot: slot(0), why }]);
    desk.accept_all();
    desk.arrive(0, 2..9);
    assert_eq!(desk.take_work().len(), 7);
}

#[test]
fn a_commit_after_a_cut_knows_no_leader_epoch_and_other_partitions_go_on() {
    let mut desk = Desk::new(retrial_core::engine::EngineConfig { service_limit: 1, ..settings() });
    desk.own(0, "orders", 3);
    desk.own(1, "orders", 3);
    let work = desk.take_work().remove(0);
    desk.take_others();
    desk.handle(Event::OutOfRange(slot(0), LogRange { start: 0, end: 1 }));
    assert!(desk.take_others().contains(&Action::Start { slot: slot(0), offset: 0 }));
    desk.finish(work, Outcome::Done);
    let mut ran = Vec::new();
    while let Some(work) = desk.take_work().pop() {
        ran.push((work.ticket.slot, work.record.offset));
        desk.finish(work, Outcome::Done);
    }
    assert_eq!(ran, [0, 1, 2].map(|offset| (slot(1), offset)));
    let (_, entries) = desk.next_commit();
    let cut = entries.iter().find(|entry| entry.slot == slot(0)).unwrap();
    assert_eq!((cut.offset, cut.leader_epoch), (0, -1));
}

#[test]
fn a_record_of_a_tier_that_cannot_be_read_is_buried_with_the_place_where_it_was_found() {
    for lineage in [None, Some(Lineage::Unreadable(Reason::new("bad-header", "retrial-hop is not a number")))] {
        let kind = if lineage.is_some() { "bad-header" } else { "no-history" };
        let mut desk = Desk::new(settings());
        desk.own(0, "billing.retry.0s", 0);
        desk.arrive_with(0, 0, lineage);
        let forward = desk.take_forwards().remove(0);
        assert_eq!(forward.target, Target::DeadLetters);
        assert_eq!(
            (forward.history.cause, forward.history.error_kind.as_deref()),
            (Some(Cause::Undecodable), Some(kind))
        );
        assert_eq!(forward.history.origin, "billing.retry.0s/0/0".parse().unwrap());
        desk.answer(&forward, Ok(()));
        let buried = Notice::Buried { topic: TopicIndex(u16::MAX), cause: Cause::Undecodable, kind: kind.into() };
        assert_eq!(desk.take_notices(), [buried]);
    }
}

#[test]
fn only_dead_letters_are_told_as_buried_and_only_a_discarded_record_as_discarded() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 4);
    desk.take_others();
    let outcomes = [
        Outcome::retry("down"),
        Outcome::Snooze(Duration::from_secs(5)),
        Outcome::discard("stale"),
        Outcome::dead("no"),
    ];
    for (work, outcome) in desk.take_work().into_iter().zip(outcomes) {
        desk.finish(work, outcome);
    }
    for forward in desk.take_forwards() {
        desk.answer(&forward, Ok(()));
    }
    let topic = TopicIndex(0);
    let discarded = Notice::Discarded { topic, why: "stale".into() };
    let buried = Notice::Buried { topic, cause: Cause::Refused, kind: "refused".into() };
    assert_eq!(desk.take_notices(), [discarded, buried]);
}

/// A new leader's log ends where everything is finished, or below.
#[test]
fn a_commit_after_a_cut_says_the_epoch_of_what_is_left() {
    for (end, committed) in [(3, (3, 0)), (2, (2, -1))] {
        let mut desk = Desk::new(settings());
        desk.own(0, "orders", 5);
        for work in desk.take_work().drain(..3) {
            desk.finish(work, Outcome::Done);
        }
        desk.take_others();
        desk.handle(Event::Cut { slot: slot(0), position: 5, end, log: LogRange { start: 0, end } });
        let (_, entries) = desk.next_commit();
        assert_eq!((entries[0].offset, entries[0].leader_epoch), committed, "cut at {end}");
    }
}

#[test]
fn of_a_log_that_was_cut_nothing_is_abandoned_unless_something_runs() {
    for runs in [false, true] {
        let mut desk = Desk::new(settings());
        desk.own(0, "orders", 1);
        let work = desk.take_work().remove(0);
        if !runs {
            desk.finish(work, Outcome::Done);
        }
        desk.take_others();
        desk.handle(Event::OutOfRange(slot(0), LogRange { start: 0, end: 0 }));
        assert_eq!(desk.take_others().contains(&Action::Abandon(slot(0))), runs);
    }
}

#[test]
fn a_topic_made_anew_is_read_from_its_start_and_goes_on_only_if_it_was_held() {
    for held in [false, true] {
        let mut desk = Desk::new(settings());
        desk.offer(0, "orders", 0..5, (!held).then(|| committed(2, &[])), true);
        desk.accept_all();
        desk.take_others();
        let was = if held { 0 } else { 2 };
        desk.handle(Event::MadeAnew { slot: slot(0), topic_id: [7; 16], log: LogRange { start: 1, end: 4 } });
        let (anew, resumed) = (
            Notice::MadeAnew { slot: slot(0), was },
            Notice::Resumed { slot: slot(0), why: HoldReason::OffsetMissing },
        );
        let expected = if held { vec![anew, resumed] } else { vec![anew] };
        assert_eq!(desk.take_notices(), expected);
        let (_, entries) = desk.next_commit();
        assert_eq!((entries[0].offset, entries[0].leader_epoch), (1, -1));
    }
}
