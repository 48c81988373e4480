//! Promise 1: an offset counts as finished only when its forward is acknowledged. If the forward cannot be written, the
//! partition stops and says so, and goes on by itself when it can.

use std::time::Instant;

use retrial_kafka_for_tests::{Kafka, TestRecord, available};

use crate::{
    accounts::{assert_none_missing, ids},
    commit_text::Said,
    journal::What,
    orders::TopicOrders,
    probe::Probe,
    scene::Scene,
    task::Task,
    wait::{tell, until},
};

const HELD: &str = "partition takes nothing";
const RESUMED: &str = "partition takes records again";

#[test]
fn while_the_dead_letter_topic_is_gone_its_partition_waits_and_goes_on_when_it_is_back() {
    let scene = Scene::new(available!(Kafka::shared()), "gone");
    let settings = [("message.timestamp.type", "LogAppendTime")];
    the_dead_letters_are_refused(
        &scene,
        || scene.kafka.delete_topic(&scene.dead_letters()),
        || scene.kafka.create_topic(&scene.dead_letters(), 2, &settings),
    );
}

#[test]
fn while_not_even_a_reference_fits_into_the_dead_letters_their_partition_waits() {
    let scene = Scene::new(available!(Kafka::shared()), "small");
    let limit = |bytes: &str| scene.kafka.alter_topic_config(&scene.dead_letters(), &[("max.message.bytes", bytes)]);
    let refuse = || {
        limit("150");
        // The broker answers before it has taken the setting up.
        let probe = Probe::new(scene.kafka, &scene.dead_letters());
        until("the topic refuses what is too large", || probe.is_too_large(300));
    };
    the_dead_letters_are_refused(&scene, refuse, || limit("1052684"));
}

#[test]
fn a_worker_that_is_killed_while_its_partition_waits_has_given_nothing_up() {
    let scene = Scene::new(available!(Kafka::shared()), "killed");
    let topic = scene.topic("source", 1);
    let orders = scene.orders().topic(TopicOrders::new(&topic));
    let mut first = scene.hire("first", &orders);
    scene.kafka.produce(&topic, (0..10).map(|id| Task::new(id).record()));
    first.wait_for(10, What::Finished);
    scene.kafka.delete_topic(&scene.dead_letters());
    scene.kafka.produce(&topic, [Task::new(1_000).refused().record()]);
    first.wait_to_say(HELD);
    scene.kafka.produce(&topic, (10..20).map(|id| Task::new(id).record()));
    first.kill();

    // A service makes what its group lacks.
    let mut second = scene.hire("second", &orders);
    second.wait_for(10, What::Finished);
    until("the dead letter is there", || scene.kafka.count(&scene.dead_letters()) == 1);
    second.stop();
    assert_none_missing(0..20, &[first.entries(), second.entries()].concat());
    assert_eq!(ids(second.entries(), What::Began), (10..20).chain([1_000]).collect(), "what the second worker began");
    tell("promise 1: killed while a forward was refused: 0 lost, 0 finished ones redone");
}

/// Partition 0 has a record for the dead letters, partition 1 has none.
fn the_dead_letters_are_refused(scene: &Scene, break_it: impl FnOnce(), repair: impl FnOnce()) {
    let topic = scene.topic("source", 2);
    let produce = |ids: std::ops::Range<u64>, partition: i32| {
        scene.kafka.produce(&topic, ids.map(|id| Task::new(id).record().to_partition(partition)))
    };
    let mut worker = scene.hire("worker", &scene.orders().topic(TopicOrders::new(&topic)));
    produce(0..10, 0);
    worker.wait_for(10, What::Finished);
    break_it();

    let refused = scene.kafka.produce(&topic, [Task::new(1_000).refused().record().to_partition(0)])[0];
    worker.wait_to_say(HELD);
    produce(100..150, 0);
    produce(200..250, 1);
    // The other partition is served to its end, and meanwhile nothing of the one that waits is even begun.
    worker.wait_for(10 + 50, What::Finished);
    let begun = worker.entries().iter().filter(|entry| (100..150).contains(&entry.id)).count();
    assert_eq!(begun, 0, "records of a partition that waits were begun");
    until("what is finished is committed", || committed(scene, &topic, 1).is_some_and(|said| said.covers(49)));
    assert!(!committed(scene, &topic, 0).expect("a commit").covers(refused.offset), "a record was given up");

    repair();
    let repaired = Instant::now();
    worker.wait_to_say(RESUMED);
    let waited = repaired.elapsed();
    worker.wait_for(10 + 100, What::Finished);
    assert_none_missing((0..10).chain(100..150).chain(200..250), worker.entries());
    let letters = letters(scene);
    assert_eq!(letters.len(), 1);
    let origin = format!("{topic}/0/{}", refused.offset);
    assert_eq!(letters[0].header_value("retrial-origin"), Some(origin.as_bytes()));
    assert_eq!(
        letters[0].text(),
        Task::new(1_000).refused().record().text(),
        "the record itself, not a reference to it"
    );
    worker.stop();
    assert!(committed(scene, &topic, 0).expect("a commit").covers(refused.offset + 50));
    tell(&format!("promise 1: forward refused: 0 lost, partition held, resumed {waited:.1?} after the repair"));
}

/// What the service has written, without what a probe left.
fn letters(scene: &Scene) -> Vec<TestRecord> {
    let mut letters = scene.kafka.read(&scene.dead_letters());
    letters.retain(|letter| letter.header_value("retrial-version").is_some());
    letters
}

fn committed(scene: &Scene, topic: &str, partition: i32) -> Option<Said> {
    let commits = scene.kafka.committed(&scene.group, topic);
    commits.iter().find(|commit| commit.partition == partition).map(Said::read)
}
