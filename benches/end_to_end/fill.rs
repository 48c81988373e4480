//! Writes topics: quickly, or at a pace.

use crate::{body, body::Order, clock, place::Topic};
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
    time::{Duration, Instant},
};

/// What the records of a topic are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cargo {
    pub(crate) records: u64,
    pub(crate) body: Body,
    pub(crate) keys: Keys,
}

/// What bodies they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Bytes(usize),
    /// JSON orders.
    Orders,
}

/// What keys they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// None.
    None,
    /// So many, each about equally often.
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
            Self::Hot(_) if number.is_multiple_of(2) => Some(0),
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

/// Writes to one topic, evenly over its partitions, or by key.
pub(crate) struct Writer<'a> {
    producer: ThreadedProducer<Refused>,
    refused: Refused,
    topic: &'a Topic<'a>,
}

impl<'a> Writer<'a> {
    /// One whose records wait for company for so long.
    pub(crate) fn new(bootstrap: &str, topic: &'a Topic<'a>, linger_millis: u32) -> Self {
        let refused = Refused::default();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set("enable.idempotence", "true");
        config.set("linger.ms", linger_millis.to_string()).set("enable.metrics.push", "false");
        config.set("queue.buffering.max.messages", "500000");
        let producer = config.create_with_context(refused.clone()).expect("a producer of a Kafka that answers");
        Self { producer, refused, topic }
    }

    /// Writes one record; it waits for room, not for an answer.
    pub(crate) fn write(&self, number: u64, key: Option<u64>, body: &[u8]) {
        let partitions = u64::from(self.topic.partitions.unsigned_abs());
        let partition = i32::try_from(key.unwrap_or(number) % partitions).expect("a partition's number");
        let key = key.map(u64::to_be_bytes);
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic.name).partition(partition).payload(body);
            if let Some(key) = &key {
                record = record.key(key.as_slice());
            }
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => panic!("cannot write to {}: {error}", self.topic.name),
            }
        }
    }

    /// Writes records that wake a client up, one after another in turn over the partitions, until `is_awake`.
    pub(crate) fn warm_up(&self, is_awake: impl Fn() -> bool) {
        let mut buffer = [0; 16];
        body::write(body::WARM_UP, &mut buffer);
        for turn in 0.. {
            if is_awake() {
                return;
            }
            self.write(turn, None, &buffer);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Writes numbered records of 100 B, so many a second, stamped with the time of their writing.
    pub(crate) fn pace(&self, numbers: std::ops::Range<u64>, per_second: u64) {
        let (began, first) = (Instant::now(), numbers.start);
        let mut buffer = [0; 100];
        for number in numbers {
            let due = Duration::from_nanos((number - first) * 1_000_000_000 / per_second);
            if let Some(early) = due.checked_sub(began.elapsed()).filter(|early| *early > Duration::from_micros(200)) {
                thread::sleep(early);
            }
            body::write(number, &mut buffer);
            body::write_stamp(clock::micros(), &mut buffer);
            self.write(number, None, &buffer);
        }
    }

    /// Waits until everything is written.
    pub(crate) fn finish(self) {
        self.producer.flush(Duration::from_secs(120)).expect("a topic that takes records");
        let refused = self.refused.0.load(Ordering::Relaxed);
        assert_eq!(refused, 0, "records of {} were not written", self.topic.name);
    }
}

/// Writes them in batches, without compression. Returns the sum of all checksums.
pub(crate) fn fill(bootstrap: &str, topic: &Topic<'_>, cargo: Cargo) -> u64 {
    let writer = Writer::new(bootstrap, topic, 50);
    let mut sum = 0_u64;
    let mut buffer = match cargo.body {
        Body::Bytes(bytes) => vec![0; bytes],
        Body::Orders => Vec::new(),
    };
    for number in 0..cargo.records {
        let checksum = match cargo.body {
            Body::Bytes(_) => {
                body::write(number, &mut buffer);
                body::checksum(&buffer)
            }
            Body::Orders => {
                let order = Order::new(number);
                buffer.clear();
                serde_json::to_writer(&mut buffer, &order).expect("an order is JSON");
                order.sum()
            }
        };
        sum = sum.wrapping_add(checksum);
        writer.write(number, cargo.keys.of(number), &buffer);
    }
    writer.finish();
    sum
}
