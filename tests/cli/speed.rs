//! How fast a redrive and a replay are beside a bare producer, and a scan beside a bare consumer. All are printed by
//! `cargo test --release --test cli speed:: -- --ignored --nocapture --test-threads=1`.
//!
//! Bare client and command take turns, on the same brokers, and what counts is the median of the ratios: a busy machine slows
//! both.

use crate::{
    bureau::{dead, each_went_back_once, orders, topics, way_back, with_letters},
    command::{Said, run_for},
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use retrial_core::{
    history::{History, SourceTime},
    redrive::brought_back,
};
use retrial_kafka_for_tests::{Commit, Kafka, TestRecord, available};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;

/// Records of a redrive, and of a replay.
const LETTERS: i64 = 200_000;

/// Letters of a scan.
const SCANNED: i64 = 1_000_000;

/// The middle one.
fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// Writes the same records as an operation does, without reading anything, and without transactions.
fn bare(kafka: &Kafka, group: &str, past: &History) -> Duration {
    let topic = kafka.unique_topic("bare");
    kafka.create_topic(&topic, 2, &[("message.timestamp.type", "LogAppendTime")]);
    let mut config = kafka.client_config();
    let producer: BaseProducer =
        config.set("enable.idempotence", "true").set("acks", "all").create().expect("a producer");
    let own = past.encode(group);
    // Its start does not count: an operation's is not part of its time either.
    producer.client().fetch_metadata(Some(&topic), Duration::from_secs(60)).expect("a leader");
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

#[test]
#[ignore = "it measures: cargo test --release --test cli speed:: -- --ignored --nocapture --test-threads=1"]
fn a_scan_beside_a_bare_consumer() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "scan-speed", SCANNED);
    let round = |_| {
        let polled = polled(kafka, &group);
        let began = Instant::now();
        run_for(kafka, &group, &["dlq", "list", "--text", "no error says this"]).with_code(3);
        let scanned = began.elapsed();
        println!("{SCANNED} letters: bare consumer {polled:.2?}, dlq list with a filter {scanned:.2?}");
        scanned.as_secs_f64() / polled.as_secs_f64()
    };
    println!("median: a scan takes {:.2} of the bare consumer's time", median((0..ROUNDS).map(round).collect()));
}

/// How long an operation took, from its claim to its end, beside a bare producer; and with its plan and the start of the process.
fn ratio(name: &str, bare: Duration, whole: Duration, said: &Said) -> f64 {
    let said = said.json();
    let time = |name: &str| {
        let time: retrial::Timestamp = said["operation"][name].as_str().expect("a time").parse().expect("a time");
        time
    };
    let took = time("changed").since(time("began"));
    let rate = |took: Duration| LETTERS as f64 / took.as_secs_f64();
    println!(
        "{LETTERS} records: bare producer {:.0}/s, {name} {:.0}/s ({:.2} of it), with its plan and the start of the process \
         {:.0}/s ({:.2})",
        rate(bare),
        rate(took),
        rate(took) / rate(bare),
        rate(whole),
        rate(whole) / rate(bare)
    );
    rate(took) / rate(bare)
}

#[test]
#[ignore = "it measures: cargo test --release --test cli speed:: -- --ignored --nocapture --test-threads=1"]
fn a_redrive_beside_a_bare_producer() {
    let kafka = available!(Kafka::shared());
    let round = |_| {
        let group = with_letters(kafka, "redrive-speed", LETTERS);
        let bare = bare(kafka, &group, &brought_back(&dead(&group, 7), "redrive-20261122t102100-3f2a"));
        let began = Instant::now();
        let said = run_for(kafka, &group, &["dlq", "redrive", "--yes", "--output", "json"]).with_code(0);
        let ratio = ratio("redrive", bare, began.elapsed(), &said);
        each_went_back_once(kafka, &group, 0..LETTERS);
        ratio
    };
    println!("median: a redrive has {:.2} of the bare producer's rate", median((0..ROUNDS).map(round).collect()));
}

#[test]
#[ignore = "it measures: cargo test --release --test cli speed:: -- --ignored --nocapture --test-threads=1"]
fn a_replay_beside_a_bare_producer() {
    let kafka = available!(Kafka::shared());
    let round = |_| {
        let group = kafka.unique_group("replay-speed");
        let source = orders(&group);
        topics(kafka, &group);
        kafka.create_topic(&source, 2, &[]);
        let order = |number: i64| {
            let record = TestRecord::new(format!("order {number}")).key(format!("customer-{}", number % 7));
            record.to_partition((number % 2) as i32)
        };
        kafka.produce(&source, (0..LETTERS).map(order));
        for partition in 0..2 {
            kafka.commit(&group, &source, &Commit { partition, offset: LETTERS / 2, metadata: String::new() });
        }
        let mut past = History::new(dead(&group, 7).origin, SourceTime::None);
        (past.operation, past.replay) =
            (Some("replay-20261122t102100-3f2a".into()), Some("replay-20261122t102100-3f2a".into()));
        let bare = bare(kafka, &group, &past);
        let began = Instant::now();
        // Nobody handles them meanwhile.
        let all = ["replay", &source, "--all", "--yes", "--max-backlog", "1000000", "--output", "json"];
        let said = run_for(kafka, &group, &all).with_code(0);
        let ratio = ratio("replay", bare, began.elapsed(), &said);
        assert_eq!(way_back(kafka, &group).len() as i64, LETTERS);
        ratio
    };
    println!("median: a replay has {:.2} of the bare producer's rate", median((0..ROUNDS).map(round).collect()));
}
