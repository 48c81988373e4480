//! Records that wait in tiers.

use super::{
    budget::{Budget, MIB},
    longer,
    process::Worker,
    worker::{Orders, Work},
};
use crate::{forward::forwarded, stage};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};

const PARTITIONS: i32 = 6;
const TIERS: [u64; 2] = [8, 16];

/// A record as a tier holds it, with an origin of its own.
fn forward(group: &str, topic: &str, number: usize) -> TestRecord {
    let whole = forwarded(group, &format!("{topic}/{}/{number}", number % PARTITIONS as usize), "it waits");
    let record = TestRecord::new(whole.body.expect("a body")).key(format!("{number}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    whole.headers.into_iter().fold(record, |record, (name, value)| record.header(&text(name), value.expect("a value")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_records_that_wait_in_tiers_cost_no_more_memory_than_was_given() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("waiting"), kafka.unique_topic("waiting"));
    kafka.create_topic(&topic, PARTITIONS, &[]);
    let budget = Budget { memory: 32 * MIB, forwards: false };
    let worker = Worker::start(&Orders {
        bootstrap: kafka.bootstrap(),
        group: group.clone(),
        topic: topic.clone(),
        memory: budget.memory,
        concurrency: 200,
        tiers: TIERS.to_vec(),
        work: Work::Takes(0),
    });
    stage::until_committed(kafka, &group, &topic, 0, 0).await;
    let idle = worker.settled().await;
    let waiting = longer("RETRIAL_WAITING", 100_000);
    let each = waiting / TIERS.len();
    let tiers = TIERS.map(|delay| format!("{group}.retry.{delay}s"));
    for (place, tier) in tiers.iter().enumerate() {
        kafka.produce(tier, (0..each).map(|number| forward(&group, &topic, place * each + number)));
    }
    let finished =
        || tiers.iter().flat_map(|tier| kafka.committed(&group, tier)).map(|commit| commit.offset).sum::<i64>();
    assert!(finished() < each as i64, "the second tier waits still: {} are finished", finished());
    stage::until_true("all of them are finished", || finished() == waiting as i64).await;
    budget.assert_held(&format!("{waiting} small records that wait in tiers, and come due"), idle, worker.peak());
    assert_eq!(worker.end().done, waiting as u64, "each is handled exactly once");
}
