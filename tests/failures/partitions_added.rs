//! Row 5: partitions are added to a source topic while the service runs (RULES 6).

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, quick, stop},
};
use retrial::StartAt;
use retrial_kafka_for_tests::{Kafka, available};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn added_partitions_are_picked_up_from_their_start_by_a_service_that_runs_and_by_one_that_starts_later() {
    let kafka = available!(Kafka::shared());
    let scene = Scene::new(kafka, "added", 1);
    // A new group begins at the end. What is added to a topic that it reads is work from the first record on.
    let settings = || quick().start_at(StartAt::Latest);
    let connection = || scene.connection().property("topic.metadata.refresh.interval.ms", "1000");
    scene.produce(0, 9000..9010, "");
    let running = scene.run_with(connection(), settings()).await;
    scene.until_committed(0, 10).await;
    scene.produce(0, 0..10, "");
    scene.until_done(10).await;

    kafka.add_partitions(&scene.topic, 3);
    let since = Since::now();
    scene.append(1, 100..120, "");
    scene.append(2, 200..220, "retry");
    scene.until_done(50).await;
    let recovery = since.passed();
    for partition in [1, 2] {
        scene.until_committed(partition, 20).await;
    }
    stop(running).await;

    // Nobody is there while the next one is added and filled.
    kafka.add_partitions(&scene.topic, 4);
    scene.append(3, 300..320, "");
    let running = scene.run_with(connection(), settings()).await;
    scene.until_done(70).await;
    scene.until_committed(3, 20).await;
    stop(running).await;
    assert_eq!(scene.desk.again(), 0);
    assert!(!scene.desk.done().contains_key("9000"), "a new group was to begin at the end");
    let done = meters::counter("retrial_records_total", &[("topic", &scene.topic), ("outcome", "done")]);
    assert_eq!(done, 70);
    Row {
        number: 5,
        outcome: "every record of the new partitions ran, from their first on, none twice".to_owned(),
        metric: "retrial_records_total{topic,outcome=done}",
        value: done.to_string(),
        recovery: Some(recovery),
    }
    .tell();
}
