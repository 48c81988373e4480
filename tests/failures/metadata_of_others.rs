//! Row 9: commit metadata that was copied from another cluster, group, topic or offset (RULES 3).
//!
//! Twelve kinds of wrong metadata, byte for byte, are in `tests/hostile/metadata.rs`; here is what people see of it.

use crate::{
    meters,
    row::Row,
    scene::{Scene, stop},
    wait::until_true,
};
use retrial_kafka_for_tests::{Kafka, available};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_copied_from_another_group_and_beside_a_translated_offset_is_counted_and_skips_nothing() {
    let kafka = available!(Kafka::shared());
    let scene = Scene::new(kafka, "copied", 1);
    scene.produce(0, 0..5, "");
    scene.produce(0, 5..6, "wait");
    scene.produce(0, 6..50, "");
    let running = scene.run().await;
    scene.until_done(49).await;
    scene.until_committed(0, 5).await;
    until_true("all were begun", || scene.desk.begun() == 50).await;
    stop(running).await;
    let own = kafka.committed(&scene.group, &scene.topic).remove(0);
    assert_eq!(own.offset, 5, "the map beside it says that 6 to 49 are finished");

    // A mirror copies metadata beside an offset of its own reckoning; a tool copies a group's commits to a new group.
    let (mirrored, cloned) = (scene.another_group("mirrored"), scene.another_group("cloned"));
    let ignored = || meters::counter("retrial_commit_metadata_ignored_total", &[("topic", &scene.topic)]);
    for (copy, offset) in [(&mirrored, 3), (&cloned, 5)] {
        let before = ignored();
        kafka.commit_raw(&copy.group, &copy.topic, 0, offset, own.metadata.as_bytes());
        copy.desk.open();
        let running = copy.run().await;
        copy.until_committed(0, 50).await;
        assert_eq!(copy.desk.count() as i64, 50 - offset, "a record was skipped for a map of somebody else's");
        copy.until_said(&["commit metadata is not used", "no record is skipped for it"]).await;
        assert_eq!(ignored(), before + 1);
        stop(running).await;
    }
    // Where it belongs it is used.
    let before = ignored();
    scene.desk.open();
    let running = scene.run().await;
    scene.until_committed(0, 50).await;
    stop(running).await;
    assert_eq!((scene.desk.begun(), ignored()), (51, before), "its own map was not used");
    Row {
        number: 9,
        outcome: "no map, and every record from the committed offset on ran".to_owned(),
        metric: "retrial_commit_metadata_ignored_total{topic}",
        value: ignored().to_string(),
        recovery: None,
    }
    .tell();
}
