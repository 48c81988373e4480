//! What `/status` shows.

use crate::scene::{Scene, until};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_shows_what_runs_for_how_long_and_on_which_record() {
    let kafka = available!(Kafka::shared());
    let scene = Scene::start(kafka, "status", 1).await;
    kafka.produce(&scene.topic, ["1", "2", "wait", "3", "wait"].map(TestRecord::new));
    scene.until_done(3).await;
    let status = until("two attempts run, and the log's end is known", async || {
        let status = scene.status().await;
        let known = status["partitions"].as_array()?.iter().any(|one| one["role"] == "source" && one["log_end"] == 5);
        (status["topics"][0]["in_flight"] == 2 && known).then_some(status)
    })
    .await;
    let (topic, text) = (&*scene.topic, status.to_string());
    assert_eq!(
        (status["group"].as_str(), &status["alive"], &status["ready"]),
        (Some(&*scene.group), &true.into(), &true.into())
    );
    let running = status["running"].as_array().expect("a list");
    let mut offsets: Vec<i64> = running.iter().filter_map(|one| one["offset"].as_i64()).collect();
    offsets.sort_unstable();
    assert_eq!(
        (offsets, &status["running_count"], &status["silent_workers"]),
        (vec![2, 4], &2.into(), &0.into()),
        "{text}"
    );
    assert!(
        running.iter().all(|one| one["topic"] == topic && one["attempt"] == 1 && one["seconds"].as_f64() > Some(0.0))
    );
    let source = status["partitions"].as_array().and_then(|all| all.iter().find(|one| one["role"] == "source"));
    let source = source.expect("the source partition");
    for (field, expected) in [("watermark", 2), ("next", 5), ("pending", 2), ("in_flight", 2), ("unfinished", 2)] {
        assert_eq!(source[field], expected, "{field}: {text}");
    }
    assert_eq!((&source["stage"], source["oldest"].is_string()), (&"owned".into(), true));
    assert_eq!(status["topics"][0]["in_flight_limit"], 100);
    assert_eq!(status["tiers"][1]["tier"], "1s", "{text}");
    scene.desk.gate.add_permits(2);
    scene.until_done(5).await;
    scene.stop().await;
}
