//! What brokers do to the control topic: they keep of each key the newest record only, sooner or later.

use crate::{
    bureau::{LIMIT, each_went_back_once, end_of, has_sent, operations, signal, with_letters},
    command::{run_for, start_for},
};
use retrial_kafka_for_tests::{Kafka, available};
use rustix::process::Signal;
use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

const LETTERS: i64 = 2000;

/// Compaction as soon as a broker can.
const AT_ONCE: [(&str, &str); 5] = [
    ("segment.ms", "100"),
    ("min.cleanable.dirty.ratio", "0.001"),
    ("delete.retention.ms", "0"),
    ("min.compaction.lag.ms", "0"),
    ("max.compaction.lag.ms", "1"),
];

/// How many records control holds, and under how many keys.
fn held(kafka: &Kafka, group: &str) -> (usize, usize) {
    let records = kafka.read(&format!("{group}.control"));
    let keys: BTreeSet<_> = records.iter().map(|record| record.key.clone()).collect();
    (records.len(), keys.len())
}

/// Waits until hardly more than the newest of each key is left: those of the segment that is written are not compacted.
fn compacted(kafka: &Kafka, group: &str, written: usize) {
    let began = Instant::now();
    loop {
        let (records, keys) = held(kafka, group);
        if records < written / 4 && records <= keys + 10 {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{records} records under {keys} keys are left of {written}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn operations_and_settled_marks_survive_compaction() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "compaction", LETTERS);
    kafka.alter_topic_config(&format!("{group}.control"), &AT_ONCE);
    let child = start_for(kafka, &group, &["dlq", "redrive", "--yes", "--rate", "200", "--operator", "alice"]);
    let id = has_sent(kafka, &group, 600);
    signal(&child, Signal::INT);
    assert_eq!(end_of(child).0, Some(5));
    let sent = operations(kafka, &group)[0]["sent"].as_u64().expect("a number");
    // By the log's end: some of it may be compacted already.
    let written = kafka.offsets(&format!("{group}.control"))[&0].1 as usize;
    // What is written next makes the broker begin another segment.
    let discard = ["dlq", "discard", "--source", &format!("{group}-orders/3/1999"), "--reason", "refunded", "--yes"];
    run_for(kafka, &group, &discard).with_code(0);
    compacted(kafka, &group, written);

    let listed = operations(kafka, &group);
    let states: Vec<_> = listed.iter().map(|one| (one["kind"].as_str(), one["state"].as_str())).collect();
    assert_eq!(states, [(Some("discard"), Some("done")), (Some("redrive"), Some("stopped"))]);
    let letters = run_for(kafka, &group, &["dlq", "list", "--output", "json"]).with_code(0).json();
    assert_eq!(letters["settled"].as_u64(), Some(sent + 1));
    assert_eq!(letters["matched"].as_u64(), Some(LETTERS.unsigned_abs() - sent - 1));

    run_for(kafka, &group, &["operations", "resume", &id]).with_code(0);
    each_went_back_once(kafka, &group, 0..LETTERS - 1);
    // Requests to stop and claims are gone, and nothing is left to be done.
    run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(3);
    run_for(kafka, &group, &["operations", "resume", &id]).with_code(3);
}
