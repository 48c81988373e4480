//! A backlog that a slow handler cannot keep up with.

use super::{
    budget::{Budget, MIB},
    longer,
    process::Worker,
    worker::{Orders, Work},
};
use crate::{raw::Raw, stage};
use retrial_kafka_for_tests::{Kafka, RawRecord, available};

const PARTITIONS: i32 = 4;
const BATCH: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_millions_costs_a_slow_service_no_more_memory_than_it_was_given() {
    let kafka = available!(Kafka::shared());
    let backlog = longer("RETRIAL_BACKLOG", 2_000_000);
    let (group, topic) = (kafka.unique_group("memory"), kafka.unique_topic("memory"));
    kafka.create_topic(&topic, PARTITIONS, &[]);
    let budget = Budget { memory: 32 * MIB, forwards: false };
    let worker = Worker::start(&Orders {
        bootstrap: kafka.bootstrap(),
        group: group.clone(),
        topic: topic.clone(),
        memory: budget.memory,
        concurrency: 50,
        tiers: vec![1],
        work: Work::Takes(20),
    });
    stage::until_committed(kafka, &group, &topic, 0, 0).await;
    let idle = worker.settled().await;
    let record = |n| Raw::new(format!("body {n:012}")).key(format!("{n}")).native();
    let records: Vec<RawRecord> = (0..BATCH).map(record).collect();
    let batches = backlog / BATCH / PARTITIONS as usize;
    for partition in 0..PARTITIONS {
        kafka.produce_raw_again(&topic, partition, &records, batches);
    }
    let written: i64 = kafka.offsets(&topic).values().map(|(_, end)| end).sum();
    assert_eq!(written, PARTITIONS as i64 * (BATCH * batches) as i64);
    let handled = || kafka.committed(&group, &topic).iter().map(|commit| commit.offset).sum::<i64>();
    let before = handled();
    stage::until_true("a thousand more are handled", || handled() > before + 1000).await;
    let peak = worker.settled_peak().await;
    let done = handled();
    assert!(done < written / 2, "the handler is not slow: {done} of {written}");
    budget.assert_held(&format!("a slow handler and a backlog of {written} small records"), idle, peak);
    worker.end();
}
