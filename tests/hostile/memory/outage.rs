//! An outage of Kafka in the middle of records that all must be forwarded.

use super::{
    budget::{Budget, MIB},
    longer,
    process::Worker,
    worker::{Orders, Work},
};
use crate::{raw::Raw, stage};
use retrial_kafka_for_tests::{Broker, Kafka, Options, RawRecord, available};
use std::{collections::BTreeSet, time::Duration};

const PARTITIONS: i32 = 4;

/// A batch must stay below a topic's limit, in bytes.
const BATCH_BYTES: usize = 900_000;

/// Records of one run.
#[derive(Clone, Copy)]
struct Load {
    records: usize,
    body: usize,
}

/// Everything that lies in a topic, without the bodies: where each record stood first.
fn origins(kafka: &Kafka, topic: &str) -> BTreeSet<String> {
    let origin = |headers: &[(String, Option<Vec<u8>>)]| {
        let found = headers.iter().find(|(name, _)| name == "retrial-origin").expect("an origin");
        String::from_utf8(found.1.clone().expect("a value")).expect("text")
    };
    kafka.read(topic).iter().map(|letter| origin(&letter.headers)).collect()
}

/// How a broker goes away, and how it comes back.
type Outage = (fn(&Broker), fn(&Broker));

/// It keeps its connections and says nothing.
const FROZEN: Outage = (Broker::pause, Broker::resume);

/// Nobody is there.
const KILLED: Outage = (Broker::kill, Broker::start);

/// Forwards all records of a backlog, with an outage meanwhile.
async fn forward_through(outage: Outage, load: Load) {
    let kafka = available!(Kafka::start(Options::brokers(1)));
    let (group, topic) = (kafka.unique_group("outage"), kafka.unique_topic("outage"));
    kafka.create_topic(&topic, PARTITIONS, &[]);
    let budget = Budget { memory: 32 * MIB, forwards: true };
    let worker = Worker::start(&Orders {
        bootstrap: kafka.bootstrap(),
        group: group.clone(),
        topic: topic.clone(),
        memory: budget.memory,
        concurrency: 1_000,
        tiers: vec![1],
        work: Work::Refused,
    });
    stage::until_committed(&kafka, &group, &topic, 0, 0).await;
    let idle = worker.settled().await;
    let batch = BATCH_BYTES / (load.body + 50) / 100 * 100;
    let records: Vec<RawRecord> =
        (0..batch).map(|n| Raw::new(vec![b'x'; load.body]).key(format!("{n}")).native()).collect();
    let batches = load.records / batch / PARTITIONS as usize;
    let load = Load { records: batches * batch * PARTITIONS as usize, ..load };
    for partition in 0..PARTITIONS {
        kafka.produce_raw_again(&topic, partition, &records, batches);
    }
    let letters = format!("{group}.dlq");
    let forwarded = || kafka.offsets(&letters).values().map(|(_, end)| end).sum::<i64>() as usize;
    let length = Duration::from_secs(longer("RETRIAL_OUTAGE", 12) as u64);
    stage::until_true("a third is forwarded", || forwarded() >= load.records / 3).await;
    assert!(forwarded() < load.records, "all was forwarded before the outage");
    let (away, back) = outage;
    away(kafka.broker(1));
    tokio::time::sleep(length).await;
    back(kafka.broker(1));
    let has_leaders =
        |topic: &str, partitions| (0..partitions).all(|partition| kafka.leader(topic, partition).is_some());
    stage::until_true("every partition has a leader", || {
        has_leaders(&topic, PARTITIONS) && has_leaders(&letters, PARTITIONS)
    })
    .await;
    let finished = || kafka.committed(&group, &topic).iter().map(|commit| commit.offset).sum::<i64>() as usize;
    stage::until_true("all of them are finished", || finished() == load.records).await;
    let peak = worker.peak();
    worker.end();
    assert_eq!(origins(&kafka, &letters).len(), load.records, "nothing is lost");
    let again = forwarded() - load.records;
    let Load { records, body } = load;
    let scene = format!("{records} records of {body} B forwarded, outage of {length:?}, {again} twice");
    budget.assert_held(&scene, idle, peak);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_records_that_wait_for_a_kafka_that_is_away_cost_no_more_memory_than_was_given() {
    forward_through(FROZEN, Load { records: 120_000, body: 50 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_fill_the_producers_queue_in_an_outage_cost_no_more_memory_than_was_given() {
    forward_through(KILLED, Load { records: 40_000, body: 4_000 }).await;
}
