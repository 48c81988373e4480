//! Promise 9: a worker that was frozen for longer than its session commits, forwards and starts nothing of what it had.

use std::collections::BTreeSet;

use retrial_kafka_for_tests::{Kafka, available};
use rustix::process::Signal;

use crate::{
    accounts::{assert_none_missing, ids},
    commit_text::Said,
    journal::{Entry, What, now_micros},
    orders::TopicOrders,
    scene::Scene,
    task::{Task, Wait},
    wait::{tell, until},
};

const RECORDS: u64 = 200;
const AT_ONCE: usize = 10;

#[test]
fn a_zombie_commits_forwards_and_starts_nothing_of_what_it_had() {
    let scene = Scene::new(available!(Kafka::shared()), "zombie");
    let topic = scene.topic("source", 1);
    // Every attempt waits for its worker's gate; half of the first ones fail then, and would be forwarded.
    scene.kafka.produce(
        &topic,
        (0..RECORDS).map(|id| Task::new(id).waits(Wait::Gate).fails_below(if id % 2 == 0 { 2 } else { 0 }).record()),
    );
    let orders = scene.orders().topic(TopicOrders::new(&topic).without_timeout().concurrency(AT_ONCE).delays([1]));
    let mut zombie = scene.hire("zombie", &orders);
    zombie.wait_for(AT_ONCE, What::Began);
    zombie.signal(Signal::STOP);
    let fences: BTreeSet<u64> = zombie.entries().iter().map(|entry| entry.fence).collect();

    let mut successor = scene.hire("successor", &orders);
    successor.wait_for(AT_ONCE, What::Began);
    let newer = |entry: &Entry| fences.iter().all(|&fence| fence < entry.fence);
    assert!(successor.entries().iter().all(newer), "the successor's fence is not above the zombie's");
    zombie.open_gate();
    let woken = now_micros();
    zombie.signal(Signal::CONT);
    until("its late attempts have ended, or were given up", || {
        zombie.count(What::Finished) + zombie.count(What::Failed) >= AT_ONCE || zombie.has_said("lost=true")
    });
    let late = zombie.count(What::Finished) + zombie.count(What::Failed);
    // Whoever holds the partition from now on, nothing of it can end: what is committed or forwarded is the zombie's.
    zombie.close_gate();
    zombie.wait_to_say("lost=true");
    let assigned = zombie.assignments();
    until("the zombie is a member again", || zombie.assignments() > assigned);
    let said = Said::read(&scene.kafka.committed(&scene.group, &topic)[0]);
    assert!((0..RECORDS as i64).all(|offset| !said.covers(offset)), "a late result was committed: {said:?}");
    assert_eq!(scene.kafka.count(&scene.tier(1)), 0, "a late result was forwarded");

    zombie.open_gate();
    successor.open_gate();
    until("every record is finished", || {
        let all = [zombie.entries(), successor.entries()].concat();
        ids(&all, What::Finished).len() >= RECORDS as usize
    });
    let started = |entry: &&Entry| entry.what == What::Began && entry.at > woken && fences.contains(&entry.fence);
    let started = zombie.entries().iter().filter(started).count();
    assert_eq!(started, 0, "the zombie started what it had lost");
    let first: BTreeSet<u64> = (0..AT_ONCE as u64).collect();
    assert!(ids(successor.entries(), What::Began).is_superset(&first), "the successor left out what the zombie held");
    zombie.stop();
    successor.stop();
    assert_none_missing(0..RECORDS, &[zombie.entries(), successor.entries()].concat());
    tell(&format!(
        "promise 9: zombie woke with {late} late results: 0 committed, 0 forwarded, 0 started by it, 0 missing"
    ));
}
