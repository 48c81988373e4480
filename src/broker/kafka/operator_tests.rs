//! What an operator asks and changes, and scans, on a real Kafka.

use super::{
    connect::Kafka as Reached,
    operator::{NewOffset, Operator, OperatorError},
    scan::{Ends, Found, Next, Range, Visitor},
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use retrial_core::event::{Committed, LogRange};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use std::{ops::ControlFlow, time::Duration};

fn operator(kafka: &Kafka, group: &str) -> Operator {
    Operator::connect(&Reached::bootstrap(kafka.bootstrap()), group).unwrap()
}

fn new(topic: &str, partition: i32, offset: i64, metadata: &str) -> NewOffset {
    let metadata = metadata.as_bytes().to_vec();
    NewOffset { place: (topic.to_owned(), partition), committed: Committed { offset, leader_epoch: 0, metadata } }
}

#[test]
fn a_group_that_nobody_has_heard_of_is_dead_and_has_committed_nothing() {
    let kafka = available!(Kafka::shared());
    // A cluster that is new has no coordinators yet, and makes their topic when it is first asked for one.
    let topic = kafka.unique_topic("unheard");
    kafka.create_topic(&topic, 1, &[]);
    assert_eq!(kafka.committed(&kafka.unique_group("first"), &topic), []);
    let operator = operator(kafka, &kafka.unique_group("unheard"));
    assert_eq!(operator.members().unwrap(), ("Dead".to_owned(), vec![]));
    assert!(operator.committed().unwrap().is_empty());
}

#[test]
fn offsets_are_written_and_read_with_what_is_beside_them_and_each_refusal_names_its_partition() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("written"), kafka.unique_topic("written"));
    kafka.create_topic(&topic, 3, &[]);
    let operator = operator(kafka, &group);
    let too_long = "x".repeat(5000);
    let refused =
        operator.write_offsets(&[new(&topic, 0, 7, "r1n~"), new(&topic, 1, 0, ""), new(&topic, 2, 1, &too_long)]);
    let refused = refused.unwrap();
    assert_eq!(refused.iter().map(|(place, _)| place.1).collect::<Vec<_>>(), [2], "{refused:?}");
    assert!(refused[0].1.to_lowercase().contains("metadata"), "{refused:?}");
    let committed = operator.committed().unwrap();
    let told: Vec<_> =
        committed.iter().map(|(place, it)| (place.1, it.offset, it.leader_epoch, &it.metadata[..])).collect();
    assert_eq!(told, [(0, 7, 0, &b"r1n~"[..]), (1, 0, 0, b"")]);
    assert_eq!(operator.members().unwrap(), ("Empty".to_owned(), vec![]));
}

#[test]
fn members_are_described_and_while_they_live_the_broker_refuses_offsets() {
    let kafka = available!(Kafka::shared());
    for protocol in ["classic", "consumer"] {
        let (group, topic) = (kafka.unique_group("alive"), kafka.unique_topic("alive"));
        kafka.create_topic(&topic, 2, &[]);
        let mut config = kafka.client_config();
        config.set("group.id", &group).set("group.protocol", protocol).set("client.id", "somebody");
        let member: BaseConsumer = config.create().unwrap();
        member.subscribe(&[&topic]).unwrap();
        let limit = std::time::Instant::now() + Duration::from_secs(60);
        while member.assignment().unwrap().count() < 2 {
            let _ = member.poll(Duration::from_millis(50));
            assert!(std::time::Instant::now() < limit, "an assignment with protocol {protocol}");
        }
        let operator = operator(kafka, &group);
        let (state, members) = operator.members().unwrap();
        assert_eq!((state.as_str(), members.len()), ("Stable", 1), "{protocol}");
        assert_eq!((members[0].client.as_str(), members[0].partitions.len()), ("somebody", 2), "{protocol}");
        let answer = operator.write_offsets(&[new(&topic, 0, 0, "")]);
        assert!(answer.as_ref().map_or(true, |refused| refused.len() == 1), "{protocol}: {answer:?}");
        assert!(operator.committed().unwrap().is_empty(), "{protocol}");
    }
}

/// Keeps what it sees.
#[derive(Default)]
struct Seen {
    offsets: Vec<(i32, i64)>,
    last: Option<(u64, u64)>,
}

impl Visitor for Seen {
    fn record(&mut self, found: &Found<'_>) -> Next {
        self.offsets.push((found.partition(), found.offset()));
        if found.body() == Some(b"enough") { Next::PartitionDone } else { Next::More }
    }

    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.last = Some((done, of));
        ControlFlow::Continue(())
    }
}

#[test]
fn a_scan_sees_its_ranges_and_nothing_else() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("scan"), kafka.unique_topic("scan"));
    kafka.create_topic(&topic, 3, &[]);
    for (partition, count) in [(0, 3000), (1, 10)] {
        kafka.produce(&topic, (0..count).map(|_| TestRecord::new("body").to_partition(partition)));
    }
    kafka.produce(&topic, ["enough", "more"].map(|body| TestRecord::new(body).to_partition(1)));
    let operator = operator(kafka, &group);
    let logs = operator.logs(&operator.partitions(&topic)).unwrap();
    let ends: Vec<LogRange> = logs.values().copied().collect();
    assert_eq!(ends.iter().map(|log| (log.start, log.end)).collect::<Vec<_>>(), [(0, 3000), (0, 12), (0, 0)]);
    let range = |partition, from, to| Range { place: (topic.clone(), partition), from, to };
    let mut seen = Seen::default();
    // Beyond its log's end, and in a partition that is empty, a range ends where the log does.
    let ranges = vec![range(0, 100, 2900), range(1, 5, 1_000_000), range(2, 0, 5)];
    assert!(operator.scan(ranges, Ends::AtTheirEnd, &mut seen).unwrap());
    let of = |partition| seen.offsets.iter().filter(move |seen| seen.0 == partition).map(|seen| seen.1);
    assert!(of(0).eq(100..2900) && of(1).eq(5..11) && of(2).count() == 0, "{:?}", seen.offsets.len());
    assert!(seen.last.is_none_or(|(done, of)| done <= of), "{:?}", seen.last);
    assert!(operator.scan(vec![range(0, 5, 5)], Ends::AtTheirEnd, &mut seen).unwrap(), "nothing to read");
}

#[test]
fn what_cannot_be_read_is_told_with_its_name() {
    let kafka = available!(Kafka::shared());
    let operator = operator(kafka, &kafka.unique_group("unreadable"));
    let range = Range { place: ("no-such-topic".to_owned(), 0), from: 0, to: 5 };
    let error = operator.scan(vec![range], Ends::AtTheirEnd, &mut Seen::default()).unwrap_err();
    assert!(matches!(&error, OperatorError::Refused { what, .. } if what.contains("no-such-topic/0")), "{error}");
}
