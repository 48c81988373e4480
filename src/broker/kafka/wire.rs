//! One producer, what it was given, and what becomes of that when it breaks.

use super::ffi::produce::Producer;
use crate::{broker::Waker, record::Record};
use foldhash::fast::FixedState;
use rdkafka::{ClientConfig, error::KafkaError};
use retrial_core::{event::Forward, time::Timestamp};
use std::{collections::HashMap, mem, sync::mpsc, thread};

/// How many records a producer is given at a time.
const WIRE_RECORDS: usize = 50_000;

/// A connection with what a producer of forwards needs. These settings are promises, so they win over the user's.
pub(crate) fn producer_settings(connection: &ClientConfig) -> ClientConfig {
    let mut settings = connection.clone();
    // Other names of what is set below (librdkafka would apply both, in no certain order), and a transaction nobody ends.
    for name in ["delivery.timeout.ms", "request.required.acks", "retries", "transactional.id"] {
        settings.remove(name);
    }
    for (name, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        // RULES 16: a forward that timed out here might still be written by a retry of a new one.
        ("message.timeout.ms", "0"),
        ("message.send.max.retries", "2147483647"),
        // Else nobody hears of what was written.
        ("delivery.report.only.error", "false"),
        // Else a purge, which leaves a gap, breaks the producer for good.
        ("enable.gapless.guarantee", "false"),
        // RULES 11: the topic decides what is too large, not the client.
        ("message.max.bytes", "1000000000"),
        // librdkafka never takes a record above its byte bound, so the bound is the largest record; ours is lower.
        ("queue.buffering.max.kbytes", "2000000"),
        ("queue.buffering.max.messages", "0"),
        ("batch.size", "65536"),
        // Else records without a key bypass our choice of the partition (rdkafka_msg.c, rd_kafka_msg_partitioner).
        ("sticky.partitioning.linger.ms", "0"),
        ("allow.auto.create.topics", "false"),
        // A topic that is gone is told after this long instead of 30 s; the engine tries again.
        ("topic.metadata.propagation.max.ms", "5000"),
        // And one that came back is found after this long instead of 5 min.
        ("topic.metadata.refresh.interval.ms", "15000"),
        ("enable.metrics.push", "false"),
    ] {
        settings.set(name, value);
    }
    settings
}

/// A forward that waits for its report.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) forward: Forward<Record>,
    /// Of key, body and headers.
    pub(super) bytes: usize,
    /// What it costs in the producer's memory, in bytes.
    pub(super) cost: usize,
    pub(super) sent: Timestamp,
    pub(super) lone: bool,
}

/// One producer and what it was given.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) producer: Producer,
    settings: ClientConfig,
    waker: Waker,
    pub(super) pending: HashMap<u64, Pending, FixedState>,
    /// What all of them cost.
    cost: usize,
    /// How much of that it is given at a time; one larger record goes out when nothing else is under way.
    limit: usize,
    /// What has a smaller token was there when a purge was asked for.
    pub(super) purged_below: u64,
}

impl Wire {
    /// A producer that is given at most `limit` bytes at a time.
    pub(super) fn new(settings: ClientConfig, limit: usize, waker: Waker) -> Result<Self, KafkaError> {
        let producer = Producer::new(&settings, waker.clone())?;
        Ok(Self { producer, settings, waker, pending: HashMap::default(), cost: 0, limit, purged_below: 0 })
    }

    pub(super) fn has_room(&self, cost: usize) -> bool {
        self.pending.is_empty() || (self.pending.len() < WIRE_RECORDS && self.cost + cost <= self.limit)
    }

    pub(super) fn put(&mut self, token: u64, pending: Pending) {
        self.cost += pending.cost;
        self.pending.insert(token, pending);
    }

    pub(super) fn take(&mut self, token: u64) -> Option<Pending> {
        let pending = self.pending.remove(&token)?;
        self.cost -= pending.cost;
        Some(pending)
    }

    /// Puts a new producer in the place of a broken one; returns what is to be sent again, in its first order.
    pub(super) fn replace(&mut self) -> Result<Vec<Pending>, KafkaError> {
        let fresh = Producer::new(&self.settings, self.waker.clone())?;
        retire(mem::replace(&mut self.producer, fresh));
        let mut unresolved: Vec<_> = self.pending.drain().collect();
        unresolved.sort_unstable_by_key(|&(token, _)| token);
        self.cost = 0;
        Ok(unresolved.into_iter().map(|(_, pending)| pending).collect())
    }
}

/// Ends a producer on a thread of its own, because that may take its time. The receiver hears when it is over.
pub(super) fn retire(producer: Producer) -> mpsc::Receiver<()> {
    let (ended, over) = mpsc::channel();
    let end = move || {
        drop(producer);
        // Nobody may be listening.
        let _ = ended.send(());
    };
    if let Err(error) = thread::Builder::new().name("retrial-retire".to_owned()).spawn(end) {
        tracing::warn!(%error, "no thread to end a producer on: it was ended here");
    }
    over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_property_of_the_user_weakens_a_forward() {
        let mut connection = ClientConfig::new();
        connection.set("bootstrap.servers", "localhost:1").set("linger.ms", "7").set("compression.type", "lz4");
        for (name, value) in [
            ("acks", "1"),
            ("request.required.acks", "0"),
            ("enable.idempotence", "false"),
            ("delivery.timeout.ms", "1000"),
            ("message.timeout.ms", "1000"),
            ("retries", "0"),
            ("message.send.max.retries", "0"),
            ("delivery.report.only.error", "true"),
            ("transactional.id", "x"),
            ("sticky.partitioning.linger.ms", "10"),
            ("allow.auto.create.topics", "true"),
        ] {
            connection.set(name, value);
        }
        let settings = producer_settings(&connection).create_native_config().unwrap();
        for (name, value) in [
            ("acks", "-1"),
            ("enable.idempotence", "true"),
            ("message.timeout.ms", "0"),
            ("message.send.max.retries", "2147483647"),
            ("delivery.report.only.error", "false"),
            ("transactional.id", ""),
            ("sticky.partitioning.linger.ms", "0"),
            ("allow.auto.create.topics", "false"),
            ("linger.ms", "7"),
            ("compression.type", "lz4"),
        ] {
            assert_eq!(settings.get(name).unwrap_or_default(), value, "{name}");
        }
        Wire::new(producer_settings(&connection), 1 << 20, Waker::new(|| {})).unwrap();
    }
}
