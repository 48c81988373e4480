//! A group with dead letters, and what operators did to them.

use crate::{
    command::{Said, run_for},
    letters::{letter, timed_out},
};
use retrial_core::history::History;
use retrial_kafka_for_tests::{Kafka, TestRecord};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ops::Range,
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

/// A source topic of the group.
pub(crate) fn orders(group: &str) -> String {
    format!("{group}-orders")
}

/// The past of a dead order.
pub(crate) fn dead(group: &str, number: i64) -> History {
    let mut history = timed_out(number, 2);
    history.origin.topic = orders(group).into();
    history
}

/// Dead letters of different orders, all of which timed out, in a topic of two partitions.
pub(crate) fn bury(kafka: &Kafka, group: &str, orders: Range<i64>) {
    let record = |number: i64| {
        let order = TestRecord::new(format!("order {number}")).key(format!("customer-{}", number % 7));
        letter(group, order, &dead(group, number)).to_partition((number % 2) as i32)
    };
    kafka.produce(&format!("{group}.dlq"), orders.map(record));
}

/// A group with its topics and so many dead letters, and no service.
pub(crate) fn with_letters(kafka: &Kafka, name: &str, letters: i64) -> String {
    let group = kafka.unique_group(name);
    crate::letters::topic(kafka, &group, 2);
    topics(kafka, &group);
    bury(kafka, &group, 0..letters);
    group
}

/// That each order went back once.
pub(crate) fn each_went_back_once(kafka: &Kafka, group: &str, orders: Range<i64>) {
    let expected: BTreeMap<String, u32> = orders.map(|number| (format!("order {number}"), 1)).collect();
    let went = went_back(kafka, group);
    let wrong: Vec<_> = went.iter().filter(|(order, times)| expected.get(*order) != Some(times)).take(5).collect();
    assert!(went == expected, "{} of {} orders went back; {wrong:?}", went.len(), expected.len());
}

/// Sends a signal to a child.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
    kill_process(pid, signal).expect("a child can be signalled");
}

/// Runs a command again and again while it is refused since somebody else is at work.
pub(crate) fn once_not_refused(kafka: &Kafka, group: &str, arguments: &[&str]) -> Said {
    let began = Instant::now();
    loop {
        let said = run_for(kafka, group, arguments);
        if said.code != Some(4) {
            return said;
        }
        assert!(began.elapsed() < LIMIT, "{said:#?}");
    }
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
