//! The broker that all tests of a process share: records, settings and commits come back as they were given.

use std::{thread, time::Duration};

use retrial_kafka_for_tests::{Commit, Kafka, Position, RawRecord, TestRecord, available};

#[test]
fn records_come_back_byte_for_byte() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("records");
    // Old records would be deleted at once.
    kafka.create_topic(&topic, 1, &[("retention.ms", "-1")]);
    let odd = TestRecord::new([0, 159, 146, 150])
        .key([255, 0])
        .header("twice", "1")
        .header("twice", [0, 255])
        .null_header("null")
        .header("empty", "")
        .at(1_700_000_000_123);
    let positions = kafka.produce(&topic, [odd.clone(), TestRecord::tombstone("gone"), TestRecord::from("plain")]);
    assert_eq!(positions, [0, 1, 2].map(|offset| Position { partition: 0, offset }));

    let read = kafka.read(&topic);
    assert_eq!(read.len(), 3);
    assert_eq!(read[0], TestRecord { position: Some(positions[0]), ..odd });
    assert_eq!((read[1].key.as_deref(), &read[1].value), (Some(&b"gone"[..]), &None));
    assert_eq!(read[2].text(), "plain");
    assert_eq!(read[0].header_value("twice"), Some(&[0, 255][..]));
    assert_eq!(read[0].header_value("null"), None);
}

#[test]
fn a_topic_is_read_to_its_end_in_every_partition() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("partitions");
    kafka.create_topic(&topic, 3, &[]);
    assert_eq!(kafka.read(&topic), []);
    let records = (0..300).map(|number| TestRecord::new(number.to_string()).to_partition(number % 3));
    kafka.produce(&topic, records);
    let read = kafka.read(&topic);
    let mut numbers: Vec<i32> = read.iter().map(|record| record.text().parse().expect("a number")).collect();
    assert!(read.is_sorted_by_key(TestRecord::position));
    numbers.sort_unstable();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    assert_eq!(kafka.count(&topic), 300);
    assert_eq!(kafka.offsets(&topic), [(0, (0, 100)), (1, (0, 100)), (2, (0, 100))].into());
}

#[test]
fn a_reader_waits_for_what_comes_later() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("later");
    kafka.create_topic(&topic, 1, &[]);
    thread::scope(|scope| {
        let reading = scope.spawn(|| kafka.read_until(&topic, Duration::from_secs(30), |read| read.len() >= 3));
        kafka.produce(&topic, ["1"]);
        kafka.produce(&topic, ["2", "3"]);
        let read = reading.join().expect("three records");
        assert_eq!(read.iter().map(TestRecord::text).collect::<Vec<_>>(), ["1", "2", "3"]);
    });
}

#[test]
fn a_reader_that_waits_in_vain_fails() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("vain");
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce(&topic, ["1"]);
    let reading =
        thread::scope(|scope| scope.spawn(|| kafka.read_until(&topic, Duration::from_secs(2), |_| false)).join());
    let panic = reading.expect_err("there is nothing to come");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.starts_with(&format!("only 1 records of {topic} after 2s")), "{message}");
}

#[test]
fn settings_are_changed_one_by_one_and_a_deleted_topic_is_gone() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("settings");
    kafka.create_topic(&topic, 2, &[("retention.ms", "60000")]);
    kafka.alter_topic_config(&topic, &[("message.timestamp.type", "LogAppendTime")]);
    kafka.alter_topic_config(&topic, &[("max.message.bytes", "2000"), ("cleanup.policy", "compact")]);
    let config = kafka.topic_config(&topic);
    assert_eq!(config["retention.ms"], "60000");
    assert_eq!((config["max.message.bytes"].as_str(), config["cleanup.policy"].as_str()), ("2000", "compact"));
    assert_eq!(config["message.timestamp.type"], "LogAppendTime");
    assert_eq!((kafka.partitions(&topic), kafka.leader(&topic, 1)), (2, Some(kafka.brokers()[0].id())));
    kafka.delete_topic(&topic);
    assert_eq!(kafka.partitions(&topic), 0);
}

#[test]
fn commits_and_their_metadata_are_read_and_written_without_joining() {
    let kafka = available!(Kafka::shared());
    let (topic, group) = (kafka.unique_topic("commits"), kafka.unique_group("commits"));
    kafka.create_topic(&topic, 2, &[]);
    assert_eq!(kafka.committed(&group, &topic), []);
    let commit = Commit { partition: 1, offset: 42, metadata: "x".repeat(4096) };
    kafka.commit(&group, &topic, &commit);
    assert_eq!(kafka.committed(&group, &topic), std::slice::from_ref(&commit));

    kafka.commit_raw(&group, &topic, 0, 7, b"text");
    let other = Commit { partition: 0, offset: 7, metadata: "text".to_owned() };
    assert_eq!(kafka.committed(&group, &topic), [other, commit.clone()]);
    kafka.forget_commit(&group, &topic, 0);
    assert_eq!(kafka.committed(&group, &topic), [commit]);
}

#[tokio::test]
async fn it_may_be_called_inside_a_runtime() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("runtime");
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce(&topic, ["1"]);
    assert_eq!(kafka.count(&topic), 1);
}

#[test]
fn names_of_headers_may_be_any_bytes() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("raw");
    // Old records would be deleted at once.
    kafka.create_topic(&topic, 2, &[("retention.ms", "-1")]);
    let poison = RawRecord {
        timestamp: 1_700_000_000_000,
        key: Some(vec![0]),
        value: None,
        headers: vec![(vec![0xff, 0xfe], Some(vec![1])), (Vec::new(), None), (b"plain".to_vec(), Some(Vec::new()))],
    };
    let later = RawRecord { timestamp: 1_700_000_000_500, value: Some(b"later".to_vec()), ..RawRecord::default() };
    let positions = kafka.produce_raw(&topic, 1, &[poison.clone(), later.clone()]);
    assert_eq!(positions, [0, 1].map(|offset| Position { partition: 1, offset }));
    kafka.produce(&topic, [TestRecord::new("by the library").to_partition(1).header("name", "value").at(1)]);

    let read = kafka.read_raw(&topic, 1);
    assert_eq!(read.len(), 3);
    assert_eq!(read[..2], [(positions[0], poison), (positions[1], later)]);
    let (position, last) = &read[2];
    assert_eq!((position.offset, last.timestamp, last.value.as_deref()), (2, 1, Some(&b"by the library"[..])));
    assert_eq!(last.headers, [(b"name".to_vec(), Some(b"value".to_vec()))]);
    assert_eq!(kafka.read_raw(&topic, 0), []);
}

#[test]
fn a_raw_reader_sees_the_time_of_appending_and_reads_past_one_answer() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("append");
    kafka.create_topic(&topic, 1, &[("message.timestamp.type", "LogAppendTime"), ("max.message.bytes", "2000000")]);
    let large = TestRecord::new(vec![7; 900_000]).at(1);
    kafka.produce(&topic, (0..20).map(|_| large.clone()));
    let read = kafka.read_raw(&topic, 0);
    assert_eq!(read.iter().map(|(position, _)| position.offset).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    assert!(read.iter().all(|(_, record)| record.timestamp > 1_700_000_000_000));
}
