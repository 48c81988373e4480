//! Keys that are blocked, in a topic with order.

use super::{
    budget::{Budget, MIB},
    process::Worker,
    worker::{Orders, Work},
};
use crate::{raw::Raw, stage};
use retrial_kafka_for_tests::{Kafka, RawRecord, available};

const PARTITIONS: i32 = 10;
const KEYS: usize = 5_000;
const OF_EACH_KEY: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_blocked_keys_cost_no_more_memory_than_was_given_and_keep_their_order() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("blocked"), kafka.unique_topic("blocked"));
    kafka.create_topic(&topic, PARTITIONS, &[]);
    let budget = Budget { memory: 32 * MIB, forwards: false };
    let mut worker = Worker::start(&Orders {
        bootstrap: kafka.bootstrap(),
        group: group.clone(),
        topic: topic.clone(),
        memory: budget.memory,
        concurrency: 200,
        tiers: vec![1],
        work: Work::Blocked,
    });
    stage::until_committed(kafka, &group, &topic, 0, 0).await;
    let idle = worker.settled().await;
    let in_partition = KEYS / PARTITIONS as usize;
    for partition in 0..PARTITIONS {
        let record = |n| Raw::new(format!("{n}")).key(format!("{partition} {n}")).native();
        let records: Vec<RawRecord> = (0..in_partition).map(record).collect();
        kafka.produce_raw_again(&topic, partition, &records, OF_EACH_KEY);
    }
    let peak = worker.settled_peak().await;
    let finished = || kafka.committed(&group, &topic).iter().map(|commit| commit.offset).sum::<i64>();
    assert_eq!(finished(), 0, "every key is blocked");
    worker.open_gate();
    stage::until_true("all of them are finished", || finished() == (KEYS * OF_EACH_KEY) as i64).await;
    let peak = peak.max(worker.peak());
    let report = worker.end();
    assert_eq!((report.done, report.out_of_order), ((KEYS * OF_EACH_KEY) as u64, 0));
    budget.assert_held(&format!("{KEYS} blocked keys with {OF_EACH_KEY} records each, in order"), idle, peak);
}
