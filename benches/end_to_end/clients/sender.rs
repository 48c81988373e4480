//! A loop that reads and sends on, idempotent and acknowledged by all replicas: what a forward costs without retrial.

use super::{LOOK, positions::Positions, reference};
use crate::{child::Orders, desk::Desk};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

type Producer = ThreadedProducer<DefaultProducerContext>;

/// As retrial's own producer.
const OF_PRODUCER: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("batch.size", "65536"),
    ("enable.metrics.push", "false"),
    ("sticky.partitioning.linger.ms", "0"),
];

/// What a first forward of retrial carries, with values as long as usual.
pub(super) const HEADERS: &[(&str, &str)] = &[
    ("retrial-version", "1"),
    ("retrial-group", "bench-1234567890"),
    ("retrial-origin", "forward-1234567890/11/123456"),
    ("retrial-timestamp", "create 2026-11-22T10:21:00.000Z"),
    ("retrial-attempts", "1"),
    ("retrial-crashes", "0"),
    ("retrial-step", "1"),
    ("retrial-hop", "1"),
    ("retrial-redrives", "0"),
    ("retrial-due", "2026-11-22T11:21:00.000Z"),
    ("retrial-first-failed", "2026-11-22T10:21:00.000Z"),
    ("retrial-last-failed", "2026-11-22T10:21:00.000Z"),
    ("retrial-error", "told to fail"),
];

pub(super) fn run(orders: &Orders, desk: &Desk, stop: &AtomicBool, headers: &[(&str, &str)]) {
    let consumer: BaseConsumer = reference(orders).create().expect("a consumer");
    let mut config = ClientConfig::new();
    for (name, value) in OF_PRODUCER {
        config.set(*name, *value);
    }
    let producer: Producer = config.set("bootstrap.servers", &orders.bootstrap).create().expect("a producer");
    let target = orders.target.as_deref().expect("a topic to send to");
    consumer.subscribe(&[&orders.topic]).expect("a topic");
    let mut positions = Positions::new(orders);
    while !stop.load(Ordering::Relaxed) {
        if let Some(message) = consumer.poll(LOOK) {
            let message = message.expect("a record");
            desk.handle(message.payload().unwrap_or_default());
            send(&producer, target, &message, headers);
            positions.took(message.partition(), message.offset());
        }
        positions.commit_in_time(&consumer);
    }
    producer.flush(Duration::from_secs(60)).expect("a topic that takes records");
    positions.finish(&consumer);
}

fn send(producer: &Producer, target: &str, message: &BorrowedMessage<'_>, headers: &[(&str, &str)]) {
    loop {
        let mut record = BaseRecord::<[u8], [u8]>::to(target);
        (record.key, record.payload) = (message.key(), message.payload());
        if !headers.is_empty() {
            let list = OwnedHeaders::new_with_capacity(headers.len());
            let add =
                |list: OwnedHeaders, &(key, value): &(&str, &str)| list.insert(Header { key, value: Some(value) });
            record.headers = Some(headers.iter().fold(list, add));
        }
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => panic!("cannot write to {target}: {error}"),
        }
    }
}

/// Counts what all replicas have of a topic; 0 while it is not there.
pub(crate) fn written(bootstrap: &str, topic: &str) -> impl Fn() -> u64 {
    const LIMIT: Duration = Duration::from_secs(10);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("allow.auto.create.topics", "false");
    let client: BaseConsumer = config.set("group.id", "counts-only").create().expect("a client");
    let topic = topic.to_owned();
    move || {
        let Ok(metadata) = client.fetch_metadata(Some(&topic), LIMIT) else { return 0 };
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let ends = (0..i32::try_from(partitions).unwrap_or(0)).map(|partition| {
            let range = client.fetch_watermarks(&topic, partition, LIMIT);
            range.map_or(0, |(_, end)| end.unsigned_abs())
        });
        ends.sum()
    }
}
