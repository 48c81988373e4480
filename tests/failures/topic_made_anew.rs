//! Row 4: the source topic is deleted and made anew while the service runs (RULES 2).

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, stop},
};
use retrial_kafka_for_tests::{Kafka, available};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_topic_that_is_made_anew_under_a_running_service_every_record_runs() {
    let kafka = available!(Kafka::shared());
    let scene = Scene::new(kafka, "anew", 1);
    let running = scene.run().await;
    scene.produce(0, 0..20, "retry");
    scene.produce(0, 20..100, "");
    scene.until_done(100).await;
    scene.until_committed(0, 100).await;

    kafka.delete_topic(&scene.topic);
    kafka.create_topic(&scene.topic, 1, &[]);
    // More than the old one had: the offset that the group was at means another record now. And retries of the first ones
    // have the same origins as those of the old topic, which the tier's owner remembers.
    scene.produce(0, 1000..1020, "retry");
    scene.produce(0, 1020..1150, "");
    let since = Since::now();
    scene.until_done(250).await;
    let recovery = since.passed();
    scene.until_committed(0, 150).await;
    stop(running).await;
    Row {
        number: 4,
        outcome: format!("all records of the new topic ran, {} of them twice", scene.desk.again()),
        metric: "retrial_restarted_partitions_total{topic,cause=made_anew}",
        value: meters::counter(
            "retrial_restarted_partitions_total",
            &[("topic", &scene.topic), ("cause", "made_anew")],
        )
        .to_string(),
        recovery: Some(recovery),
    }
    .tell();
}
