//! Writes records to the user's own topics, for an operator: acknowledged by all in-sync replicas, in order.

use super::{connect::Kafka, connection::Unreachable, operator::OperatorError, properties::PropertyError};
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long a record may take to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(30);

/// A header on its way.
pub(crate) type OutHeader = (String, Option<Vec<u8>>);

/// What became of the records so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fates {
    pub(crate) written: u64,
    pub(crate) failed: u64,
    /// Why the first one failed, in the client's words.
    pub(crate) first_failure: Option<String>,
}

#[derive(Debug, Default)]
struct Reports(Mutex<Fates>);

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(target: "librdkafka", facility, "{text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        let mut fates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match delivered {
            Ok(_) => fates.written += 1,
            Err((error, _)) => {
                fates.failed += 1;
                fates.first_failure.get_or_insert_with(|| error.to_string());
            }
        }
    }
}

/// A producer. Partitions are chosen by key as Java's clients do it, unless `partitioner` is set otherwise: so a key goes
/// where other programs put it.
pub(crate) struct Outbox {
    topic: String,
    address: String,
    producer: BaseProducer<Reports>,
}

impl Outbox {
    pub(crate) fn new(kafka: &Kafka, topic: &str) -> Result<Self, OperatorError> {
        let mut config = kafka.connection();
        if config.get("partitioner").is_none() {
            config.set("partitioner", "murmur2_random");
        }
        for (name, value) in [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("message.timeout.ms", "30000"),
            ("allow.auto.create.topics", "false"),
            ("enable.metrics.push", "false"),
            // The topic decides what is too large.
            ("message.max.bytes", "1000000000"),
        ] {
            config.set(name, value);
        }
        // A transaction that nobody ends would hide what is written.
        config.remove("transactional.id");
        let producer = config.create_with_context(Reports::default()).map_err(PropertyError::from)?;
        Ok(Self { topic: topic.to_owned(), address: kafka.address().to_owned(), producer })
    }

    /// Hands a record over; waits while there is no room. What became of it is counted later.
    pub(crate) fn put(
        &self,
        key: Option<&[u8]>,
        body: Option<&[u8]>,
        headers: &[OutHeader],
        partition: Option<i32>,
    ) -> Result<(), OperatorError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic);
        (record.key, record.payload, record.partition) = (key, body, partition);
        if !headers.is_empty() {
            let add = |all: OwnedHeaders, (name, value): &OutHeader| {
                all.insert(Header { key: name, value: value.as_deref() })
            };
            record.headers = Some(headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), add));
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => {
                    self.producer.poll(Duration::ZERO);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(100));
                }
                Err((error, _)) => {
                    let what = format!("a record was not taken for {}", self.topic);
                    return Err(OperatorError::Refused { what, why: error.to_string() });
                }
            }
        }
    }

    /// What became of the records so far.
    pub(crate) fn fates(&self) -> Fates {
        self.producer.context().0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until each record has its fate.
    pub(crate) fn flush(&self) -> Result<Fates, OperatorError> {
        // A record that is not acknowledged by then has failed: its own limit is shorter.
        match self.producer.flush(PATIENCE + Duration::from_secs(5)) {
            Ok(()) => Ok(self.fates()),
            Err(error) => {
                let (address, reason) = (self.address.clone(), error.to_string());
                Err(Unreachable { address, limit: PATIENCE, reason }.into())
            }
        }
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("topic", &self.topic).finish_non_exhaustive()
    }
}
