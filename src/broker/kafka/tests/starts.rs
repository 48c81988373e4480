//! Holding, starting late, moving.

use super::{cluster::Cluster, member::Member};
use crate::broker::{
    Source, SourceEvent,
    kafka::{ffi, intake::After},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

#[test]
fn a_held_partition_waits_and_the_others_flow() {
    let cluster = Cluster::with_topic("orders", 3);
    (0..3).for_each(|partition| cluster.send_many("orders", partition, 500));
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.held.insert(1);
    member.until("1,000 records", |member| member.records.len() == 1000);
    cluster.send_many("orders", 0, 500);
    member.until("500 more", |member| member.records.len() == 1500);
    assert!(member.bodies(1).is_empty());
    member.held.clear();
    member.until("the held ones", |member| member.records.len() == 2000);
    assert_eq!(member.bodies(1), (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
    member.leave();
}

#[test]
fn a_partition_with_little_room_gives_no_more_than_that() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 50);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.held.insert(0);
    member.until("the offer", |member| !member.offers.is_empty());
    let mut given = 0;
    while given < 50 {
        let (mut events, mut room) = (Vec::new(), 7);
        member.source.poll(&mut |_| std::mem::take(&mut room), &mut events);
        for event in events {
            if let crate::broker::SourceEvent::Records(_, batch) = event {
                assert!(batch.len() <= 7);
                given += batch.len();
            }
        }
        member.source.wait(std::time::Duration::from_millis(20));
    }
    member.held.clear();
    member.leave();
}

#[test]
fn a_partition_that_is_not_started_does_not_hold_up_the_others() {
    let cluster = Cluster::with_topic("orders", 3);
    (0..3).for_each(|partition| cluster.send_many("orders", partition, 20));
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.unstarted.insert(2);
    member.until("40 records", |member| member.records.len() == 40);
    assert_eq!(member.offers.len(), 3);
    let slot = member.slot(2);
    member.start(slot, 15);
    member.until("the late ones", |member| member.records.len() == 45);
    assert_eq!(member.bodies(2), ["15", "16", "17", "18", "19"]);
    member.leave();
}

/// librdkafka answers from its cache that a partition has no leader, and does not look again before the next refresh.
#[test]
fn a_partition_without_a_leader_is_started_when_it_has_one() {
    let cluster = Cluster::with_topic("orders", 2);
    (0..2).for_each(|partition| cluster.send_many("orders", partition, 20));
    cluster.mock().partition_leader("orders", 1, None).expect("a leader less");
    // No refresh comes to its help before the test has lost its patience.
    let properties = cluster.new_protocol().set("topic.metadata.refresh.interval.ms", "600000");
    let mut member = Member::join(&properties, "orders");
    member.until("the failed look-up", |member| member.troubles.iter().any(|text| text.contains("Leader not avail")));
    cluster.mock().partition_leader("orders", 1, Some(1)).expect("a leader");
    member.until("all", |member| member.records.len() == 40);
    member.leave();
}

/// Without the identity, the map beside the commit would be refused, and what it says is finished would run again.
#[test]
fn a_partition_is_not_offered_without_the_identity_of_its_topic_where_nobody_could_be_asked() {
    let cluster = Cluster::with_topic("orders", 2);
    (0..2).for_each(|partition| cluster.send_many("orders", partition, 20));
    let looked = Arc::new(AtomicUsize::new(0));
    let looks = Arc::clone(&looked);
    let config = cluster.new_protocol().consumer("billing", 2, 8 << 20).expect("properties");
    let mut member = Member::with_identities(config, "orders", move |topics| match looks.fetch_add(1, Relaxed) {
        0 | 1 => Err("no broker answers".to_owned()),
        _ => Ok(topics.iter().map(|topic| ((*topic).to_owned(), [7; 16])).collect()),
    });
    member.until("all", |member| member.records.len() == 40);
    assert!(member.offers.values().all(|offer| offer.topic_id == Some([7; 16])), "{:?}", member.offers);
    assert!(member.troubles.iter().any(|text| text.contains("no broker answers")), "{:?}", member.troubles);
    // One question for all partitions of the assignment.
    assert_eq!(looked.load(Relaxed), 3);
    member.leave();
}

#[test]
fn a_running_partition_moves_back_and_forth() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 30);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("all", |member| member.records.len() == 30);
    let slot = member.slot(0);
    member.records.clear();
    member.start(slot, 10);
    member.until("20 again", |member| member.records.len() == 20);
    assert_eq!(member.bodies(0)[0], "10");
    member.records.clear();
    member.start(slot, 0);
    member.start(slot, 28);
    member.until("the last two", |member| member.records.len() == 2);
    assert_eq!(member.bodies(0), ["28", "29"]);
    member.leave();
}

#[test]
fn an_offset_beyond_the_log_is_told_and_not_reset_in_silence() {
    let cluster = Cluster::with_topic("orders", 2);
    cluster.send_many("orders", 0, 5);
    cluster.send_many("orders", 1, 5);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.unstarted.insert(0);
    member.until("the other partition", |member| member.records.len() == 5);
    let slot = member.slot(0);
    member.start(slot, 1000);
    member.until("the news", |member| !member.out_of_range.is_empty());
    let (told, range) = member.out_of_range[0];
    assert_eq!((told, range.start, range.end), (slot, 0, 5));
    // The other partition flows on, and this one waits for its start.
    cluster.send("orders", 1, "more");
    member.until("the other partition", |member| member.records.len() == 6);
    member.start(slot, 2);
    member.until("the rest", |member| member.records.len() == 9);
    assert_eq!(member.bodies(0), ["2", "3", "4"]);
    cluster.send("orders", 0, "after");
    member.until("what is sent later", |member| member.records.len() == 10);
    member.leave();
}

/// A member that holds partition 0 with 20 records fetched, the first of them in hand.
fn with_a_record_in_hand(cluster: &Cluster) -> Member {
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.held.insert(0);
    member.until("the offer", |member| !member.offers.is_empty());
    member.until("the prefetch", |member| {
        member.source.slots.iter().all(|held| held.queue.len() + held.in_hand.len() >= 20)
    });
    member.source.sift = true;
    member.turn();
    assert_eq!(member.source.slots.iter().map(|held| held.in_hand.len()).collect::<Vec<_>>(), [1]);
    member
}

#[test]
fn a_record_in_hand_comes_first() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 20);
    let mut member = with_a_record_in_hand(&cluster);
    member.source.sift = true;
    member.turn();
    assert!(member.records.is_empty());
    member.held.clear();
    member.until("all", |member| member.records.len() == 20);
    assert_eq!(member.bodies(0), (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    member.leave();
}

#[test]
fn an_error_behind_a_record_in_hand_loses_nothing() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 20);
    let mut member = with_a_record_in_hand(&cluster);
    let (slot, mut events) = (member.slot(0), Vec::new());
    let error = After::Error(ffi::code_for_tests(-199), "a batch could not be read".into());
    member.source.after_read(slot, error, Instant::now(), &mut events);
    assert!(
        matches!(&events[..], [SourceEvent::Trouble(text)] if text.contains("orders/0 stops at offset 0")),
        "{events:?}"
    );
    member.held.clear();
    member.until("all", |member| member.records.len() == 20);
    assert_eq!(member.bodies(0), (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    member.leave();
}

#[test]
fn a_trim_that_fails_is_told_once() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 20);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("all", |member| member.records.len() == 20);
    let slot = member.slot(0);
    // The mock cluster cannot delete records.
    member.source.trim(slot, 10);
    member.source.trim(slot, 15);
    member.until("the failure", |member| !member.troubles.is_empty());
    member.committed("");
    assert_eq!(member.troubles.iter().filter(|text| text.contains("cannot be deleted")).count(), 1, "{member:?}");
    member.leave();
}
