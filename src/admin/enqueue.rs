//! Records for a source topic, as work of an operator's own.

use super::AdminError;
use crate::broker::kafka::{Kafka, Operator, Outbox};

/// Name and value of a header; a value may be null.
pub type NewHeader = (String, Option<Vec<u8>>);

/// A record to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Its key; `None` for null.
    pub key: Option<Vec<u8>>,
    /// Its body; `None` for null.
    pub body: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<NewHeader>,
    /// Its partition; `None` for the one of its key, or any.
    pub partition: Option<i32>,
}

/// What became of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// Acknowledged by all in-sync replicas.
    pub written: u64,
    /// Not acknowledged in time, or refused. Some of these may be written all the same.
    pub failed: u64,
    /// Why the first one failed.
    pub first_failure: Option<String>,
}

/// Writes records to one topic, in the order in which they are given. Every group that reads the topic sees them.
#[derive(Debug)]
pub struct Enqueuer {
    outbox: Outbox,
    topic: String,
    partitions: i32,
}

impl Enqueuer {
    /// Connects. Topics are never made by writing to them.
    ///
    /// # Errors
    /// The topic does not exist; or see [`AdminError`].
    pub fn connect(kafka: &Kafka, topic: &str) -> Result<Self, AdminError> {
        // Asks for topics only; no group is touched.
        let operator = Operator::connect(kafka, "retrial")?;
        let missing = || AdminError::NoTopic { topic: topic.to_owned(), address: kafka.address().to_owned() };
        let partitions = operator.topics().get(topic).copied().ok_or_else(missing)?;
        Ok(Self { outbox: Outbox::new(kafka, topic)?, topic: topic.to_owned(), partitions })
    }

    /// Hands a record over. Waits while too many are under way.
    ///
    /// # Errors
    /// Its partition does not exist, or it was not taken; or see [`AdminError`].
    pub fn put(&self, record: &NewRecord) -> Result<(), AdminError> {
        if let Some(partition) = record.partition.filter(|partition| !(0..self.partitions).contains(partition)) {
            let what = format!("a record was not taken for partition {partition} of {}", self.topic);
            return Err(AdminError::Refused { what, why: format!("it has {} partitions, from 0", self.partitions) });
        }
        let NewRecord { key, body, headers, partition } = record;
        Ok(self.outbox.put(key.as_deref(), body.as_deref(), headers, *partition)?)
    }

    /// What became of the records so far.
    #[must_use]
    pub fn so_far(&self) -> Enqueued {
        let fates = self.outbox.fates();
        Enqueued { written: fates.written, failed: fates.failed, first_failure: fates.first_failure }
    }

    /// Waits until each record is acknowledged or has failed, half a minute at most.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub fn finish(self) -> Result<Enqueued, AdminError> {
        self.outbox.flush()?;
        Ok(self.so_far())
    }
}
