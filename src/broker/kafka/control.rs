//! The control topic, as operators read it; and the one record that they write outside of a transaction.

use super::{
    connect::Kafka,
    connection::Unreachable,
    ffi::produce::{Outgoing, Producer, Ticket},
    reading::{is_final, reader, unreachable},
    wire::producer_settings,
};
use crate::{broker::Waker, clock};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::BorrowedMessage,
};
use retrial_core::{
    control::{Control, stop_key},
    naming::GroupNames,
    time::Timestamp,
};
use std::time::{Duration, Instant};

/// How long a reading to the end may take, and an answer to a request.
const LIMIT: Duration = Duration::from_secs(30);

/// Reads a group's control topic: to its end, and what follows.
pub(crate) struct ControlReader {
    settings: ClientConfig,
    topic: String,
    consumer: BaseConsumer,
}

impl ControlReader {
    /// Begins at the topic's start. What was written before this call is what a reading to the end sees at least.
    pub(crate) fn open(kafka: &Kafka, names: &GroupNames) -> Result<Self, Unreachable> {
        let (settings, topic) = (kafka.reading(names.group()), names.control());
        let consumer = reader(&settings, LIMIT)?;
        let mut assignment = TopicPartitionList::new();
        let told = |error: KafkaError| unreachable(&settings, LIMIT, format!("{topic}: {error}"));
        // By its number: librdkafka asks where "the beginning" is before it knows the leader, and then waits half a second.
        // If the log begins later, it begins there.
        assignment.add_partition_offset(&topic, 0, Offset::Offset(0)).map_err(told)?;
        consumer.assign(&assignment).map_err(told)?;
        Ok(Self { settings, topic, consumer })
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// The end was not reached in time.
    pub(crate) fn read_to_end(&self, control: &mut Control) -> Result<(), Unreachable> {
        let told = |why: String| unreachable(&self.settings, LIMIT, format!("{}: {why}", self.topic));
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => take_in(control, &message),
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) if is_final(&error) => return Err(told(error.to_string())),
                // The client tries again by itself; the deadline bounds that.
                Some(Err(error)) => tracing::debug!(%error, "reading goes on"),
                None => {}
            }
            if Instant::now() > deadline {
                return Err(told("its end was not reached".to_owned()));
            }
        }
    }

    /// Reads what has come since, without waiting, and takes in the requests to stop among it. The rest is what the caller
    /// wrote itself, and knows better.
    pub(crate) fn read_requests(&self, control: &mut Control) {
        let request = stop_key("");
        while let Some(read) = self.consumer.poll(Duration::ZERO) {
            match read {
                Ok(message) if message.key().is_some_and(|key| key.starts_with(request.as_bytes())) => {
                    take_in(control, &message);
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "reading goes on"),
            }
        }
    }
}

impl std::fmt::Debug for ControlReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlReader").field("topic", &self.topic).finish_non_exhaustive()
    }
}

fn take_in(control: &mut Control, message: &BorrowedMessage<'_>) {
    let at = message.timestamp().to_millis().map_or_else(Timestamp::default, Timestamp::from_millis);
    if let Some(key) = message.key() {
        control.take_in(key, message.payload(), at);
    }
}

/// Writes one record to the control topic, outside of any transaction: for those who do not write otherwise.
///
/// # Errors
/// It was not acknowledged.
pub(crate) fn request(kafka: &Kafka, names: &GroupNames, key: &str, value: &str) -> Result<(), Unreachable> {
    let settings = producer_settings(&kafka.connection());
    let told = |why: String| unreachable(&settings, LIMIT, format!("{}: {why}", names.control()));
    let mut producer = Producer::new(&settings, Waker::new(|| {})).map_err(|error| told(error.to_string()))?;
    let topic = names.control();
    let record =
        Outgoing { topic: &topic, key: Some(key.as_bytes()), body: Some(value.as_bytes()), time: clock::now() };
    producer.produce(record, [], Ticket { token: 0, spread: 0 }).map_err(|code| told(code.to_string()))?;
    producer.flush(LIMIT);
    let mut reports = Vec::new();
    producer.poll(&mut reports);
    match reports.first().map(|report| report.result) {
        Some(Ok(_)) => Ok(()),
        Some(Err(code)) => Err(told(code.to_string())),
        None => Err(told("no answer".to_owned())),
    }
}
