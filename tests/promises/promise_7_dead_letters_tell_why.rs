//! Promise 7: every record that cannot be handled reaches the dead-letter topic with its reason and its past.

use std::collections::BTreeMap;

use retrial::Timestamp;
use retrial_kafka_for_tests::{Kafka, TestRecord, available};

use crate::{
    journal::{What, now_micros},
    orders::TopicOrders,
    scene::Scene,
    task::Task,
    wait::{PATIENCE, tell},
};

/// The most that our own headers have together, in bytes.
const MOST: usize = 2048;

#[test]
fn a_record_that_failed_in_every_tier_is_buried_with_its_whole_past() {
    let scene = Scene::new(available!(Kafka::shared()), "buried");
    let topic = scene.topic("source", 3);
    let mut worker = scene.hire("worker", &scene.orders().tiers([1, 2]).topic(TopicOrders::new(&topic).delays([1, 2])));
    worker.wait_for_partitions();
    let made = now_micros() / 1_000 - 3_600_000;
    let record = user_headers(Task::new(7).fails().record()).key([0, 255, 7]).to_partition(2).at(made);
    let position = scene.kafka.produce(&topic, [record.clone()])[0];
    let letters = scene.kafka.read_until(&scene.dead_letters(), PATIENCE, |letters| !letters.is_empty());
    worker.stop();

    let letter = &letters[0];
    assert_eq!((&letter.key, &letter.value), (&record.key, &record.value));
    assert_eq!(letter.headers[..record.headers.len()], record.headers, "the user's headers come first, as they were");
    let mut own = own_headers(letter, record.headers.len());
    let began: Vec<i64> =
        worker.entries().iter().filter(|entry| entry.what == What::Began).map(|entry| entry.at / 1_000).collect();
    let first = time(&mut own, "retrial-first-failed");
    let last = time(&mut own, "retrial-last-failed");
    // Stamped with a lower bound of the broker's clock: some milliseconds before or after the handler's own.
    assert!((first - began[0]).abs() < 5_000 && (last - began[2]).abs() < 5_000, "{first} {last} {began:?}");
    assert!(last - first >= 2_900, "two waits of 3 s together lie between {first} and {last}");
    own.remove("retrial-hop").expect("a hop");
    let origin = format!("{topic}/2/{}", position.offset);
    let stamp = format!("create {}", Timestamp::from_millis(made));
    let offset = position.offset.to_string();
    let expected: BTreeMap<&str, &str> = [
        ("retrial-version", "1"),
        ("retrial-group", &scene.group),
        ("retrial-origin", &origin),
        ("retrial-timestamp", &stamp),
        ("retrial-attempts", "3"),
        ("retrial-crashes", "0"),
        ("retrial-step", "2"),
        ("retrial-redrives", "0"),
        ("retrial-cause", "exhausted"),
        ("retrial-error-kind", "task"),
        ("retrial-error", "task 7 at attempt 3"),
        ("__dlq.errors.topic", &topic),
        ("__dlq.errors.partition", "2"),
        ("__dlq.errors.offset", &offset),
        ("__dlq.errors.group", &scene.group),
        ("__dlq.errors.delivery.count", "3"),
        ("__dlq.errors.message", "task 7 at attempt 3"),
    ]
    .into();
    assert_eq!(own, expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    tell("promise 7: buried after 3 attempts in 2 tiers with 19 headers of its past, the user's bytes unchanged");
}

#[test]
fn what_cannot_be_read_or_is_refused_is_buried_at_once_with_the_cause() {
    let scene = Scene::new(available!(Kafka::shared()), "causes");
    let topic = scene.topic("source", 1);
    let mut worker = scene.hire("worker", &scene.orders().tiers([1]).topic(TopicOrders::new(&topic).delays([1])));
    worker.wait_for_partitions();
    let records = [
        user_headers(TestRecord::new([0xff, 0xfe, 0])),
        user_headers(TestRecord::tombstone("gone")),
        user_headers(Task::new(3).refused().record()),
        Task::new(4).record(),
    ];
    scene.kafka.produce(&topic, records.clone());
    let letters = scene.kafka.read_until(&scene.dead_letters(), PATIENCE, |letters| letters.len() == 3);
    worker.wait_for(1, What::Finished);
    worker.stop();
    for (offset, cause) in [(0, "undecodable"), (1, "undecodable"), (2, "refused")] {
        let origin = format!("{topic}/0/{offset}");
        let letter = letters.iter().find(|letter| letter.header_value("retrial-origin") == Some(origin.as_bytes()));
        let (letter, record) = (letter.unwrap_or_else(|| panic!("no letter of {origin}")), &records[offset]);
        assert_eq!((&letter.key, &letter.value), (&record.key, &record.value));
        assert_eq!(letter.headers[..record.headers.len()], record.headers);
        let own = own_headers(letter, record.headers.len());
        assert_eq!((own["retrial-cause"].as_str(), own["retrial-attempts"].as_str()), (cause, "1"));
        assert!(!own["retrial-error"].is_empty() && !own["retrial-error-kind"].is_empty(), "{own:?}");
    }
    assert_eq!(
        worker.entries().iter().filter(|entry| entry.attempt > 1).count(),
        0,
        "what cannot be read is not retried"
    );
    tell("promise 7: undecodable, null and refused records buried at once with their cause, the next one handled");
}

/// Headers that nothing may touch: binary, null, doubled, and one with a name of ours.
fn user_headers(record: TestRecord) -> TestRecord {
    let record =
        record.header("trace", [0, 159, 146, 150]).null_header("null").header("twice", "1").header("twice", "2");
    record.header("retrial-attempts", "99").header("é", "")
}

fn own_headers(letter: &TestRecord, users: usize) -> BTreeMap<String, String> {
    let own = &letter.headers[users..];
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().expect("no null")).expect("UTF-8");
    let map: BTreeMap<String, String> = own.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    assert_eq!(map.len(), own.len(), "each of our headers is there once");
    let bytes: usize = map.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes <= MOST, "{bytes} bytes of headers");
    map
}

fn time(own: &mut BTreeMap<String, String>, name: &str) -> i64 {
    let text = own.remove(name).unwrap_or_else(|| panic!("no {name}"));
    text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{name} is {text}: {error}")).as_millis()
}
