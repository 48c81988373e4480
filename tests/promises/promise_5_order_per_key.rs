//! Promise 5: order per key holds within a source partition, also across rebalances, and no two processes run one key
//! at once.
//!
//! Workers come and go by SIGTERM here. The one case in which two processes may run a key at once is a zombie's:
//! frozen for longer than its session, it does not know yet that others go on (see promise 9).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use retrial_kafka_for_tests::{Kafka, TestRecord, available};

use crate::{
    accounts::{assert_none_missing, repeats},
    journal::{Entry, What},
    load::under_load,
    orders::{Orders, TopicOrders},
    process::Worker,
    scene::Scene,
    task::Task,
    wait::{tell, until},
};

const PARTITIONS: i32 = 12;
const KEYS: u64 = 120;
/// So many of a key come together, so that order is at stake.
const TOGETHER: u64 = 4;
const BATCH: u64 = 96;
const MILLIS: u64 = 3;

/// Ids go up within a key.
fn key(id: u64) -> u64 {
    id / TOGETHER % KEYS
}

fn record(id: u64) -> TestRecord {
    let partition = (key(id) % PARTITIONS as u64) as i32;
    Task::new(id).millis(MILLIS).record().key(key(id).to_string()).to_partition(partition)
}

#[test]
fn order_per_key_holds_while_workers_come_and_go() {
    let scene = Scene::new(available!(Kafka::shared()), "order");
    let topic = scene.topic("source", PARTITIONS);
    let orders = scene.orders().topic(TopicOrders::new(&topic).by_key());
    let pause = Duration::from_millis(80);
    let (mut workers, produced) =
        under_load(scene.kafka, &topic, BATCH, pause, record, |_| come_and_go(&scene, &orders));
    until("every record is finished", || finished(&mut workers) >= produced as usize);
    workers.last_mut().expect("one is left").stop();

    let mut all: Vec<Entry> = workers.iter_mut().flat_map(|worker| worker.entries().to_vec()).collect();
    all.sort_by_key(|entry| entry.at);
    assert_none_missing(0..produced, &all);
    assert_first_deliveries_in_order(&all);
    assert_one_at_a_time(&all);
    let working = workers.iter_mut().filter_map(|worker| (worker.count(What::Finished) > 0).then_some(())).count();
    assert!(working >= 3, "only {working} workers had work");
    let (redone, workers) = (repeats(&all), workers.len());
    assert!(redone <= 100, "{redone} records were redone though every worker left in good order");
    tell(&format!(
        "promise 5: 1 → 3 → rolling restart → 1 ({workers} workers, {working} had work), {produced} records of {KEYS} keys: 0 missing, 0 out \
         of order, 0 at once, {redone} redone"
    ));
}

/// One worker, three, each of them replaced, one. The last of those returned still runs.
fn come_and_go(scene: &Scene, orders: &Orders) -> Vec<Worker> {
    let mut workers = Vec::new();
    let hire = |workers: &mut Vec<Worker>| {
        let name = format!("worker-{}", workers.len());
        workers.push(scene.hire(&name, orders));
    };
    hire(&mut workers);
    work_a_while(&mut workers);
    hire(&mut workers);
    hire(&mut workers);
    work_a_while(&mut workers);
    for leaving in 0..3 {
        workers[leaving].stop();
        hire(&mut workers);
        work_a_while(&mut workers);
    }
    workers[3].stop();
    workers[4].stop();
    work_a_while(&mut workers);
    workers
}

/// Until everybody has partitions and 500 more records are finished. By whom is not said: the group's assignor counts
/// partitions of tiers like others, and may give a newcomer nothing else.
fn work_a_while(workers: &mut [Worker]) {
    workers.iter_mut().filter(|worker| worker.assignments() == 0).for_each(Worker::wait_for_partitions);
    let until_now = finished(workers);
    until("500 more records are finished", || finished(workers) >= until_now + 500);
}

fn finished(workers: &mut [Worker]) -> usize {
    workers.iter_mut().map(|worker| worker.count(What::Finished)).sum()
}

fn assert_first_deliveries_in_order(all: &[Entry]) {
    let mut last = BTreeMap::<u64, u64>::new();
    let mut seen = BTreeSet::new();
    for entry in all.iter().filter(|entry| entry.what == What::Began && seen.insert(entry.id)) {
        if let Some(before) = last.insert(key(entry.id), entry.id) {
            assert!(before < entry.id, "key {}: {} began before {}", key(entry.id), before, entry.id);
        }
    }
}

fn assert_one_at_a_time(all: &[Entry]) {
    let mut running = BTreeMap::<u64, &Entry>::new();
    for entry in all {
        if entry.what == What::Began {
            let before = running.insert(key(entry.id), entry);
            assert!(before.is_none(), "key {}: {entry:?} began while {before:?} ran", key(entry.id));
        } else {
            running.remove(&key(entry.id));
        }
    }
    assert!(running.is_empty(), "attempts were given up: {running:?}");
}
