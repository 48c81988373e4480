//! Promise 3: a failing or endless record blocks nobody; a handler that blocks threads neither ends the membership nor
//! stops a topic that has threads of its own.

use std::time::{Duration, Instant};

use retrial_kafka_for_tests::{Kafka, available};

use crate::{
    accounts::{assert_none_missing, ids},
    journal::What,
    orders::TopicOrders,
    scene::Scene,
    task::{Task, Wait},
    wait::{tell, until},
};

const SESSION: Duration = Duration::from_secs(3);

#[test]
fn handlers_that_block_every_thread_cost_no_membership_and_stop_no_topic_with_its_own_threads() {
    let scene = Scene::new(available!(Kafka::shared()), "blocked");
    let (blocking, other) = (scene.topic("blocking", 2), scene.topic("other", 2));
    let orders = scene
        .orders()
        .property("session.timeout.ms", &SESSION.as_millis().to_string())
        .topic(TopicOrders::new(&blocking).without_timeout())
        .topic(TopicOrders::new(&other).threads(2));
    let mut worker = scene.hire("worker", &orders);
    // One by one until both threads of the runtime sleep, then more.
    let block = |ids: std::ops::Range<u64>| {
        scene.kafka.produce(&blocking, ids.map(|id| Task::new(id).waits(Wait::GateOnThread).record()))
    };
    block(0..1);
    worker.wait_for(1, What::Began);
    block(1..2);
    worker.wait_for(2, What::Began);
    let began = Instant::now();
    block(2..8);
    scene.kafka.produce(&other, (1_000..1_500).map(|id| Task::new(id).millis(1).record()));
    worker.wait_for(500, What::Finished);
    until("three sessions are over", || began.elapsed() > 3 * SESSION);
    scene.kafka.produce(&other, (1_500..2_000).map(|id| Task::new(id).millis(1).record()));
    worker.wait_for(1_000, What::Finished);
    let blocked = began.elapsed();
    assert!(ids(worker.entries(), What::Finished).iter().all(|&id| id >= 1_000), "a blocked handler ended");
    assert!(!worker.has_said("revoked") && !worker.has_said("no commit was acknowledged"), "{}", worker.log());

    worker.open_gate();
    worker.wait_for(1_008, What::Finished);
    worker.stop();
    assert_none_missing((0..8).chain(1_000..2_000), worker.entries());
    assert_eq!(worker.count(What::Began), 1_008, "something was begun twice");
    tell(&format!(
        "promise 3: every thread blocked for {blocked:.1?} with a session of {SESSION:?}: no rebalance, the other topic \
         finished 1,000 records, 0 redone"
    ));
}
