//! Promise 4: by the broker's clock a retry runs no sooner than its due time; how late it runs is measured.
//!
//! The broker runs on this machine, so its clock is the one of the journals.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use retrial_kafka_for_tests::{Kafka, available};

use crate::{
    accounts::{assert_none_missing, repeats},
    journal::{Entry, What, now_micros},
    load::under_load,
    orders::TopicOrders,
    scene::Scene,
    task::Task,
    wait::{percentiles, tell, until},
};

#[test]
fn a_record_that_climbs_every_tier_runs_never_early_and_late_by_little() {
    let scene = Scene::new(available!(Kafka::shared()), "climb");
    let topic = scene.topic("source", 6);
    let orders = scene.orders().tiers([1, 2, 4]).topic(TopicOrders::new(&topic).delays([1, 2, 4]));
    let mut worker = scene.hire("worker", &orders);
    worker.wait_for_partitions();
    let record = |id: u64| Task::new(id).fails().record();
    let ((), produced) = under_load(scene.kafka, &topic, 10, Duration::from_millis(100), record, |produced| {
        until("400 records", || produced.load(Ordering::Acquire) >= 400);
    });
    worker.wait_for(4 * produced as usize, What::Failed);
    until("all are buried", || scene.kafka.count(&scene.dead_letters()) >= produced as usize);
    worker.stop();

    assert_eq!(worker.count(What::Began), 4 * produced as usize, "each record has four attempts");
    for (tier, mut late) in lateness(&scene, worker.entries()) {
        tell(&format!(
            "promise 4: tier of {tier} s: {} retries, 0 early, late by {}",
            late.len(),
            percentiles(&mut late)
        ));
    }
}

#[test]
fn nothing_runs_early_after_a_restart_before_or_past_the_due_time() {
    let scene = Scene::new(available!(Kafka::shared()), "down");
    let (short, long) = (scene.topic("short", 3), scene.topic("long", 3));
    let orders = scene
        .orders()
        .tiers([1, 12])
        .topic(TopicOrders::new(&short).delays([1]))
        .topic(TopicOrders::new(&long).delays([12]));
    let mut first = scene.hire("first", &orders);
    first.wait_for_partitions();
    scene.kafka.produce(&short, (0..100).map(|id| Task::new(id).fails_below(2).record()));
    scene.kafka.produce(&long, (100..200).map(|id| Task::new(id).fails_below(2).record()));
    until("all are in their tiers", || {
        scene.kafka.count(&scene.tier(1)) >= 100 && scene.kafka.count(&scene.tier(12)) >= 100
    });
    first.kill();
    let last = scene.kafka.read(&scene.tier(1)).iter().filter_map(|record| record.timestamp).max().expect("records");
    until("the short wait is over", || now_micros() / 1_000 > last + 1_000);

    let mut second = scene.hire("second", &orders);
    until("every record is finished", || second.count(What::Finished) + first.count(What::Finished) >= 200);
    second.stop();
    let all = [first.entries(), second.entries()].concat();
    assert_none_missing(0..200, &all);
    let late = lateness(&scene, &all);
    let waited = late.get(&12).map_or(0, Vec::len);
    tell(&format!(
        "promise 4: killed while 200 retries waited: 0 missing, 0 early ({waited} of them still waited at the restart), {} \
         first attempts redone",
        repeats(&all)
    ));
}

/// By how many microseconds each retry was late, by tier. Fails if one was early.
fn lateness(scene: &Scene, entries: &[Entry]) -> BTreeMap<u64, Vec<i64>> {
    let mut late = BTreeMap::<u64, Vec<i64>>::new();
    for entry in entries.iter().filter(|entry| entry.what == What::Began && entry.attempt > 1) {
        let tier = entry.topic.strip_prefix(&format!("{}.retry.", scene.group)).and_then(|tier| tier.strip_suffix('s'));
        let tier: u64 =
            tier.and_then(|tier| tier.parse().ok()).unwrap_or_else(|| panic!("{entry:?} came from no tier"));
        let due = (entry.stamp + tier as i64 * 1_000) * 1_000;
        assert!(entry.at >= due, "{} µs early: {entry:?}", due - entry.at);
        late.entry(tier).or_default().push(entry.at - due);
    }
    late
}
