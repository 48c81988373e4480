//! Producing: everything given is acknowledged by all in-sync replicas before the call returns.

use std::{
    sync::mpsc::{Sender, channel},
    thread,
    time::Duration,
};

use rdkafka::{
    ClientContext, Message as _,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, NoCustomPartitioner, ProducerContext, ThreadedProducer},
};

use crate::{Kafka, Position, TestRecord};

pub(crate) type Producer = ThreadedProducer<Acknowledgements>;

pub(crate) struct Acknowledgements;

/// Which of the records of a call was acknowledged, and who waits for that.
pub(crate) struct Delivery {
    index: usize,
    waiting: Sender<(usize, Result<Position, KafkaError>)>,
}

impl ClientContext for Acknowledgements {}

impl ProducerContext<NoCustomPartitioner> for Acknowledgements {
    type DeliveryOpaque = Box<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Box<Delivery>) {
        let position = match result {
            Ok(message) => Ok(Position { partition: message.partition(), offset: message.offset() }),
            Err((error, _)) => Err(error.clone()),
        };
        let _ = delivery.waiting.send((delivery.index, position));
    }
}

impl Kafka {
    /// Produces `records` in order, and returns where each one lies.
    pub fn produce<R: Into<TestRecord>>(&self, topic: &str, records: impl IntoIterator<Item = R>) -> Vec<Position> {
        let (waiting, acknowledged) = channel();
        let mut sent = 0;
        for record in records {
            self.send(topic, &record.into(), &Delivery { index: sent, waiting: waiting.clone() });
            sent += 1;
        }
        drop(waiting);
        let mut positions = vec![Position { partition: -1, offset: -1 }; sent];
        for (index, position) in acknowledged {
            positions[index] = position.unwrap_or_else(|error| panic!("record {index} to {topic}: {error}"));
        }
        positions
    }

    fn send(&self, topic: &str, record: &TestRecord, delivery: &Delivery) {
        loop {
            let delivery = Delivery { index: delivery.index, waiting: delivery.waiting.clone() };
            match self.producer().send(native(topic, record, delivery)) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => panic!("cannot produce to {topic}: {error}"),
            }
        }
    }

    fn producer(&self) -> &Producer {
        self.producer.get_or_init(|| {
            let mut config = self.own_client_config();
            // In order, also across a broker's death: tests read back what they wrote.
            config.set("enable.idempotence", "true").set("linger.ms", "1").set("message.timeout.ms", "60000");
            config.create_with_context(Acknowledgements).expect("a producer of a cluster that answers")
        })
    }
}

fn native<'a>(
    topic: &'a str,
    record: &'a TestRecord,
    delivery: Delivery,
) -> BaseRecord<'a, Vec<u8>, Vec<u8>, Box<Delivery>> {
    let mut native = BaseRecord::with_opaque_to(topic, Box::new(delivery));
    native.partition = record.partition;
    native.timestamp = record.timestamp;
    native.key = record.key.as_ref();
    native.payload = record.value.as_ref();
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        native.headers = Some(
            record
                .headers
                .iter()
                .fold(headers, |headers, (name, value)| headers.insert(Header { key: name, value: value.as_ref() })),
        );
    }
    native
}
