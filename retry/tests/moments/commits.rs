//! When offsets are committed, what the answers mean, and how long the lease lasts.

use crate::desk::{Desk, SESSION, settings, slot};
use retrial_core::{
    engine::{CommitConfig, EngineConfig},
    event::{Action, CommitResult, Event, HoldReason, Notice},
    id::CommitId,
    outcome::Outcome,
    snapshot::{self, Subject},
    time::Timestamp,
};
use std::time::Duration;

fn desk(commit: CommitConfig) -> Desk {
    let mut desk = Desk::new(EngineConfig { commit, ..settings() });
    desk.own(0, "orders", 50);
    desk.take_others();
    desk
}

/// How far apart commits are when so many records end at once after each of them, and the answers take so long.
fn interval(commit: CommitConfig, finished: usize, round_trip: i64) -> i64 {
    let mut desk = desk(commit);
    let mut works = desk.take_work().into_iter();
    let (mut sent, mut apart) = (desk.now, 0);
    // The usual answer is the median of the last five.
    for _ in 0..7 {
        for work in works.by_ref().take(finished) {
            desk.finish(work, Outcome::Done);
        }
        let (id, _) = desk.next_commit();
        apart = desk.now.as_millis() - sent.as_millis();
        sent = desk.now;
        desk.wait(round_trip);
        desk.accept(id);
    }
    apart
}

#[test]
fn a_commit_goes_an_interval_after_the_last_one_or_at_the_floor_when_much_was_finished() {
    let commit = CommitConfig { interval: Duration::from_millis(300), early: 5, ..CommitConfig::default() };
    assert_eq!(interval(commit, 1, 0), 300);
    assert_eq!(interval(commit, 4, 0), 300);
    assert_eq!(interval(commit, 5, 0), 20);
    assert_eq!(interval(commit, 5, 50), 200);
}

#[test]
fn metadata_is_spread_by_its_bytes_each_second() {
    let mut desk = desk(CommitConfig { metadata_per_second: 10, early: 1, ..CommitConfig::default() });
    let mut works = desk.take_work().into_iter();
    desk.finish(works.next().unwrap(), Outcome::Done);
    desk.wake();
    let (id, entries) = desk.take_commit().unwrap();
    let (sent, bytes) = (desk.now, entries[0].metadata.len() as i64);
    desk.accept(id);
    desk.finish(works.next().unwrap(), Outcome::Done);
    desk.wake();
    assert!(desk.take_commit().is_some());
    assert_eq!(desk.now.as_millis() - sent.as_millis(), bytes * 100);
}

#[test]
fn the_answer_to_a_commit_that_was_given_up_means_nothing() {
    let mut desk = desk(CommitConfig::default());
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Done);
    desk.wake();
    let (first, _) = desk.take_commit().unwrap();
    // Half a minute without an answer is none: another one goes.
    let (second, _) = desk.next_commit();
    assert_ne!(first, second);
    desk.accept(first);
    assert_eq!(desk.engine.room(slot(0)), 0, "an old answer renewed the lease");
    desk.accept(second);
    assert!(desk.engine.room(slot(0)) > 0);
}

#[test]
fn a_partition_whose_part_was_refused_is_sent_again_and_no_other() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 3);
    desk.own(1, "orders", 3);
    for work in desk.take_work() {
        desk.finish(work, Outcome::Done);
    }
    let (id, entries) = desk.next_commit();
    assert_eq!(entries.len(), 2);
    let refused = vec![(slot(1), "not coordinator".to_owned())];
    desk.handle(Event::Committed(id, CommitResult::Accepted { refused }));
    let told = Notice::CommitFailed("not coordinator".into());
    assert_eq!(desk.take_notices(), [told]);
    desk.wake();
    let (_, entries) = desk.take_commit().unwrap();
    assert_eq!(entries.iter().map(|entry| (entry.slot, entry.offset)).collect::<Vec<_>>(), [(slot(1), 3)]);
}

#[test]
fn the_lease_ends_a_session_after_the_accepted_commit_was_sent_and_is_told_once() {
    let mut desk = desk(CommitConfig::default());
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Done);
    desk.wake();
    let (id, _) = desk.take_commit().unwrap();
    let sent = desk.now;
    desk.wait(1_000);
    desk.accept(id);
    assert_eq!(desk.take_notices(), [], "no end was told, so no renewal is");
    let (unanswered, _) = desk.next_commit();
    desk.wait(sent.after(SESSION).since(desk.now).as_millis() as i64 - 1);
    assert!(desk.engine.room(slot(0)) > 0);
    assert_eq!(desk.take_notices(), []);
    desk.wait(1);
    assert_eq!(desk.engine.room(slot(0)), 0);
    assert_eq!(desk.take_notices(), [Notice::LeaseExpired]);
    desk.wait(1);
    assert_eq!(desk.take_notices(), []);
    desk.accept(unanswered);
    assert_eq!(desk.take_notices(), [Notice::LeaseRenewed]);
    assert!(desk.engine.room(slot(0)) > 0);
}

#[test]
fn an_answer_that_takes_a_whole_session_renews_nothing() {
    for (late, room) in [(-1, true), (0, false)] {
        let mut desk = Desk::new(settings());
        desk.offer(0, "orders", 0..9, None, false);
        let (id, _) = desk.take_commit().unwrap();
        desk.wait(SESSION.as_millis() as i64 + late);
        desk.accept(id);
        assert_eq!(desk.engine.room(slot(0)) > 0, room);
    }
}

#[test]
fn a_lease_that_has_ended_is_told_as_renewed_only_by_an_answer_within_a_session() {
    for (late, renewed) in [(-1, true), (0, false)] {
        let mut desk = desk(CommitConfig::default());
        let (id, _) = desk.next_commit();
        let sent = desk.now;
        desk.wait((SESSION.as_millis() as i64 + late) - desk.now.since(sent).as_millis() as i64);
        assert!(desk.take_notices().contains(&Notice::LeaseExpired));
        desk.accept(id);
        assert_eq!(desk.take_notices().contains(&Notice::LeaseRenewed), renewed, "{late} ms");
    }
}

#[test]
fn without_a_partition_the_end_of_the_lease_is_not_told() {
    let mut desk = desk(CommitConfig::default());
    desk.take_work();
    desk.handle(Event::Revoking { slots: vec![slot(0)], lost: true });
    desk.take_others();
    desk.wait(60_000);
    assert_eq!(desk.take_notices(), []);
}

/// Else nobody would know, after a crash, which records were running (RULES 8).
#[test]
fn what_runs_is_shown_as_started_also_when_a_later_record_has_ended() {
    let mut desk = Desk::new(EngineConfig { service_limit: 3, ..settings() });
    desk.own(0, "orders", 5);
    let mut works = desk.take_work();
    assert_eq!(works.len(), 3);
    let shown = |desk: &mut Desk| {
        let (id, entries) = desk.next_commit();
        desk.accept(id);
        let subject =
            Subject { group: "billing", topic: "orders", topic_id: None, partition: 0, offset: entries[0].offset };
        snapshot::decode(entries[0].metadata.as_bytes(), &subject).unwrap().unwrap().started_below
    };
    assert_eq!(shown(&mut desk), 3);
    for below in [4, 5, 5] {
        // The slot that becomes free is taken by the next one.
        desk.finish(works.pop().unwrap(), Outcome::Done);
        works.extend(desk.take_work());
        assert_eq!(shown(&mut desk), below);
    }
    assert_eq!(Desk::offsets(&works), [0, 1]);
}

#[test]
fn a_partition_that_waits_for_an_operator_is_never_committed() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "orders", 0..9, None, true);
    assert!(matches!(desk.take_notices()[..], [Notice::Held { why: HoldReason::OffsetMissing, .. }]));
    desk.own(1, "orders", 1);
    for _ in 0..20 {
        desk.wake();
        if let Some((id, entries)) = desk.take_commit() {
            assert!(entries.iter().all(|entry| entry.slot == slot(1)), "{entries:?}");
            desk.accept(id);
        }
    }
}

#[test]
fn full_metadata_is_told_when_it_begins_and_when_it_ends() {
    let commit = CommitConfig { metadata_limit: 64, ..CommitConfig::default() };
    let mut desk = Desk::new(EngineConfig { commit, ..settings() });
    desk.own(0, "orders", 0);
    desk.take_others();
    let (mut next, mut works) = (0, Vec::new());
    while desk.engine.room(slot(0)) > 0 && next < 2_000 {
        desk.arrive(0, next..next + 1);
        next += 1;
        works.extend(desk.take_work());
        if next % 3 == 0 {
            desk.finish(works.pop().unwrap(), Outcome::Done);
        }
        desk.accept_all();
    }
    assert!(next < 2_000, "64 bytes hold so many");
    desk.pass(Duration::from_secs(3));
    let held: Vec<Notice> = desk.take_notices();
    assert!(matches!(held[..], [Notice::Held { why: HoldReason::MetadataFull, .. }]), "{held:?}");
    for work in works {
        desk.finish(work, Outcome::Done);
    }
    desk.pass(Duration::from_secs(3));
    assert_eq!(desk.take_notices(), [Notice::Resumed { slot: slot(0), why: HoldReason::MetadataFull }]);
}

#[test]
fn a_tier_is_trimmed_when_ten_thousand_are_finished_since_its_start_or_a_minute_is_over() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "billing.retry.0s", 50_000..50_000, None, false);
    desk.accept_all();
    desk.take_others();
    for (offset, trimmed) in [(50_000, false), (59_998, false), (59_999, true)] {
        desk.arrive_in_tier(0, offset, crate::desk::history(offset));
        for work in desk.take_work() {
            desk.finish(work, Outcome::Done);
        }
        desk.pass(Duration::from_secs(2));
        let trims = desk.take_others().contains(&Action::Trim(slot(0), 60_000));
        assert_eq!(trims, trimmed, "{offset}");
    }
    desk.arrive_in_tier(0, 60_000, crate::desk::history(60_000));
    for work in desk.take_work() {
        desk.finish(work, Outcome::Done);
    }
    desk.pass(Duration::from_secs(50));
    assert!(!desk.take_others().iter().any(|action| matches!(action, Action::Trim(..))));
    desk.pass(Duration::from_secs(12));
    assert!(desk.take_others().contains(&Action::Trim(slot(0), 60_001)));
}

#[test]
fn an_answer_to_no_commit_changes_nothing() {
    let mut desk = Desk::new(settings());
    desk.offer(0, "orders", 0..9, None, false);
    let (CommitId(id), _) = desk.take_commit().unwrap();
    desk.accept(CommitId(id + 1));
    desk.accept(CommitId(id.wrapping_sub(1)));
    assert_eq!(desk.engine.room(slot(0)), 0);
    assert_eq!(desk.engine.broker_now(Timestamp::from_millis(5)), Timestamp::from_millis(5));
}
