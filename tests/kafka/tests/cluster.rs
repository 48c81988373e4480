//! Clusters that are broken on purpose: what was acknowledged is there afterwards.

use std::{net::TcpStream, time::Duration};

use retrial_kafka_for_tests::{Kafka, Options, TestRecord, available};

fn texts(records: &[TestRecord]) -> Vec<String> {
    records.iter().map(TestRecord::text).collect()
}

#[test]
fn one_broker_keeps_its_data_and_its_address_when_killed_and_when_stopped() {
    let kafka = available!(Kafka::start(Options::default().property("log.retention.ms", 3_600_000)));
    let broker = kafka.broker(1);
    kafka.create_topic("kept", 1, &[]);
    kafka.produce("kept", ["before"]);

    broker.kill();
    assert!(TcpStream::connect(broker.address()).is_err());
    broker.start();
    kafka.produce("kept", ["after SIGKILL"]);

    broker.stop();
    assert!(TcpStream::connect(broker.address()).is_err());
    broker.start();
    kafka.produce("kept", ["after SIGTERM"]);
    assert_eq!(texts(&kafka.read("kept")), ["before", "after SIGKILL", "after SIGTERM"]);
}

#[test]
fn three_brokers_acknowledge_while_one_is_dead_and_while_one_is_frozen() {
    let kafka = available!(Kafka::start(Options::brokers(3)));
    assert_eq!(kafka.brokers().len(), 3);
    kafka.create_topic("kept", 1, &[("min.insync.replicas", "2")]);
    kafka.produce("kept", ["three"]);

    let dead = kafka.leader("kept", 0).expect("a leader");
    kafka.broker(dead).kill();
    kafka.produce("kept", ["two of three"]);
    assert_ne!(kafka.leader("kept", 0), Some(dead));
    kafka.broker(dead).start();
    kafka.wait_for_replicas("kept", Duration::from_secs(60));

    let frozen = kafka.leader("kept", 0).expect("a leader");
    kafka.broker(frozen).pause();
    kafka.produce("kept", ["two awake"]);
    kafka.broker(frozen).resume();
    assert_eq!(texts(&kafka.read("kept")), ["three", "two of three", "two awake"]);
}
