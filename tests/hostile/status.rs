//! What `retrial status` shows, from what a group has committed.

use crate::{
    raw::{self, Raw},
    stage,
};
use retrial::{
    GroupNames,
    admin::{PartitionStatus, Role, status},
    handler,
};
use retrial_kafka_for_tests::{Kafka, available};

async fn read(kafka: &Kafka, group: &str) -> Vec<PartitionStatus> {
    let (kafka, names) = (stage::reach(kafka), GroupNames::new(group, None).expect("a group"));
    let reading = tokio::task::spawn_blocking(move || status(&kafka, &names).expect("a status").partitions);
    reading.await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_of_a_group_is_read_from_its_commits_and_tells_foreign_metadata() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("status"), stage::lasting_topic(kafka, "status", 2, &[]));
    assert!(read(kafka, &group).await.is_empty(), "a group that committed nothing");
    raw::append(kafka, &topic, 0, &[Raw::new("a"), Raw::new("b"), Raw::new("c")]);
    let app = stage::app(&group, &[1]).topic(&topic, handler(|| async {})).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    stage::until_committed(kafka, &group, &topic, 0, 3).await;
    stage::stop(running).await;
    raw::append(kafka, &topic, 0, &[Raw::new("d"), Raw::new("e")]);
    kafka.commit_raw(&group, &topic, 1, 0, b"whatever");
    let all = read(kafka, &group).await;
    let of = |name: &str, partition| {
        all.iter().find(|status| status.topic == name && status.partition == partition).expect("a row")
    };
    let first = of(&topic, 0);
    assert_eq!((first.role, first.watermark, first.finished_beyond, first.unfinished), (Role::Source, 3, 0, 2));
    assert_eq!((first.left_well, &first.metadata_ignored), (Some(true), &None));
    let second = of(&topic, 1);
    assert!(second.left_well.is_none() && second.metadata_ignored.is_some(), "{second:?}");
    assert_eq!(of(&format!("{group}.retry.1s"), 0).role, Role::Tier);
}
