//! Row 2: a tier that refuses writes, since too few of its replicas are in sync.
//!
//! A topic that is gone and one that takes nothing of this size are in `tests/promises/promise_1_nothing_is_lost.rs`.

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, quick, stop},
    trio::trio,
    wait::until_true,
};
use retrial_kafka_for_tests::available;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_too_few_replicas_of_a_tier_are_in_sync_its_partition_is_held_and_goes_on_after_the_repair() {
    let kafka = available!(trio());
    let scene = Scene::new(&kafka, "refused", 2);
    let running = scene.run_with(scene.connection().property("session.timeout.ms", "45000"), quick()).await;
    scene.produce(0, 0..10, "retry");
    scene.until_done(10).await;
    let held = || meters::gauge("retrial_held_partitions", &[("topic", &scene.topic), ("reason", "forward_refused")]);

    // All three in sync are wanted, and one is dead.
    kafka.alter_topic_config(&scene.tier(), &[("min.insync.replicas", "3")]);
    let victim = kafka.leader(&scene.topic, 0).expect("a leader");
    kafka.broker(victim).kill();
    until_true("the dead one is out of sync", || {
        let tier = scene.tier();
        (0..kafka.partitions(&tier)).all(|partition| kafka.in_sync(&tier, partition).len() == 2)
    })
    .await;
    scene.append(0, 100..110, "retry");
    scene.until_said(&["partition takes nothing", "forward_refused"]).await;
    assert_eq!(held(), 1.0);
    let committed = scene.committed(0).expect("a commit");
    assert!(committed <= 10, "a record was given up: {committed}");
    // The other partition is served.
    scene.append(1, 200..220, "");
    scene.until_done(30).await;
    assert_eq!(held(), 1.0);

    kafka.alter_topic_config(&scene.tier(), &[("min.insync.replicas", "2")]);
    let since = Since::now();
    scene.until_done(40).await;
    let recovery = since.passed();
    until_true("nothing is held", || held() == 0.0).await;
    scene.until_committed(0, 20).await;
    kafka.broker(victim).start();
    kafka.wait_for_replicas(&scene.tier(), crate::wait::PATIENCE);
    stop(running).await;
    assert_eq!(scene.desk.again(), 0);
    Row {
        number: 2,
        outcome: "the partition was held, the other one served, nothing lost or done twice".to_owned(),
        metric: "retrial_held_partitions{topic,reason=forward_refused}",
        value: "1 while refused, 0 after".to_owned(),
        recovery: Some(recovery),
    }
    .tell();
}
