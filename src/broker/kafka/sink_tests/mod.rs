//! The sink against a broker: what is written is read back as bytes.

mod embedded;
mod real;

use super::{
    ffi::raw_headers::{RawHeader, raw_headers},
    producer::{KafkaSink, SinkSetup},
};
use crate::{
    broker::{Sink, Waker},
    record::{BatchBuilder, Meter, Position, Record},
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use retrial_core::{
    event::{Acknowledged, Body, Forward, Target},
    history::{History, SourceTime},
    id::{ForwardId, Origin, Slot},
    naming::GroupNames,
    time::Timestamp,
};
use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// One user record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Given {
    key: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    headers: Vec<RawHeader>,
}

/// A record as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    partition: i32,
    key: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    headers: Vec<RawHeader>,
    time: rdkafka::Timestamp,
}

impl Found {
    fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name.as_bytes())?;
        Some(String::from_utf8(value.clone().unwrap()).unwrap())
    }

    /// What the user gave, by the rule that the group's own headers follow the user's.
    fn given(&self) -> Given {
        let own = self.headers.iter().position(|(name, _)| name.starts_with(b"retrial-")).unwrap();
        Given { key: self.key.clone(), body: self.body.clone(), headers: self.headers[..own].to_vec() }
    }
}

fn record(offset: i64, given: &Given) -> Record {
    let mut batch = BatchBuilder::new("orders".into(), 3, 1, Arc::new(Meter::default()));
    let position =
        Position { offset, leader_epoch: 0, time: SourceTime::Create(Timestamp::from_millis(1_700_000_000_000)) };
    let headers = given.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()));
    batch.push(position, given.key.as_deref(), given.body.as_deref(), headers);
    let batch = batch.finish();
    batch.records().next().unwrap()
}

fn history(offset: i64) -> History {
    let origin = Origin { topic: "orders".into(), partition: 3, offset };
    History::new(origin, SourceTime::Create(Timestamp::from_millis(1_700_000_000_000)))
}

fn forward(id: u64, target: Target, given: &Given) -> Forward<Record> {
    let offset = i64::try_from(id).unwrap();
    Forward {
        id: ForwardId(id),
        slot: Slot { index: 0, generation: 0 },
        target,
        body: Body::Whole,
        record: record(offset, given),
        history: Arc::new(history(offset)),
    }
}

const TIER: Target = Target::Tier(Duration::from_secs(5));

/// A sink and the bell it rings.
struct Bench {
    sink: Box<KafkaSink>,
    bell: mpsc::Receiver<()>,
}

impl Bench {
    fn new(address: &str, names: GroupNames, broker_stamps: bool) -> Self {
        Self::with(address, names, broker_stamps, &[])
    }

    fn with(address: &str, names: GroupNames, broker_stamps: bool, properties: &[(&str, &str)]) -> Self {
        let mut connection = ClientConfig::new();
        connection.set("bootstrap.servers", address);
        for (name, value) in properties {
            connection.set(*name, *value);
        }
        let (ring, bell) = mpsc::channel();
        let waker = Waker::new(move || ring.send(()).unwrap_or_default());
        let setup = SinkSetup { connection, names, broker_stamps, queue: 32 << 20, retention: HashMap::new() };
        Self { sink: Box::new(KafkaSink::new(setup, waker).unwrap()), bell }
    }

    /// Polls whenever the bell rings, and only then, until so many forwards are answered; sorted by id.
    fn answers(&mut self, count: usize) -> Vec<Acknowledged> {
        let deadline = Instant::now() + PATIENCE;
        let mut results = Vec::new();
        self.sink.poll(&mut results);
        while results.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            self.bell
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("{} of {count} answers: {results:?}", results.len()));
            self.sink.poll(&mut results);
        }
        results.sort_by_key(|result| result.id);
        results
    }

    /// Sends one forward and waits for its answer.
    fn answer(&mut self, forward: Forward<Record>) -> Acknowledged {
        self.sink.send(forward);
        self.answers(1).remove(0)
    }
}

/// Reads a topic from its beginning until so many records came.
fn read(address: &str, topic: &str, partitions: i32, count: usize) -> Vec<Found> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .set("fetch.message.max.bytes", "20000000")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut found = Vec::new();
    while found.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records", found.len());
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        found.push(Found {
            partition: message.partition(),
            key: message.key().map(<[u8]>::to_vec),
            body: message.payload().map(<[u8]>::to_vec),
            headers: raw_headers(&message),
            time: message.timestamp(),
        });
    }
    found
}

/// Records that break naive clients: binary, null, empty, repeated, large.
fn awkward() -> Vec<Given> {
    let text = |name: &str, value: Option<&[u8]>| (name.as_bytes().to_vec(), value.map(<[u8]>::to_vec));
    vec![
        Given::default(),
        Given { key: Some(vec![]), body: Some(vec![]), headers: vec![(vec![], Some(vec![])), text("n", None)] },
        Given {
            key: Some(vec![0, 255, 0]),
            body: None,
            headers: vec![
                (vec![0xff, 0xfe, 0xc0], Some(vec![0, 1, 2, 0])),
                text("same", Some(b"1")),
                text("same", None),
                text("same", Some(b"")),
                (vec![b'x'; 70_000], Some(vec![7; 70_000])),
            ],
        },
        Given {
            key: Some(b"k".to_vec()),
            body: Some((0..900 * 1024).map(|i: u32| i.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()),
            headers: vec![text("content-type", Some(b"x"))],
        },
    ]
}
