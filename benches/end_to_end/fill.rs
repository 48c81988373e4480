//! Fills topics quickly.

use crate::{body, place::Topic};
use rdkafka::{
    ClientConfig, ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// What the records of a topic are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cargo {
    pub(crate) records: u64,
    /// Bytes of each body.
    pub(crate) bytes: usize,
    pub(crate) keys: Keys,
}

/// What keys they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// None.
    None,
    /// So many, each equally often.
    Of(u64),
    /// So many, and one of them has half of all records.
    Hot(u64),
}

impl Keys {
    fn of(self, number: u64) -> Option<u64> {
        // Neighbours have keys far apart, as if many sources wrote at once.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        match self {
            Self::None => None,
            Self::Of(keys) => Some(mixed % keys),
            Self::Hot(_) if number % 2 == 0 => Some(0),
            Self::Hot(keys) => Some(mixed % keys),
        }
    }
}

/// Counts what was not written.
#[derive(Clone, Default)]
struct Refused(Arc<AtomicU64>);

impl ClientContext for Refused {}

impl ProducerContext for Refused {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
    }
}

/// Writes them in batches, without compression, spread evenly or by key. Returns the sum of all checksums.
pub(crate) fn fill(bootstrap: &str, topic: &Topic<'_>, cargo: Cargo) -> u64 {
    let refused = Refused::default();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("enable.idempotence", "true").set("linger.ms", "50");
    config.set("queue.buffering.max.messages", "500000").set("enable.metrics.push", "false");
    let producer: ThreadedProducer<Refused> =
        config.create_with_context(refused.clone()).expect("a producer of a Kafka that answers");
    let partitions = u64::from(topic.partitions.unsigned_abs());
    let mut buffer = vec![0; cargo.bytes];
    let mut sum = 0_u64;
    for number in 0..cargo.records {
        body::write(number, &mut buffer);
        sum = sum.wrapping_add(body::checksum(&buffer));
        let key = cargo.keys.of(number);
        let partition = i32::try_from(key.unwrap_or(number) % partitions).expect("a partition's number");
        send(&producer, &topic.name, partition, key, &buffer);
    }
    producer.flush(Duration::from_secs(120)).expect("a topic that takes records");
    assert_eq!(refused.0.load(Ordering::Relaxed), 0, "records of {} were not written", topic.name);
    sum
}

fn send(producer: &ThreadedProducer<Refused>, topic: &str, partition: i32, key: Option<u64>, body: &[u8]) {
    let key = key.map(u64::to_be_bytes);
    loop {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition).payload(body);
        if let Some(key) = &key {
            record = record.key(key.as_slice());
        }
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => panic!("cannot write to {topic}: {error}"),
        }
    }
}
