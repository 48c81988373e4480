//! `retrial enqueue`.

use crate::{
    command::{run_for, run_with_input},
    letters,
};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use serde_json::json;
use std::fs;

fn topic(kafka: &Kafka) -> String {
    let topic = kafka.unique_topic("enqueue");
    kafka.create_topic(&topic, 2, &[]);
    topic
}

/// Key, body and headers of all records of a topic, by partition and offset.
fn records(kafka: &Kafka, topic: &str) -> Vec<TestRecord> {
    let mut records = kafka.read(topic);
    records.sort_by_key(|record| record.position.map(|position| (position.partition, position.offset)));
    for record in &mut records {
        (record.position, record.timestamp) = (None, None);
    }
    records
}

#[test]
fn records_come_from_arguments() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("enqueue"), topic(kafka));
    let arguments =
        ["enqueue", &topic, "--body", "a", "--body", "b", "--key", "k", "--header", "tenant=blue", "--partition", "1"];
    assert_eq!(run_for(kafka, &group, &arguments).with_code(0).out, format!("2 records written to {topic}\n"));
    let expected = ["a", "b"].map(|body| TestRecord::new(body).key("k").header("tenant", "blue"));
    assert_eq!(records(kafka, &topic), expected);
    assert_eq!(kafka.offsets(&topic)[&0], (0, 0));
    let out = run_for(kafka, &group, &["enqueue", &topic, "--body", "c", "--output", "json"]).with_code(0).json();
    assert_eq!(out, json!({"schema": "retrial.enqueue/1", "topic": topic, "written": 1, "failed": 0}));
}

#[test]
fn a_key_goes_to_the_partition_where_javas_clients_put_it() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("enqueue-key");
    kafka.create_topic(&topic, 12, &[]);
    // org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey for 12 partitions: murmur2 of these
    // keys, as Utils.murmur2's own tests have it, without its sign, modulo 12.
    for (key, murmur2) in
        [("21", -973_932_308_i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)]
    {
        run_for(kafka, "g", &["enqueue", &topic, "--body", key, "--key", key]).with_code(0);
        let partition = (murmur2 & 0x7fff_ffff) % 12;
        let found = kafka.read(&topic).into_iter().find(|record| record.text() == key).expect("the record");
        assert_eq!(found.position().partition, partition, "{key}");
    }
}

#[test]
fn lines_are_read_from_a_file_and_from_standard_input() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("enqueue-lines"), topic(kafka));
    let lines = "{\"key\": \"a\", \"body\": {\"order\": 1}, \"to_partition\": 0}\n\n\
                 {\"body\": {\"base64\": \"/wA=\"}, \"headers\": {\"x\": null}, \"to_partition\": 0}\n\
                 {\"key\": \"t\", \"body\": null, \"to_partition\": 0}\n";
    let expected = [
        TestRecord::new("{\"order\": 1}").key("a"),
        TestRecord::new(*b"\xff\x00").null_header("x"),
        TestRecord::tombstone("t"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("orders.jsonl");
    fs::write(&file, lines).expect("a file");
    run_for(kafka, &group, &["enqueue", &topic, "--file", file.to_str().expect("a path")]).with_code(0);
    assert_eq!(records(kafka, &topic), expected);
    run_with_input(kafka, &group, &["enqueue", &topic, "--file", "-", "--skip-lines", "3"], lines).with_code(0);
    assert_eq!(records(kafka, &topic), [&expected[..], &expected[2..]].concat());
    run_with_input(kafka, &group, &["enqueue", &topic, "--file", "-"], "").with_code(3);
}

#[test]
fn a_wrong_line_ends_it_and_says_how_to_go_on() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("enqueue-wrong"), topic(kafka));
    let enqueue = |more: &[&str], input: &str| {
        run_with_input(kafka, &group, &[&["enqueue", &topic, "--file", "-"], more].concat(), input)
    };
    let first = enqueue(&[], "{\"bdoy\": 1}\n{\"body\": \"b\"}\n").with_code(2);
    assert!(first.err.contains("line 1: unknown field `bdoy`"), "{}", first.err);
    let second = enqueue(&[], "{\"body\": \"a\"}\nnonsense\n{\"body\": \"c\"}\n").with_code(5);
    assert!(second.err.contains("line 2: expected") && second.err.contains("add --skip-lines 1"), "{}", second.err);
    let third =
        enqueue(&["--skip-lines", "1"], "{\"body\": \"a\"}\n{\"body\": \"b\"}\n{\"body\": \"c\"}\n").with_code(0);
    assert!(third.out.starts_with("2 records"), "{}", third.out);
    let mut bodies: Vec<String> = records(kafka, &topic).iter().map(TestRecord::text).collect();
    bodies.sort();
    assert_eq!(bodies, ["a", "b", "c"]);
    let nowhere = enqueue(&["--partition", "7"], "{\"body\": \"a\"}\n").with_code(2);
    assert!(nowhere.err.contains("partition 7") && nowhere.err.contains("it has 2 partitions"), "{}", nowhere.err);
    let missing = run_for(kafka, &group, &["enqueue", "no-such-topic", "--body", "x"]).with_code(1);
    assert!(missing.err.contains("topic no-such-topic does not exist"), "{}", missing.err);
    for wrong in [
        &["enqueue", &topic][..],
        &["enqueue", &topic, "--body", "x", "--file", "-"],
        &["enqueue", &topic, "--body", "x", "--header", "h"],
    ] {
        run_for(kafka, &group, wrong).with_code(2);
    }
}

#[test]
fn an_export_of_dead_letters_is_written_back_as_it_was() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("enqueue-letters"), topic(kafka));
    letters::five(kafka, &group);
    let exported = run_for(kafka, &group, &["dlq", "export", "--source", "orders"]).with_code(0).out;
    run_with_input(kafka, &group, &["enqueue", &topic, "--file", "-", "--partition", "0"], &exported).with_code(0);
    let expected = [
        TestRecord::new("{\"order\":1,\"cents\":4200}").key("customer-1").header("tenant", "blue"),
        TestRecord::new("{\"order\":2,\"cents\":4200}").key("customer-2").header("tenant", "red"),
        TestRecord::new(*b"\xff\x00\x01").key(*b"\xfe").null_header("flag"),
        TestRecord::tombstone("customer-4"),
    ];
    assert_eq!(records(kafka, &topic), expected);
}
