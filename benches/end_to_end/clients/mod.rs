//! The clients that are measured: retrial, and what users would write by hand.

mod base;
mod futures;
mod positions;
mod retrial;
mod sender;
mod spawned;
mod stream;
mod tokio_runtime;

use crate::{child::Orders, desk::Desk};
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};
use std::{sync::atomic::AtomicBool, time::Duration};
use tokio::runtime::{Builder, Runtime};

pub(crate) use sender::written;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Client {
    /// retrial.
    Retrial,
    /// (a) A loop around `BaseConsumer::poll`. What never ends it passes by, and commits nothing beyond.
    Base,
    /// (b) A loop around `StreamConsumer::recv`.
    Stream,
    /// (c) `StreamConsumer` with a task per record, as many at once as a semaphore lets. Its commits are not safe.
    Spawned,
    /// (a), which sends every record on.
    Sender,
    /// The same, with as many headers as a forward of retrial has.
    SenderOfHeaders,
    /// No Kafka: the same futures alone.
    Futures,
}

impl Client {
    /// What it is called in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Retrial => "retrial",
            Self::Base => "BaseConsumer",
            Self::Stream => "StreamConsumer",
            Self::Spawned => "tokio::spawn",
            Self::Sender => "ThreadedProducer",
            Self::SenderOfHeaders => "ThreadedProducer, headers",
            Self::Futures => "futures alone",
        }
    }
}

/// The same for all clients: librdkafka's names. They are what retrial sets by itself.
pub(crate) const PROPERTIES: &[(&str, &str)] = &[
    ("isolation.level", "read_committed"),
    ("session.timeout.ms", "10000"),
    ("heartbeat.interval.ms", "3333"),
    ("max.poll.interval.ms", "60000"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.wait.max.ms", "40"),
    ("fetch.message.max.bytes", "1048576"),
    ("socket.timeout.ms", "10000"),
    ("enable.metrics.push", "false"),
    ("topic.metadata.refresh.interval.ms", "30000"),
];

/// Of references only: retrial decides these itself.
pub(crate) const OF_REFERENCES: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("queued.max.messages.kbytes", "65536"),
    ("queued.min.messages", "100000"),
];

/// How long a client waits for a record before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

/// Reads until it is told to stop.
pub(crate) fn run(orders: &Orders, desk: &'static Desk, stop: &AtomicBool) {
    match orders.client {
        Client::Retrial => runtime().block_on(retrial::run(orders, desk, stop)),
        Client::Base => base::run(orders, desk, stop),
        Client::Stream => runtime().block_on(stream::run(orders, desk, stop)),
        Client::Spawned => runtime().block_on(spawned::run(orders, desk, stop)),
        Client::Sender => sender::run(orders, desk, stop, &[]),
        Client::SenderOfHeaders => sender::run(orders, desk, stop, sender::HEADERS),
        Client::Futures => runtime().block_on(futures::run(orders, desk)),
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn reference(orders: &Orders) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in PROPERTIES.iter().chain(OF_REFERENCES) {
        config.set(*name, *value);
    }
    config.set("bootstrap.servers", &orders.bootstrap).set("group.id", &orders.group);
    config
}
