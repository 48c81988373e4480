//! Notes what librdkafka tells during a poll, and does nothing else.
//!
//! A rebalance is answered later, from the loop, in the order in which the events came: nothing forbids that, and
//! nothing may block here. Only while the client is being closed there is no loop any more, and the answer is given
//! at once (otherwise `close` would wait for it).

use super::rebalance::{Noted, Partition};
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// The consumer as this adapter uses it.
pub(super) type Client = BaseConsumer<Notes>;

/// An error that is not the answer to a call.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: Option<RDKafkaErrorCode>,
    pub(super) text: String,
}

/// What was noted since the loop looked last.
#[derive(Debug, Default)]
pub(super) struct Notes {
    rebalances: Mutex<Vec<Noted>>,
    faults: Mutex<Vec<Fault>>,
    closing: AtomicBool,
}

impl Notes {
    /// Takes the rebalance events, oldest first.
    pub(super) fn take_rebalances(&self) -> Vec<Noted> {
        std::mem::take(&mut *self.rebalances.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the errors, oldest first.
    pub(super) fn take_faults(&self) -> Vec<Fault> {
        std::mem::take(&mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on rebalances are answered on the spot.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn answer_now(consumer: &Client, error: RDKafkaRespErr, partitions: &TopicPartitionList) {
        let answered = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            consumer.incremental_assign(&TopicPartitionList::new())
        } else {
            // What was never started is not in the assignment, and librdkafka then refuses the whole list.
            consumer.incremental_unassign(partitions).or_else(|_| consumer.unassign())
        };
        if let Err(error) = answered {
            tracing::debug!(%error, "a rebalance during close was not answered");
        }
    }
}

impl ClientContext for Notes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    /// Statistics are not read here; a user who turns them on finds the JSON in the log.
    fn stats_raw(&self, statistics: &[u8]) {
        tracing::debug!(target: "librdkafka", statistics = %String::from_utf8_lossy(statistics), "statistics");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let fault = Fault { code: error.rdkafka_error_code(), text: reason.to_owned() };
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
}

impl ConsumerContext for Notes {
    fn rebalance(&self, consumer: &Client, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        if self.closing.load(Ordering::Acquire) {
            return Self::answer_now(consumer, error, partitions);
        }
        let list: Vec<Partition> = partitions
            .elements()
            .iter()
            .map(|element| Partition { topic: element.topic().into(), number: element.partition() })
            .collect();
        let noted = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Noted::Assigned(list)
        } else {
            Noted::Revoked { partitions: list, lost: consumer.assignment_lost() }
        };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push(noted);
    }
}
