//! Promise 8: the count of attempts follows the record through tiers and restarts.

use std::collections::{BTreeMap, BTreeSet};

use retrial_kafka_for_tests::{Kafka, available};

use crate::{
    accounts::{assert_none_missing, ended_and_made_again, ids},
    journal::{Entry, What},
    orders::TopicOrders,
    scene::Scene,
    task::Task,
    wait::{tell, until},
};

const RECORDS: u64 = 100;

#[test]
fn after_a_kill_a_record_goes_on_with_the_attempt_that_is_next() {
    let scene = Scene::new(available!(Kafka::shared()), "next");
    let topic = scene.topic("source", 3);
    let orders = scene.orders().tiers([1, 10]).topic(TopicOrders::new(&topic).delays([1, 10, 1]));
    let mut first = scene.hire("first", &orders);
    scene.kafka.produce(&topic, (0..RECORDS).map(|id| Task::new(id).fails_below(4).record()));
    first.wait_for(2 * RECORDS as usize, What::Failed);
    until("what has left the first tier is committed", || is_committed(&scene, &scene.tier(1)));
    first.kill();

    let mut second = scene.hire("second", &orders);
    second.wait_for(RECORDS as usize, What::Finished);
    second.stop();
    let mut attempts = BTreeMap::<u32, usize>::new();
    for entry in second.entries().iter().filter(|entry| entry.what == What::Began) {
        *attempts.entry(entry.attempt).or_default() += 1;
    }
    assert_eq!(attempts, [(3, RECORDS as usize), (4, RECORDS as usize)].into(), "attempts of the second worker");
    assert_none_missing(0..RECORDS, second.entries());
    tell(&format!("promise 8: {RECORDS} records went on with attempt 3 after kill -9, 0 missing"));
}

#[test]
fn killed_in_the_middle_of_retries_no_record_forgets_an_attempt_that_a_tier_has_seen() {
    let scene = Scene::new(available!(Kafka::shared()), "middle");
    let topic = scene.topic("source", 3);
    let orders = scene.orders().tiers([1, 2]).topic(TopicOrders::new(&topic).delays([1, 2, 1]));
    let mut workers = vec![scene.hire("worker-0", &orders)];
    scene
        .kafka
        .produce(&topic, (0..RECORDS).map(|id| Task::new(id).millis(100 + id * 17 % 400).fails_below(4).record()));
    workers[0].wait_for(RECORDS as usize, What::Failed);
    until("the first attempts are committed", || is_committed(&scene, &topic));
    let mut kills = Vec::new();
    // In the middle of the second attempts, and of the third.
    for (round, attempt) in [(1, 2), (2, 3)] {
        let worker = workers.last_mut().expect("one runs");
        until("a quarter of an attempt's round is over", || {
            let failed = worker.entries().iter().filter(|entry| entry.what == What::Failed);
            failed.filter(|entry| entry.attempt == attempt).count() >= RECORDS as usize / 4
        });
        kills.push(worker.kill());
        workers.push(scene.hire(&format!("worker-{round}"), &orders));
    }
    until("every record is finished", || {
        let all: Vec<Entry> = workers.iter_mut().flat_map(|worker| worker.entries().to_vec()).collect();
        ids(&all, What::Finished).len() >= RECORDS as usize
    });
    workers.last_mut().expect("one runs").stop();

    let parts: Vec<Vec<Entry>> = workers.iter_mut().map(|worker| worker.entries().to_vec()).collect();
    let all = parts.concat();
    // A forward that was acknowledged and not committed when its worker was killed is written a second time. The owner
    // of the tier knows a copy by the one it has seen, but not across its own death: so from there on two copies
    // may climb, each with its own count.
    let mut doubled = BTreeSet::new();
    for killed in 0..2 {
        let (part, at, later) = (&parts[killed], kills[killed], parts[killed + 1..].concat());
        let again = ended_and_made_again(part, at, &later, &doubled);
        let reached = highest_ended(part, at);
        for entry in later.iter().filter(|entry| entry.what == What::Began && !doubled.contains(&entry.id)) {
            let before = reached.get(&entry.id).copied().unwrap_or(0);
            assert!(
                entry.attempt > before,
                "{} had ended attempt {before} and went on with {}",
                entry.id,
                entry.attempt
            );
        }
        assert!(later.iter().all(|entry| entry.attempt > 1), "a record that had been in a tier began anew");
        doubled.extend(again.into_keys());
    }
    let made: BTreeSet<(u64, u32)> =
        all.iter().filter(|entry| entry.what != What::Began).map(|entry| (entry.id, entry.attempt)).collect();
    assert_eq!(made, (0..RECORDS).flat_map(|id| (1..=4).map(move |attempt| (id, attempt))).collect());
    let finished = all.iter().filter(|entry| entry.what == What::Finished);
    assert!(finished.clone().all(|entry| entry.attempt == 4), "finished at another attempt than the fourth");
    tell(&format!(
        "promise 8: two kills amid retries of {RECORDS} records: no attempt forgotten, {} of them forwarded twice",
        doubled.len()
    ));
}

/// Whether all records of a topic are finished there and committed.
fn is_committed(scene: &Scene, topic: &str) -> bool {
    let end: i64 = scene.kafka.offsets(topic).values().map(|(_, end)| end).sum();
    let committed: i64 = scene.kafka.committed(&scene.group, topic).iter().map(|commit| commit.offset).sum();
    end >= RECORDS as i64 && committed == end
}

/// The highest attempt of each record that had ended a while before a kill.
fn highest_ended(entries: &[Entry], killed: i64) -> BTreeMap<u64, u32> {
    let mut highest = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.what != What::Began && entry.at < killed - 2_000_000) {
        let reached = highest.entry(entry.id).or_default();
        *reached = entry.attempt.max(*reached);
    }
    highest
}
