//! How fast a redrive is beside a bare producer, and a scan beside a bare consumer. Both are printed by
//! `cargo test --release --test cli speed:: -- --ignored --nocapture --test-threads=1`.

use crate::{
    bureau::{dead, each_went_back_once, with_letters},
    command::run_for,
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
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

/// Polls every record of the dead letters, and looks at none.
fn polled(kafka: &Kafka, group: &str) -> Duration {
    let mut config = kafka.client_config();
    config.set("group.id", "bare").set("enable.partition.eof", "true").set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false").set("fetch.queue.backoff.ms", "10");
    let topic = format!("{group}.dlq");
    let began = Instant::now();
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..2 {
        assignment.add_partition_offset(&topic, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&assignment).expect("assigned");
    let (mut records, mut ends) = (0, 0);
    while ends < 2 {
        match consumer.poll(Duration::from_secs(10)).expect("a record, or an end") {
            Ok(_) => records += 1,
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(records, SCANNED);
    began.elapsed()
}

/// Letters of a scan.
const SCANNED: i64 = 1_000_000;

#[test]
#[ignore = "it measures: cargo test --release --test cli speed:: -- --ignored --nocapture --test-threads=1"]
fn a_scan_beside_a_bare_consumer() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "scan-speed", SCANNED);
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let polled = polled(kafka, &group);
        let began = Instant::now();
        run_for(kafka, &group, &["dlq", "list", "--text", "no error says this"]).with_code(3);
        let scanned = began.elapsed();
        println!("{SCANNED} letters: bare consumer {polled:.2?}, dlq list with a filter {scanned:.2?}");
        ratios.push(scanned.as_secs_f64() / polled.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!("median: {:.2} of the bare consumer's time", ratios[2]);
}

#[test]
#[ignore = "it measures: cargo test --release --test cli speed:: -- --ignored --nocapture --test-threads=1"]
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
