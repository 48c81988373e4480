//! RULES 8 with real processes: one record among many aborts whatever process handles it.

use std::time::{Duration, Instant};

use retrial_kafka_for_tests::{Kafka, Position, available};

use crate::{
    accounts::{assert_none_missing, ids},
    journal::What,
    orders::{Orders, TopicOrders},
    scene::Scene,
    supervisor::Supervisor,
    task::Task,
    wait::{PATIENCE, tell},
};

const PARTITIONS: i32 = 12;
const RECORDS: u64 = 100_000;
const KILLER: u64 = 41_234;
const WORKERS: usize = 3;

/// How long it may take from its first death until its dead letter is there, with a session of four seconds. On a machine that
/// has nothing else to do it is far less, and the test tells; this only tells finding from not finding.
const FOUND: Duration = Duration::from_secs(180);

fn orders(scene: &Scene, topic: TopicOrders) -> Orders {
    scene.orders().topic(topic.concurrency(200)).drain(Duration::from_secs(5))
}

/// Records over all partitions, one of which aborts. Returns where that one is.
fn produce(scene: &Scene, topic: &str) -> Position {
    let task = |id| {
        let task = Task::new(id).millis(id % 7);
        if id == KILLER { task.aborts() } else { task }
    };
    let records = (0..PARTITIONS).cycle().zip(0..RECORDS).map(|(place, id)| task(id).record().to_partition(place));
    scene.kafka.produce(topic, records)[KILLER as usize]
}

fn origin(topic: &str, position: Position) -> String {
    format!("{topic}/{}/{}", position.partition, position.offset)
}

fn others() -> impl Iterator<Item = u64> {
    (0..RECORDS).filter(|&id| id != KILLER)
}

fn have_done(workers: &mut Supervisor<'_>, records: u64) -> bool {
    workers.count(What::Finished) as u64 >= records && ids(&workers.entries(), What::Finished).len() as u64 == records
}

#[test]
fn a_record_that_aborts_its_process_is_found_and_nobody_else_is_buried() {
    let scene = Scene::new(available!(Kafka::shared()), "killer");
    let topic = scene.topic("source", PARTITIONS);
    let position = produce(&scene, &topic);
    let mut workers = Supervisor::start(&scene, &orders(&scene, TopicOrders::new(&topic)), WORKERS);
    let started = Instant::now();
    let buried = |workers: &mut Supervisor<'_>| workers.said("records are in the dead letters") > 0;
    assert!(workers.keep_until(PATIENCE + FOUND, buried), "not buried after {:?}", started.elapsed());
    let found = workers.deaths[0].elapsed();
    assert!(workers.keep_until(PATIENCE, |workers| have_done(workers, RECORDS - 1)), "not everything else was handled");
    workers.stop();

    let letters = scene.kafka.read_until(&scene.dead_letters(), PATIENCE, |letters| !letters.is_empty());
    let [letter] = &letters[..] else { panic!("{} dead letters", letters.len()) };
    let header = |name: &str| String::from_utf8_lossy(letter.header_value(name).unwrap_or_default()).into_owned();
    assert_eq!(header("retrial-origin"), origin(&topic, position));
    assert_eq!((header("retrial-cause"), header("retrial-attempts")), ("crashed".into(), "0".into()));
    let crashes: usize = header("retrial-crashes").parse().expect("a number");
    let text = header("retrial-error");
    assert!((3..=6).contains(&crashes) && text.starts_with(&format!("crashed the worker {crashes} times")), "{text}");
    assert_eq!(text.matches("Z").count(), crashes, "one time for each: {text}");
    let entries = workers.entries();
    assert_none_missing(others(), &entries);
    let begun = entries.iter().filter(|entry| entry.what == What::Began && entry.id == KILLER).count();
    let deaths = workers.deaths.len();
    // An attempt that a rebalance drops before it aborts is no death.
    assert!(begun >= deaths, "{deaths} deaths and only {begun} attempts of it");
    assert!(found <= FOUND, "found {found:?} after the first of {deaths} deaths");
    tell(&format!(
        "rule 8: one of {RECORDS} records aborts its process: buried {found:.1?} after the first of {deaths} deaths, {crashes} \
         of them alone; no other dead letter, {} others handled",
        RECORDS - 1
    ));
}

#[test]
fn a_record_that_aborts_its_process_is_held_where_that_was_asked_for() {
    let scene = Scene::new(available!(Kafka::shared()), "held");
    let topic = scene.topic("source", PARTITIONS);
    let position = produce(&scene, &topic);
    let mut workers = Supervisor::start(&scene, &orders(&scene, TopicOrders::new(&topic).holds_crashed()), WORKERS);
    let held = |workers: &mut Supervisor<'_>| workers.said("held: the record at offset") > 0;
    assert!(workers.keep_until(PATIENCE + FOUND, held), "not held");
    let deaths = workers.deaths.len();
    assert!(workers.keep_until(PATIENCE, |workers| have_done(workers, RECORDS - 1)), "not everything else was handled");
    // A restart changes nothing: it does not run any more.
    workers.stop();
    let mut successors = Supervisor::start(&scene, &orders(&scene, TopicOrders::new(&topic).holds_crashed()), 1);
    assert!(successors.keep_until(PATIENCE, held), "not held by its next owner");
    successors.stop();
    assert_eq!((workers.deaths.len(), successors.deaths.len()), (deaths, 0));
    assert!(scene.kafka.read(&scene.dead_letters()).is_empty());
    let committed = scene.kafka.committed(&scene.group, &topic);
    let at = committed.iter().find(|commit| commit.partition == position.partition).expect("a commit");
    assert_eq!(at.offset, position.offset, "it is not passed over");
    assert_none_missing(others(), &workers.entries());
    tell(&format!("rule 8: held after {deaths} deaths, and nothing else waits for it; a restart does not run it"));
}

/// Kills from outside under load, at any moment.
#[test]
fn processes_killed_from_outside_again_and_again_bury_nobody() {
    let scene = Scene::new(available!(Kafka::shared()), "storm");
    let topic = scene.topic("source", PARTITIONS);
    let records: u64 = 30_000;
    let tasks = (0..records).map(|id| Task::new(id).millis(20 + id % 100));
    scene.kafka.produce(
        &topic,
        (0..PARTITIONS).cycle().zip(tasks).map(|(partition, task)| task.record().to_partition(partition)),
    );
    let orders = scene.orders().topic(TopicOrders::new(&topic).concurrency(20)).drain(Duration::from_secs(5));
    let mut workers = Supervisor::start(&scene, &orders, WORKERS);
    for kill in 0..12 {
        let begun = workers.count(What::Began);
        // Each time something is under way, and at another distance from the last.
        assert!(workers.keep_until(PATIENCE, |workers| workers.count(What::Began) > begun + 40 * kill), "nothing runs");
        workers.kill(kill % WORKERS);
    }
    assert!(workers.keep_until(PATIENCE * 2, |workers| have_done(workers, records)), "not everything was handled");
    workers.stop();
    assert!(scene.kafka.read(&scene.dead_letters()).is_empty(), "somebody was buried");
    let entries = workers.entries();
    let twice = entries.iter().filter(|entry| entry.what == What::Finished).count() as u64 - records;
    let killed = workers.deaths.len();
    let tested = workers.said("suspect runs, announced");
    tell(&format!(
        "rule 8: {killed} kills from outside under load: {tested} suspects tested, nobody buried, {records} handled, {twice} \
         of them twice"
    ));
}
