//! A group with dead letters, and what operators did to them.

use crate::{
    command::run_for,
    letters::{letter, timed_out},
};
use retrial_core::history::History;
use retrial_kafka_for_tests::{Kafka, TestRecord};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    process::Child,
    time::{Duration, Instant},
};

/// Longer than any step of a test may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Makes the way back in and control, as a service does.
pub(crate) fn topics(kafka: &Kafka, group: &str) {
    kafka.create_topic(&format!("{group}.retry.0s"), 2, &[("message.timestamp.type", "LogAppendTime")]);
    let compact = [("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")];
    kafka.create_topic(&format!("{group}.control"), 1, &compact);
}

/// So many dead letters of different orders, all of which timed out.
pub(crate) fn bury(kafka: &Kafka, group: &str, orders: std::ops::Range<i64>) {
    let record = |number: i64| {
        let order = TestRecord::new(format!("order {number}")).key(format!("customer-{}", number % 7));
        letter(group, order, &timed_out(number, 2)).to_partition((number % 2) as i32)
    };
    kafka.produce(&format!("{group}.dlq"), orders.map(record));
}

/// What went into the way back in, as committed.
pub(crate) fn way_back(kafka: &Kafka, group: &str) -> Vec<TestRecord> {
    kafka.read(&format!("{group}.retry.0s"))
}

/// How often each order went back.
pub(crate) fn went_back(kafka: &Kafka, group: &str) -> BTreeMap<String, u32> {
    let mut orders = BTreeMap::new();
    for record in way_back(kafka, group) {
        *orders.entry(record.text()).or_default() += 1;
    }
    orders
}

/// The past that a record in one of the group's topics carries.
pub(crate) fn past(group: &str, record: &TestRecord) -> History {
    let headers = record.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref()));
    History::decode(group, headers).expect("a readable past").expect("a past")
}

/// The operations of a group, the newest first.
pub(crate) fn operations(kafka: &Kafka, group: &str) -> Vec<Value> {
    let listed = run_for(kafka, group, &["operations", "list", "--output", "json"]);
    assert!(matches!(listed.code, Some(0 | 3)), "{listed:#?}");
    listed.json()["operations"].as_array().expect("operations").clone()
}

/// Waits until an operation of the group has sent so many records, and returns its id.
pub(crate) fn has_sent(kafka: &Kafka, group: &str, records: u64) -> String {
    let began = Instant::now();
    loop {
        let operations = operations(kafka, group);
        let sent = |operation: &&Value| operation["sent"].as_u64().is_some_and(|sent| sent >= records);
        if let Some(operation) = operations.iter().find(sent) {
            return operation["id"].as_str().expect("an id").to_owned();
        }
        assert!(began.elapsed() < LIMIT, "{records} records are sent: {operations:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How a child ended: its code, output and errors.
pub(crate) fn end_of(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().expect("a child can be waited for");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
