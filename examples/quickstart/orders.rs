//! The orders, and what is wrong with some of them.

use crate::place::Place;
use rdkafka::{
    error::KafkaError,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// How many there are, with numbers from 1.
pub(crate) const ORDERS: u64 = 1_000;

/// Whose numbers divide by this fail at the first attempt: 50.
pub(crate) const FAILS_ONCE: u64 = 20;

/// Whose numbers divide by this fail at the second one, too: 10 of the 50.
pub(crate) const FAILS_TWICE: u64 = 100;

/// The card of this one is refused.
pub(crate) const REFUSED: u64 = 404;

/// This one costs `"a lot"`, which is no number.
const UNDECODABLE: u64 = 777;

const CUSTOMERS: u64 = 97;

#[derive(serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) cents: u64,
}

/// Writes all of them, and waits until Kafka has them.
pub(crate) fn produce(place: &Place) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> = place.client().create()?;
    for id in 1..=ORDERS {
        let key = format!("customer {}", id % CUSTOMERS);
        let body = match id {
            UNDECODABLE => format!(r#"{{"id":{id},"cents":"a lot"}}"#),
            _ => format!(r#"{{"id":{id},"cents":{}}}"#, 100 + id * 7 % 900),
        };
        producer.send(BaseRecord::to(&place.topic).key(&key).payload(&body)).map_err(|(error, _)| error)?;
    }
    producer.flush(LIMIT)
}
