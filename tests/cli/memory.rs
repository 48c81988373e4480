//! That memory stays flat however long the dead letters are.

use crate::{
    bureau::{LIMIT, with_letters},
    command::start_for,
};
use retrial_kafka_for_tests::{Kafka, available};
use std::{
    fs,
    io::Read as _,
    process::Child,
    thread,
    time::{Duration, Instant},
};

/// More than is fetched ahead, and than a batch has.
const FEW: i64 = 50_000;
/// The difference is some 180 MB, as a client holds records.
const MANY: i64 = 4 * FEW;

/// What allocators and chance make of it.
const MARGIN: u64 = 48 << 20;

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
        let group = with_letters(kafka, "scan-memory", letters);
        let (peak, code) = peak(start_for(kafka, &group, &["dlq", "list", "--text", "no error says this"]));
        assert_eq!(code, Some(3));
        peak
    };
    let (few, many) = (scan(FEW), scan(MANY));
    println!("peak: {FEW} letters {} KiB, {MANY} letters {} KiB", few >> 10, many >> 10);
    assert!(many < few + MARGIN, "{FEW} letters took {few} bytes, {MANY} took {many}");
}

/// A redrive remembers which letters went back, since their copies must not: some bytes for each, whatever their size.
#[test]
fn a_redrive_holds_some_bytes_for_each_letter_and_no_more() {
    let kafka = available!(Kafka::shared());
    let redrive = |letters| {
        let group = with_letters(kafka, "redrive-memory", letters);
        let (peak, code) = peak(start_for(kafka, &group, &["dlq", "redrive", "--yes"]));
        assert_eq!(code, Some(0));
        assert_eq!(kafka.count(&format!("{group}.retry.0s")) as i64, letters);
        peak
    };
    let (few, many) = (redrive(FEW), redrive(MANY));
    println!("peak: {FEW} letters {} KiB, {MANY} letters {} KiB", few >> 10, many >> 10);
    let remembered = 100 * (MANY - FEW).unsigned_abs();
    assert!(many < few + MARGIN + remembered, "{FEW} letters took {few} bytes, {MANY} took {many}");
}
