//! Marks written and read, and ages of backlogs.

use super::{
    cluster::Cluster,
    connect::Kafka as Connect,
    connection::Connection,
    embedded::EmbeddedBroker,
    marker::Marker,
    marks,
    reading::{Backlog, backlog, read_marks, vanishes},
};
use rdkafka::ClientConfig;
use retrial_core::time::Timestamp;
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(30);
const ID: Option<[u8; 16]> = Some([7; 16]);

fn settings(address: &str) -> ClientConfig {
    Connect::bootstrap(address).reading("billing")
}

fn marks_come_back(address: &str, control: &str) {
    let settings = settings(address);
    assert!(read_marks(&settings, control, LIMIT).unwrap().is_empty());
    let marker = Marker::start(&settings, control.to_owned(), true, |trouble| panic!("{trouble}"), |_| ()).unwrap();
    let orders: Arc<str> = "orders".into();
    for partition in 0..20 {
        marker.handle().mark(&orders, partition, ID);
    }
    marker.handle().mark(&"a/b".into(), 0, None);
    marker.close(LIMIT);
    let marks = read_marks(&settings, control, LIMIT).unwrap();
    assert!((0..20).all(|partition| marks.knows("orders", partition, ID)));
    assert!(marks.knows("a/b", 0, ID) && !marks.knows("orders", 20, ID) && !marks.knows("orders", 0, Some([1; 16])));
}

#[test]
fn marks_come_back_from_the_embedded_broker() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("billing.control", 1).unwrap();
    marks_come_back(broker.address(), "billing.control");
}

#[test]
fn marks_come_back_from_kafka() {
    let kafka = available!(Kafka::shared());
    let control = kafka.unique_topic("control");
    kafka.create_topic(&control, 1, &[("cleanup.policy", "compact")]);
    marks_come_back(&kafka.bootstrap(), &control);
}

#[test]
fn damaged_and_newer_records_are_told_and_the_rest_is_read() {
    let kafka = available!(Kafka::shared());
    let control = kafka.unique_topic("control");
    kafka.create_topic(&control, 1, &[("cleanup.policy", "compact")]);
    let good = marks::Mark { topic_id: ID, since: Timestamp::from_millis(1) }.to_string();
    kafka.produce(
        &control,
        [
            TestRecord::new("2 from the future").key("partition/orders/0"),
            TestRecord::new("rubbish").key("partition/orders/1"),
            TestRecord::new(good).key("partition/orders/2"),
            TestRecord::new("whatever").key("operation/5"),
        ],
    );
    let marks = read_marks(&settings(&kafka.bootstrap()), &control, LIMIT).unwrap();
    assert!(marks.knows("orders", 2, ID) && !marks.knows("orders", 0, ID) && !marks.writable());
    let mut warnings: Vec<_> = marks.warnings().collect();
    warnings.sort_unstable();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("later version (2)") && warnings[1].contains("damaged"), "{warnings:?}");
}

#[test]
fn a_control_topic_that_is_not_there_is_an_error_and_not_an_empty_one() {
    let kafka = available!(Kafka::shared());
    let missing = kafka.unique_topic("missing");
    let error = read_marks(&settings(&kafka.bootstrap()), &missing, Duration::from_secs(10)).unwrap_err();
    assert!(error.to_string().contains(&missing), "{error}");
}

#[test]
fn marks_that_cannot_be_written_are_told_once_and_written_when_they_can_be() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("billing.control", 1).unwrap();
    broker.set_reachable(false);
    let (tell, told) = mpsc::channel();
    let say = move |trouble| drop(tell.send(trouble));
    let marker = Marker::start(&settings(broker.address()), "billing.control".to_owned(), false, say, |_| ()).unwrap();
    marker.handle().mark(&"orders".into(), 1, None);
    let trouble = told.recv_timeout(LIMIT).unwrap();
    assert!(trouble.contains("billing.control"), "{trouble}");
    broker.set_reachable(true);
    marker.close(LIMIT);
    assert!(told.try_recv().is_err());
    assert!(read_marks(&settings(broker.address()), "billing.control", LIMIT).unwrap().knows("orders", 1, None));
}

#[test]
fn a_backlog_tells_how_many_records_are_old_and_how_old_the_first_is() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("backlog");
    kafka.create_topic(&topic, 1, &[("retention.ms", "-1")]);
    let settings = settings(&kafka.bootstrap());
    let young = Timestamp::from_millis(1_700_000_000_000);
    let asked = || backlog(&settings, &topic, 0, young, LIMIT).unwrap();
    assert_eq!(asked(), Backlog { older: 0, oldest: None });
    let at = |millis: i64| TestRecord::new("x").to_partition(0).at(young.as_millis() + millis);
    kafka.produce(&topic, [at(-50_000), at(-40_000), at(-1)]);
    assert_eq!(asked(), Backlog { older: 3, oldest: Some(young.shifted(-50_000)) });
    kafka.produce(&topic, [at(0), at(5)]);
    assert_eq!(asked(), Backlog { older: 3, oldest: Some(young.shifted(-50_000)) });
}

#[test]
fn the_oldest_record_tells_when_it_will_vanish() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("vanishing");
    kafka.create_topic(&topic, 2, &[("retention.ms", "7776000000")]);
    let settings = settings(&kafka.bootstrap());
    let cluster = Cluster::Real(Connection::new(&settings).unwrap());
    let now = crate::clock::now();
    let after = |first: [i64; 2]| {
        let open = |partition: i32, start: i64, _: i64| start.max(first[partition as usize]);
        vanishes(&cluster, &settings, &topic, open, LIMIT).unwrap()
    };
    let asked = || after([0, 0]);
    assert_eq!(asked(), None);
    let at = |partition, millis| TestRecord::new("x").to_partition(partition).at(now.as_millis() + millis);
    kafka.produce(&topic, [at(0, -5_000), at(0, 0), at(1, -80_000), at(1, -90_000)]);
    assert_eq!(
        asked(),
        Some(now.shifted(7_776_000_000 - 80_000)),
        "the first of each log, since logs are cut at the front"
    );
    assert_eq!(after([0, 1]), Some(now.shifted(7_776_000_000 - 90_000)), "the first that is open");
    assert_eq!(after([1, 2]), Some(now.shifted(7_776_000_000)));
    assert_eq!(after([2, 2]), None);
}

#[test]
fn the_brokers_clock_is_read_at_the_start_before_anything_is_marked() {
    let kafka = available!(Kafka::shared());
    let control = kafka.unique_topic("clock");
    let settled = [("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")];
    kafka.create_topic(&control, 1, &settled);
    let (samples, sampled) = mpsc::channel();
    let sample = move |sample| samples.send(sample).unwrap_or_default();
    let marker = Marker::start(&settings(&kafka.bootstrap()), control.clone(), true, |why| panic!("{why}"), sample);
    let marker = marker.unwrap();
    let (first, second) = (sampled.recv_timeout(LIMIT).unwrap(), sampled.recv_timeout(LIMIT).unwrap());
    marker.close(LIMIT);
    // One machine, one clock: what the broker stamped lies between sending and acknowledgement, to the millisecond.
    for sample in [first, second] {
        assert!(sample.sent.shifted(-1) <= sample.appended && sample.appended <= sample.acknowledged.shifted(1));
    }
    assert!(read_marks(&settings(&kafka.bootstrap()), &control, LIMIT).unwrap().is_empty(), "a reading is no mark");
}
