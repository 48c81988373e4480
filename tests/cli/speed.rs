//! How fast a redrive is beside a bare producer: `cargo test --release --test cli speed:: -- --ignored --nocapture` prints it.

use crate::{
    bureau::{dead, each_went_back_once, with_letters},
    command::run_for,
};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use retrial_core::redrive::brought_back;
use retrial_kafka_for_tests::{Kafka, available};
use std::time::{Duration, Instant};

const LETTERS: i64 = 200_000;

/// Writes the same records as the redrive does, without reading anything, and without transactions.
fn bare(kafka: &Kafka, group: &str) -> Duration {
    let topic = kafka.unique_topic("bare");
    kafka.create_topic(&topic, 2, &[("message.timestamp.type", "LogAppendTime")]);
    let mut config = kafka.client_config();
    let producer: BaseProducer =
        config.set("enable.idempotence", "true").set("acks", "all").create().expect("a producer");
    let own = brought_back(&dead(group, 7), "redrive-20261122t102100-3f2a").encode(group);
    let began = Instant::now();
    for number in 0..LETTERS {
        let (key, body) = (format!("customer-{}", number % 7), format!("order {number}"));
        let add =
            |all: OwnedHeaders, (name, value): &(&str, String)| all.insert(Header { key: name, value: Some(value) });
        let headers = own.iter().fold(OwnedHeaders::new_with_capacity(own.len()), add);
        let mut record = BaseRecord::to(&topic).key(&key).payload(&body).headers(headers);
        while let Err((_, back)) = producer.send(record) {
            record = back;
            producer.poll(Duration::from_millis(10));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(60)).expect("acknowledged");
    began.elapsed()
}

#[test]
#[ignore = "it measures"]
fn a_redrive_beside_a_bare_producer() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-speed", LETTERS);
    let bare = bare(kafka, &group);
    let began = Instant::now();
    let said = run_for(kafka, &group, &["dlq", "redrive", "--yes", "--output", "json"]).with_code(0).json();
    let whole = began.elapsed();
    let time = |name: &str| {
        let time: retrial::Timestamp = said["operation"][name].as_str().expect("a time").parse().expect("a time");
        time
    };
    let redrive = time("changed").since(time("began"));
    let rate = |took: Duration| LETTERS as f64 / took.as_secs_f64();
    println!(
        "{LETTERS} letters: bare producer {:.0}/s, redrive {:.0}/s ({:.2} of it), with its plan and the start of the process \
         {:.0}/s ({:.2})",
        rate(bare),
        rate(redrive),
        rate(redrive) / rate(bare),
        rate(whole),
        rate(whole) / rate(bare)
    );
    each_went_back_once(kafka, &group, 0..LETTERS);
}
