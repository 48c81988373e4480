//! Asks a topic whether it takes records of a size, by writing one.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::{
    ClientContext,
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
    types::RDKafkaErrorCode,
};
use retrial_kafka_for_tests::Kafka;

use crate::wait::PATIENCE;

/// A producer that remembers how its last record fared.
pub(crate) struct Probe {
    producer: BaseProducer<Last>,
    last: Last,
    topic: String,
}

#[derive(Clone, Default)]
struct Last(Arc<Mutex<Option<KafkaError>>>);

impl ClientContext for Last {}

impl ProducerContext for Last {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let error = result.as_ref().err().map(|(error, _)| error.clone());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

impl Probe {
    pub(crate) fn new(kafka: &Kafka, topic: &str) -> Self {
        let last = Last::default();
        let producer = kafka.client_config().create_with_context(last.clone()).expect("a producer");
        Self { producer, last, topic: topic.to_owned() }
    }

    /// Writes a record of so many bytes; whether it was refused for its size.
    pub(crate) fn is_too_large(&self, bytes: usize) -> bool {
        let body = vec![b'x'; bytes];
        let record = BaseRecord::<(), [u8]>::to(&self.topic).payload(&body);
        self.producer.send(record).unwrap_or_else(|(error, _)| panic!("no probe of {}: {error}", self.topic));
        self.producer.flush(PATIENCE).expect("an answer to a probe");
        let last = self.last.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|error| error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge))
    }
}
