//! Clusters that are broken on purpose: what was acknowledged is there afterwards.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use retrial_kafka_for_tests::{Kafka, Options, TestRecord, available};
use rustix::process::Pid;

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
    // Until it hears of its successor it answers as the leader that it was, from a log that ends where it fell asleep.
    wait_until("what was acknowledged is read", || {
        texts(&kafka.read("kept")) == ["three", "two of three", "two awake"]
    });
}

#[test]
fn a_killed_controller_has_a_successor_and_the_cluster_is_whole_when_it_is_back() {
    let kafka = available!(Kafka::start(Options::brokers(3)));
    kafka.create_topic("kept", 3, &[("min.insync.replicas", "2")]);
    let first = kafka.controller().expect("a controller");
    kafka.broker(first).kill();
    wait_until("a successor", || kafka.controller().is_some_and(|successor| successor != first));
    wait_until("a replica is missed", || !kafka.is_whole());
    kafka.broker(first).start();
    wait_until("all replicas are in sync", || kafka.is_whole());
}

#[test]
fn data_and_logs_stay_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("brokers");
    let kafka = available!(Kafka::start(Options::default().kept_in(&kept)));
    kafka.create_topic("kept", 1, &[]);
    let pid = kafka.broker(1).pid();
    drop(kafka);
    // In Docker nothing stays.
    if let Some(pid) = pid {
        assert!(kept.join("1.log").is_file() && kept.join("1.data/kept-0").is_dir());
        let is_gone = rustix::process::test_kill_process(Pid::from_raw(pid.cast_signed()).expect("a pid")).is_err();
        assert!(is_gone, "the broker lives on");
    }
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < limit, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
