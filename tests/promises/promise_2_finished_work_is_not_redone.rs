//! Promise 2: after `kill -9`, only what was in flight or finished since the last commit runs again; after a stop,
//! nothing does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use retrial_kafka_for_tests::{Kafka, Position, available};
use rustix::process::Signal;

use crate::{
    accounts::{assert_none_missing, ended_and_made_again, ids, in_flight},
    commit_text::Said,
    journal::{Entry, What},
    load::under_load,
    orders::TopicOrders,
    process::Worker,
    scene::Scene,
    task::{Task, Wait},
    wait::{tell, until},
};

const PARTITIONS: i32 = 12;
const RECORDS: u64 = 200_000;
/// About 20,000 a second on a quiet machine: 5 ms each, and what timers and the journal take.
const AT_ONCE: usize = 250;
const MILLIS: u64 = 5;

/// The handler of this one never returns.
const STUCK: u64 = 0;

#[test]
fn a_killed_worker_redoes_only_what_was_in_flight_or_finished_since_the_last_commit() {
    let scene = Scene::new(available!(Kafka::shared()), "killed");
    let topic = scene.topic("source", PARTITIONS);
    let positions = produce(&scene, &topic);
    let orders = scene
        .orders()
        .topic(TopicOrders::new(&topic).without_timeout().concurrency(AT_ONCE))
        .drain(Duration::from_secs(1));

    let mut first = scene.hire("first", &orders);
    let began = Instant::now();
    first.wait_for(RECORDS as usize / 2, What::Finished);
    let killed = first.kill();
    let rate = first.count(What::Finished) as f64 / began.elapsed().as_secs_f64();
    let said = said(&scene, &topic);
    assert_only_finished_work_is_committed(&positions, &said, first.entries());

    let mut second = scene.hire("second", &orders);
    wait_for_the_rest(&mut second, &positions, &said);
    let redone = assert_only_uncommitted_work_is_redone(&positions, &said, first.entries(), second.entries());
    second.stop();

    let all: Vec<Entry> = [first.entries(), second.entries()].concat();
    assert_none_missing((0..=RECORDS).filter(|&id| id != STUCK), &all);
    assert!(redone.contains(&STUCK));
    let uncommitted = ended_and_made_again(first.entries(), killed, second.entries(), &BTreeSet::new());
    let oldest = uncommitted.values().max().copied().unwrap_or_default();
    let interrupted = redone.intersection(&in_flight(first.entries())).count();
    let beyond = assert_all_but_the_stuck_one_is_committed(&scene, &topic, &positions);
    tell(&format!(
        "promise 2: kill -9 at {rate:.0} records/s: 0 missing, {} redone ({interrupted} in flight, {} finished since the \
         last commit, {oldest:.0?} before); {beyond} finished records kept beyond one that never ends",
        redone.len(),
        uncommitted.len(),
    ));
}

fn produce(scene: &Scene, topic: &str) -> Vec<Position> {
    let tasks = (0..=RECORDS).map(|id| match id {
        STUCK => Task::new(id).waits(Wait::Forever),
        _ => Task::new(id).millis(MILLIS),
    });
    scene.kafka.produce(
        topic,
        (0..PARTITIONS).cycle().zip(tasks).map(|(partition, task)| task.record().to_partition(partition)),
    )
}

fn said(scene: &Scene, topic: &str) -> BTreeMap<i32, Said> {
    scene.kafka.committed(&scene.group, topic).iter().map(|commit| (commit.partition, Said::read(commit))).collect()
}

fn covers(said: &BTreeMap<i32, Said>, position: Position) -> bool {
    said.get(&position.partition).is_some_and(|said| said.covers(position.offset))
}

fn assert_only_finished_work_is_committed(positions: &[Position], said: &BTreeMap<i32, Said>, first: &[Entry]) {
    let finished = ids(first, What::Finished);
    for (id, &position) in (0..).zip(positions) {
        assert!(!covers(said, position) || finished.contains(&id), "{id} is committed and was not finished");
    }
}

/// All that is not committed as finished, whatever the first one did of it after its last commit.
fn wait_for_the_rest(second: &mut Worker, positions: &[Position], said: &BTreeMap<i32, Said>) {
    let mut left: BTreeSet<u64> = (0..=RECORDS).filter(|&id| !covers(said, positions[id as usize])).collect();
    left.remove(&STUCK);
    second.wait_for(left.len(), What::Finished);
    let mut seen = 0;
    until("every record is finished", || {
        let entries = second.entries();
        for entry in entries[seen..].iter().filter(|entry| entry.what == What::Finished) {
            left.remove(&entry.id);
        }
        seen = entries.len();
        left.is_empty()
    });
}

fn assert_only_uncommitted_work_is_redone(
    positions: &[Position],
    said: &BTreeMap<i32, Said>,
    first: &[Entry],
    second: &[Entry],
) -> BTreeSet<u64> {
    let redone: BTreeSet<u64> = ids(first, What::Began).intersection(&ids(second, What::Began)).copied().collect();
    for &id in &redone {
        assert!(!covers(said, positions[id as usize]), "{id} was committed as finished and was redone");
    }
    redone
}

/// Returns how many are finished beyond the stuck one, in its partition.
fn assert_all_but_the_stuck_one_is_committed(scene: &Scene, topic: &str, positions: &[Position]) -> i64 {
    let said = said(scene, topic);
    for (id, &position) in (0..).zip(positions) {
        assert_eq!(covers(&said, position), id != STUCK, "record {id}");
    }
    assert!(said.values().all(|said| said.left_well));
    said[&positions[STUCK as usize].partition].beyond()
}

#[test]
fn a_worker_that_is_stopped_under_load_leaves_nothing_to_redo() {
    let scene = Scene::new(available!(Kafka::shared()), "stopped");
    let topic = scene.topic("source", 6);
    let orders = scene.orders().topic(TopicOrders::new(&topic).delays([1]));
    let record = |id: u64| Task::new(id).millis(30).fails_below(if id % 20 == 7 { 2 } else { 0 }).record();
    let ((first, second), produced) = under_load(scene.kafka, &topic, 50, Duration::from_millis(50), record, |_| {
        let mut first = scene.hire("first", &orders);
        first.wait_for(2_000, What::Finished);
        first.stop();
        let mut second = scene.hire("second", &orders);
        second.wait_for(500, What::Finished);
        (first, second)
    });
    let (mut first, mut second) = (first, second);
    second.wait_for(produced as usize - first.count(What::Finished), What::Finished);
    second.stop();
    let all: Vec<Entry> = [first.entries(), second.entries()].concat();
    assert_none_missing(0..produced, &all);
    assert!(in_flight(&all).is_empty(), "an attempt was given up though there was time");
    let attempts: Vec<(u64, u32)> =
        all.iter().filter(|entry| entry.what == What::Began).map(|entry| (entry.id, entry.attempt)).collect();
    let redone = attempts.len() - attempts.iter().collect::<BTreeSet<_>>().len();
    assert_eq!(redone, 0, "attempts were made twice");
    tell(&format!("promise 2: SIGTERM under load: {produced} records, 0 missing, 0 redone"));
}

#[test]
fn a_second_signal_ends_a_worker_at_once_and_its_successor_does_the_rest() {
    let scene = Scene::new(available!(Kafka::shared()), "twice");
    let topic = scene.topic("source", 1);
    let orders = scene.orders().topic(TopicOrders::new(&topic).without_timeout()).drain(Duration::from_secs(600));
    let mut first = scene.hire("first", &orders);
    scene.kafka.produce(&topic, (0..20).map(|id| Task::new(id).waits(Wait::Gate).record()));
    first.wait_for(20, What::Began);
    first.signal(Signal::TERM);
    first.wait_to_say("stopping");
    first.signal(Signal::TERM);
    // The drain lasts ten minutes; closing clients may take its ten seconds.
    let took = first.wait_for_end(Duration::from_secs(30));
    assert_eq!(first.count(What::Finished), 0);

    let mut second = scene.hire("second", &orders);
    second.wait_for(20, What::Began);
    second.open_gate();
    second.wait_for(20, What::Finished);
    second.stop();
    assert_none_missing(0..20, second.entries());
    tell(&format!("promise 2: second signal: gone after {took:.1?} of a drain of 600 s, 0 missing"));
}
