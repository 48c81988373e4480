//! How much at most: forwards on their way, forwards that are remembered, and how long one goes unanswered.

use crate::desk::{Desk, history, settings, slot};
use retrial_core::{
    engine::EngineConfig,
    event::{Event, Finished, HoldReason, Notice},
    outcome::Outcome,
};
use std::time::Duration;

/// How long a forward may go unanswered before its partition is held.
const UNANSWERED: Duration = Duration::from_secs(15);

/// Forwards that a quarter of 64 MiB has room for, 1,536 bytes each.
const MOST_FORWARDS: usize = 10_922;

#[test]
fn nothing_starts_while_as_many_forwards_are_on_their_way_as_memory_has_room_for() {
    let mut settings = EngineConfig { memory: 64 << 20, service_limit: 20_000, ..settings() };
    settings.topics[0].concurrency = 20_000;
    let mut desk = Desk::new(settings);
    desk.own(0, "orders", MOST_FORWARDS as i64);
    let mut works = desk.take_work();
    assert_eq!(works.len(), MOST_FORWARDS);
    let last = works.pop().unwrap();
    let failed = works.into_iter().map(|work| Finished::Other(Box::new((work, Outcome::retry("down"))))).collect();
    desk.handle(Event::Finished(failed));
    assert_eq!(desk.take_forwards().len(), MOST_FORWARDS - 1);
    let next = MOST_FORWARDS as i64;
    desk.arrive(0, next..next + 1);
    assert_eq!(Desk::offsets(&desk.take_work()), [next], "one more may fail");
    desk.finish(last, Outcome::retry("down"));
    let forward = desk.take_forwards().remove(0);
    desk.arrive(0, next + 1..next + 2);
    assert_eq!(Desk::offsets(&desk.take_work()), [0i64; 0]);
    desk.answer(&forward, Ok(()));
    assert_eq!(Desk::offsets(&desk.take_work()), [next + 1]);
}

#[test]
fn a_partition_is_held_once_as_soon_as_its_forward_is_unanswered_for_fifteen_seconds() {
    let mut desk = Desk::new(settings());
    desk.own(0, "orders", 1);
    desk.own(1, "orders", 1);
    let mut forwards = Vec::new();
    for work in desk.take_work() {
        desk.finish(work, Outcome::retry("down"));
        forwards.append(&mut desk.take_forwards());
        desk.pass(Duration::from_secs(1));
    }
    let held = |desk: &mut Desk| -> Vec<_> {
        let held = |notice| if let Notice::Held { slot, .. } = notice { Some(slot) } else { None };
        desk.take_notices().into_iter().filter_map(held).collect()
    };
    let first = forwards[0].slot;
    let second = forwards[1].slot;
    desk.pass(UNANSWERED - Duration::from_millis(2_001));
    assert_eq!(held(&mut desk), []);
    desk.pass(Duration::from_millis(1));
    assert_eq!(held(&mut desk), [first]);
    desk.pass(Duration::from_millis(999));
    assert_eq!(held(&mut desk), []);
    desk.pass(Duration::from_millis(1));
    assert_eq!(held(&mut desk), [second], "the first is held already");
    for (forward, slot) in forwards.iter().zip([first, second]) {
        desk.answer(forward, Ok(()));
        assert!(desk.take_notices().contains(&Notice::Resumed { slot, why: HoldReason::ForwardRefused }));
    }
}

/// Seven partitions of tiers share the eighth of the memory that is for that, and none has less than a thousand.
#[test]
fn of_each_tier_so_many_forwards_are_remembered_as_its_share_of_the_memory_holds() {
    for (partitions, remembered) in [(1, true), (7, false)] {
        let mut desk = Desk::new(settings());
        for index in 0..partitions {
            desk.own(index, "billing.retry.0s", 0);
        }
        for offset in 0..1_001 {
            desk.arrive_in_tier(0, offset, history(offset));
        }
        desk.take_notices();
        desk.arrive_in_tier(0, 1_001, history(0));
        let repeated = desk.take_notices().contains(&Notice::Repeated { slot: slot(0), count: 1 });
        assert_eq!(repeated, remembered, "{partitions} partitions");
    }
}
