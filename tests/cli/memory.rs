//! That memory stays flat however long the dead letters are.

use crate::{
    bureau::{LIMIT, dead, topics},
    command::start_for,
    letters::{self, letter},
};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use std::{
    fs,
    io::Read as _,
    process::Child,
    thread,
    time::{Duration, Instant},
};

const FEW: i64 = 20_000;
const MANY: i64 = 4 * FEW;

/// Of each letter's body. With it the difference between few and many is some 140 MB of records.
const BODY: usize = 1500;

/// What is fetched ahead at most; how much of it is there depends on who is quicker.
const AHEAD: u64 = 64 << 20;

/// A group with so many letters.
fn group(kafka: &Kafka, name: &str, letters: i64) -> String {
    let group = kafka.unique_group(name);
    letters::topic(kafka, &group, 2);
    topics(kafka, &group);
    let filler = "x".repeat(BODY);
    let record = |number: i64| {
        let order = TestRecord::new(format!("order {number} {filler}")).key(format!("customer-{}", number % 7));
        letter(&group, order, &dead(&group, number)).to_partition((number % 2) as i32)
    };
    kafka.produce(&format!("{group}.dlq"), (0..letters).map(record));
    group
}

/// The most that a command ever held, in bytes, and how it ended. Looked at until its end: a peak never falls.
fn peak(mut child: Child) -> (u64, Option<i32>) {
    let path = format!("/proc/{}/status", child.id());
    let (began, mut peak) = (Instant::now(), 0);
    let code = loop {
        let status = fs::read_to_string(&path).unwrap_or_default();
        // A process that has ended, and is not waited for yet, has no such line.
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        peak = kib.map_or(peak, |kib| kib * 1024);
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status.code();
        }
        assert!(began.elapsed() < LIMIT, "it goes on and on");
        thread::sleep(Duration::from_millis(5));
    };
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
    assert!(peak > 0, "{code:?} {err}");
    (peak, code)
}

#[test]
fn a_scan_holds_no_more_however_many_letters_there_are() {
    let kafka = available!(Kafka::shared());
    let scan = |letters| {
        let group = group(kafka, "scan-memory", letters);
        let (peak, code) = peak(start_for(kafka, &group, &["dlq", "list", "--text", "no error says this"]));
        assert_eq!(code, Some(3));
        peak
    };
    let (few, many) = (scan(FEW), scan(MANY));
    println!("peak: {FEW} letters {} KiB, {MANY} letters {} KiB", few >> 10, many >> 10);
    assert!(many < few + AHEAD, "{FEW} letters took {few} bytes, {MANY} took {many}");
}

/// A redrive remembers which letters went back, since their copies must not: some bytes for each, whatever their size.
#[test]
fn a_redrive_holds_some_bytes_for_each_letter_and_no_more() {
    let kafka = available!(Kafka::shared());
    let redrive = |letters| {
        let group = group(kafka, "redrive-memory", letters);
        let (peak, code) = peak(start_for(kafka, &group, &["dlq", "redrive", "--yes"]));
        assert_eq!(code, Some(0));
        assert_eq!(kafka.count(&format!("{group}.retry.0s")) as i64, letters);
        peak
    };
    let (few, many) = (redrive(FEW), redrive(MANY));
    println!("peak: {FEW} letters {} KiB, {MANY} letters {} KiB", few >> 10, many >> 10);
    let remembered = 100 * (MANY - FEW).unsigned_abs();
    assert!(many < few + AHEAD + remembered, "{FEW} letters took {few} bytes, {MANY} took {many}");
}
