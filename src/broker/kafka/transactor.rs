//! What an operator writes: several records to several topics, all or nothing, by one writer of the group at a time.
//!
//! # Invariants
//! 1. There is one `transactional.id` for each group. Whoever opens a transactor fences the one before (RULES 18).
//! 2. After any error this value is of no more use, and whether its last transaction was committed is not known: open
//!    another, which ends what was open, and read the control topic to see.
//! 3. No transaction is open between a commit and the next record: waits stall no reader (RULES 19).

use super::{
    connect::Kafka,
    ffi::produce::{Outgoing, Producer, Report, Ticket},
    producer::append_time,
};
use crate::{broker::Waker, clock};
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};
use retrial_core::{control::FRESH, time::Timestamp};
use std::time::{Duration, Instant};

/// How long a commit, and the fencing of another one, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a transactor can write no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Another one of this group was opened.
    Fenced,
    /// It does not work, and another try may.
    Failed(String),
    /// It must not.
    Forbidden(String),
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutRecord<'a> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) body: Option<&'a [u8]>,
    /// Its partition is this modulo the partitions of the topic.
    pub(crate) spread: u64,
}

/// Writes in transactions, as the operator of a group. See the [module](self).
#[derive(Debug)]
pub(crate) struct Transactor {
    id: String,
    producer: Producer,
    is_open: bool,
    reports: Vec<Report>,
}

impl Transactor {
    /// Fences whoever wrote for this group before. `largest`: bytes of a batch that every topic takes.
    pub(crate) fn open(kafka: &Kafka, group: &str, largest: usize) -> Result<Self, Broken> {
        let id = format!("retrial-operator-{group}");
        let mut config = kafka.connection();
        for name in ["delivery.timeout.ms", "request.required.acks", "retries"] {
            config.remove(name);
        }
        let limit = FRESH.as_millis().to_string();
        for (name, value) in [
            ("transactional.id", id.as_str()),
            ("transaction.timeout.ms", &limit),
            ("message.timeout.ms", &limit),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("delivery.report.only.error", "false"),
            // The topic decides what is too large, and is asked before.
            ("message.max.bytes", "1000000000"),
            ("batch.size", &largest.clamp(1024, 1 << 20).to_string()),
            ("batch.num.messages", "100000"),
            // Else records without a key bypass our choice of the partition.
            ("sticky.partitioning.linger.ms", "0"),
            ("allow.auto.create.topics", "false"),
            ("enable.metrics.push", "false"),
        ] {
            config.set(name, value);
        }
        let producer = Producer::new(&config, Waker::new(|| {})).map_err(|error| Broken::Failed(error.to_string()))?;
        let transactor = Self { id, producer, is_open: false, reports: Vec::new() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match transactor.producer.init_transactions(deadline.saturating_duration_since(Instant::now())) {
                Ok(()) => return Ok(transactor),
                Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
                Err(error) => return Err(transactor.broken(&error)),
            }
        }
    }

    /// Writes a record in the transaction that is open, or in a new one.
    pub(crate) fn write<'h>(
        &mut self,
        record: OutRecord<'_>,
        headers: impl IntoIterator<Item = (&'h [u8], Option<&'h [u8]>)> + Clone,
    ) -> Result<(), Broken> {
        if !self.is_open {
            self.producer.begin_transaction().map_err(|error| self.broken(&error))?;
            self.is_open = true;
        }
        let OutRecord { topic, key, body, spread } = record;
        loop {
            let outgoing = Outgoing { topic, key, body, time: clock::now() };
            match self.producer.produce(outgoing, headers.clone(), Ticket { token: 0, spread }) {
                Ok(()) => return Ok(()),
                Err(RDKafkaErrorCode::QueueFull) => self.producer.flush(Duration::from_millis(100)),
                Err(code) => return Err(self.broken(&KafkaError::MessageProduction(code))),
            }
        }
    }

    /// Commits what was written since the last commit, and returns when the broker appended the last of it.
    pub(crate) fn commit(&mut self) -> Result<Option<Timestamp>, Broken> {
        if !self.is_open {
            return Ok(None);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let committed = self.producer.commit_transaction(deadline.saturating_duration_since(Instant::now()));
            // A request that timed out here is asked for again: it is the same one to the coordinator.
            match committed {
                Ok(()) => break,
                Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
        self.is_open = false;
        self.reports.clear();
        self.producer.poll(&mut self.reports);
        let stamps = self.reports.iter().filter_map(|report| report.result.ok().and_then(append_time));
        Ok(stamps.max())
    }

    fn broken(&self, error: &KafkaError) -> Broken {
        use RDKafkaErrorCode as Code;
        match error.rdkafka_error_code().or_else(|| transaction_code(error)) {
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => Broken::Fenced,
            Some(Code::TransactionalIdAuthorizationFailed) => {
                Broken::Forbidden(format!("this user needs WRITE and DESCRIBE on transactional id {}", self.id))
            }
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
                Broken::Forbidden(error.to_string())
            }
            _ => match self.producer.fatal() {
                // What was reported first may be a consequence only.
                Some(why) if why.contains("fenced") => Broken::Fenced,
                Some(why) => Broken::Failed(why),
                None => Broken::Failed(error.to_string()),
            },
        }
    }
}

fn transaction_code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        _ => None,
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_retriable())
}
