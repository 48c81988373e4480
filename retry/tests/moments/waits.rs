//! What waits: for its time, for memory, for a slot, for a write that was refused.

use crate::desk::{Desk, SESSION, TIER, history, holding, settings, slot};
use retrial_core::{
    backoff::Backoff,
    engine::EngineConfig,
    event::{Event, Finished, ForwardError, LogRange, Notice, Target},
    outcome::{Outcome, Reason},
    time::Timestamp,
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The first numbers of SplitMix64 from the seed 1234567, as its reference implementation prints them.
const SPLIT_MIX: [u64; 5] = [
    6_457_827_717_110_365_317,
    3_203_168_211_198_807_973,
    9_817_491_932_198_370_423,
    4_593_380_528_125_082_431,
    16_408_922_859_458_223_821,
];

#[test]
fn the_pauses_between_tries_in_place_follow_the_published_random_numbers() {
    let bound = Duration::from_millis(1 << 40);
    let backoff = Backoff { min: bound, max: bound };
    let mut settings = EngineConfig { seed: 1_234_567, session_timeout: 4 * bound, ..settings() };
    (settings.topics[0].retry.in_place, settings.topics[0].retry.backoff) = (1, backoff);
    let mut desk = Desk::new(settings);
    desk.own(0, "orders", 5);
    for (work, random) in desk.take_work().into_iter().zip(SPLIT_MIX) {
        let began = desk.now;
        desk.finish(work, Outcome::retry("down"));
        let pause = began.after(backoff.delay(0, random)).since(began).as_millis() as i64;
        desk.wait(pause - 1);
        assert_eq!(Desk::offsets(&desk.take_work()), [0i64; 0]);
        desk.wait(1);
        let again = desk.take_work();
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].tries, 1);
    }
}

#[test]
fn what_rests_runs_at_its_time_and_what_rests_until_the_same_time_in_the_order_in_which_it_was_put_aside() {
    let mut desk = Desk::new(holding());
    desk.own(0, "orders", 6);
    let seconds = [5, 1, 3, 1, 1, 1];
    for (work, seconds) in desk.take_work().into_iter().zip(seconds) {
        desk.finish(work, Outcome::Snooze(Duration::from_secs(seconds)));
    }
    let began = desk.now;
    let mut ran = Vec::new();
    desk.wake_until(|desk| {
        let works = desk.take_work();
        ran.extend(works.iter().map(|work| (desk.now.since(began).as_secs(), work.record.offset)));
        ran.len() == seconds.len()
    });
    assert_eq!(ran, [(1, 1), (1, 3), (1, 4), (1, 5), (3, 2), (5, 0)]);
}

#[test]
fn fresh_records_fill_four_fifths_of_the_memory_and_retries_all_of_it() {
    let mut desk = Desk::new(EngineConfig { memory: 1_000, ..settings() });
    desk.own(0, "orders", 0);
    desk.own(1, "billing.retry.5s", 0);
    for (held, fresh, retries) in
        [(0, true, true), (799, true, true), (800, false, true), (999, false, true), (1_000, false, false)]
    {
        desk.engine.set_memory_held(held);
        assert_eq!((desk.engine.room(slot(0)) > 0, desk.engine.room(slot(1)) > 0), (fresh, retries), "{held} bytes");
    }
}

#[test]
fn a_tier_is_not_read_while_its_head_waits() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 0);
    desk.own(1, "billing.retry.5s", 0);
    assert!(desk.engine.room(slot(0)) > 100 && desk.engine.room(slot(1)) > 100);
    desk.arrive_in_tier(1, 0, history(7));
    assert_eq!(desk.engine.room(slot(1)), 0, "the head waits for its gate");
    assert_eq!(desk.engine.room(slot(2)), 0, "nobody has this partition");
}

#[test]
fn no_more_fresh_records_are_taken_in_than_the_ready_queue_holds() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 100 + 4096 - 3);
    assert_eq!((desk.take_work().len(), desk.engine.room(slot(0))), (100, 3));
}

#[test]
fn a_gate_opens_by_the_brokers_clock_as_a_write_that_was_no_forward_showed_it() {
    let ahead = 3_600_000;
    let mut desk = Desk::new(settings());
    desk.own(0, "billing.retry.5s", 0);
    let broker = |local: Timestamp| local.shifted(ahead);
    desk.engine.observe_clock(desk.now, desk.now, broker(desk.now));
    assert_eq!(desk.engine.broker_now(desk.now), broker(desk.now).shifted(-1));
    // The world's clock stamps records with ours: to the broker, it was an hour ago.
    desk.arrive_in_tier(0, 0, history(7));
    desk.wait(0);
    assert_eq!(desk.take_work().len(), 1, "by the broker's clock its time came an hour ago");
}

#[test]
fn a_gate_opens_to_the_millisecond_and_the_engine_asks_to_be_called_then() {
    let mut desk = Desk::new(settings());
    desk.own(0, "billing.retry.5s", 0);
    desk.engine.observe_clock(desk.now, desk.now, desk.now);
    desk.arrive_in_tier(0, 0, history(7));
    // A clock is known to a millisecond.
    let opens = desk.now.after(TIER).shifted(1);
    desk.wake_until(|desk| !desk.out.work.is_empty());
    assert_eq!((desk.now, desk.take_work().len()), (opens, 1));
    let late = Duration::ZERO;
    assert!(desk.take_notices().contains(&Notice::Lateness { tier: TIER, late }));
}

#[test]
fn the_way_back_has_no_gate_and_is_not_late() {
    let mut desk = Desk::new(settings());
    desk.own(0, "billing.retry.0s", 0);
    desk.arrive_in_tier(0, 0, history(7));
    assert_eq!(desk.take_work().len(), 1);
    assert_eq!(desk.take_notices(), []);
}

#[test]
fn a_refused_write_is_sent_again_after_pauses_that_double_up_to_half_a_minute() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Dead(retrial_core::outcome::Cause::Refused, Reason::new("test", "no")));
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        let forward = desk.take_forwards().remove(0);
        assert_eq!(forward.target, Target::DeadLetters);
        let refused = desk.now;
        desk.answer(&forward, Err(ForwardError::Refused("no leader".into())));
        desk.wake_until(|desk| !desk.out.forwards.is_empty());
        assert_eq!(desk.now.since(refused), Duration::from_secs(seconds));
    }
}

#[test]
fn without_a_lease_a_refused_write_waits_and_nobody_is_called_for_it() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    // Sent for the lease, and not answered.
    desk.next_commit();
    let unanswered = desk.now;
    desk.wait(SESSION.as_millis() as i64 * 19 / 20 - SESSION.as_millis() as i64 / 3);
    desk.finish(work, Outcome::retry("down"));
    let forward = desk.take_forwards().remove(0);
    desk.answer(&forward, Err(ForwardError::Refused("no leader".into())));
    desk.wake_until(|desk| desk.take_notices().contains(&Notice::LeaseExpired));
    // Whether the write is with the sink for long is looked at once; the commit's answer is awaited for half a minute.
    desk.wake();
    assert!(desk.now.since(unanswered) < Duration::from_secs(30));
    desk.wake();
    assert_eq!(desk.now.since(unanswered), Duration::from_secs(30));
    assert_eq!(desk.take_forwards().len(), 0);
    let (id, _) = desk.next_commit();
    desk.accept(id);
    assert_eq!(desk.take_forwards().len(), 1);
}

/// A process that stood still hears first of what ended meanwhile, and only then looks at the clock.
#[test]
fn what_is_told_to_a_process_that_stood_still_is_not_forwarded_before_it_has_a_lease_again() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.now = desk.now.after(SESSION);
    let failed = Event::Finished(vec![Finished::Other(Box::new((work, Outcome::retry("down"))))]);
    desk.engine.handle(desk.now, failed, &mut desk.out);
    assert_eq!(desk.take_forwards().len(), 0);
    let mut forwards = 0;
    desk.wake_until(|desk| {
        forwards += desk.take_forwards().len();
        forwards > 0
    });
    assert_eq!(forwards, 1);
}

#[test]
fn a_partition_that_two_writes_block_goes_on_when_both_have_gone_through() {
    let mut desk = Desk::new(EngineConfig { service_limit: 2, ..settings() });
    desk.own(0, "orders", 4);
    for work in desk.take_work() {
        desk.finish(work, Outcome::Snooze(DAY));
    }
    let forwards = desk.take_forwards();
    assert_eq!(forwards.len(), 4 - desk.take_work().len());
    for forward in &forwards {
        desk.answer(forward, Err(ForwardError::Refused("no leader".into())));
    }
    desk.take_work();
    desk.pass(Duration::from_millis(1_100));
    let held =
        |desk: &mut Desk| desk.take_notices().iter().filter(|notice| matches!(notice, Notice::Held { .. })).count();
    assert_eq!(held(&mut desk), 1, "told once for both");
    let again = desk.take_forwards();
    assert_eq!(again.len(), forwards.len());
    for (index, forward) in again.iter().enumerate() {
        assert_eq!(desk.engine.room(slot(0)), 0);
        desk.answer(forward, Ok(()));
        let resumed = desk.take_notices().iter().any(|notice| matches!(notice, Notice::Resumed { .. }));
        assert_eq!(resumed, index + 1 == again.len());
    }
    assert!(desk.engine.room(slot(0)) > 0);
}

/// They would run beside the copies of theirs that are read again.
#[test]
fn what_rests_of_a_log_that_was_cut_runs_no_more_and_what_runs_of_it_is_not_forwarded() {
    let mut desk = Desk::new(holding());
    desk.own(0, "orders", 3);
    // They have a past by then.
    for work in desk.take_work() {
        desk.finish(work, Outcome::Snooze(Duration::from_secs(1)));
    }
    desk.pass(Duration::from_secs(1));
    let mut works = desk.take_work();
    desk.finish(works.remove(0), Outcome::Snooze(Duration::from_secs(1)));
    desk.handle(Event::OutOfRange(slot(0), LogRange { start: 0, end: 1 }));
    assert_eq!(desk.held(), 2, "what runs, and nothing else");
    desk.finish(works.remove(0), Outcome::dead("no"));
    desk.handle(Event::Finished(vec![Finished::Unstarted(Box::new(works.remove(0)))]));
    assert_eq!(desk.held(), 0);
    assert_eq!(desk.take_forwards().len(), 0);
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.take_work().len(), 0);
    desk.arrive(0, 0..1);
    assert_eq!(Desk::offsets(&desk.take_work()), [0]);
}
