//! Commits whose fate is unknown: the broker stands still while a transaction is committed, and the operator gives up, or
//! dies. Whatever became of the transaction, what follows reads it from control.

use crate::{
    bureau::{LIMIT, each_went_back_once, end_of, has_sent, once_not_refused, operations, with_letters},
    command::start_for,
};
use retrial_kafka_for_tests::{Kafka, Options, available};
use std::{
    thread,
    time::{Duration, Instant},
};

const LETTERS: i64 = 4000;

/// Fast enough for a transaction to be under way at nearly every moment.
const QUICKLY: [&str; 5] = ["dlq", "redrive", "--yes", "--rate", "1000"];

/// The requests of a dead client lie in the broker's socket, and a broker that goes on carries them out.
#[test]
fn an_operator_that_dies_while_its_commit_is_in_doubt_loses_and_doubles_nothing() {
    let kafka = available!(Kafka::start(Options::default()));
    let group = with_letters(&kafka, "doubt-dead", LETTERS);
    let mut child = start_for(&kafka, &group, &QUICKLY);
    let id = has_sent(&kafka, &group, 200);
    for round in 1..4 {
        kafka.broker(1).pause();
        // Long enough for the next batch to be full, and its commit to be asked for.
        thread::sleep(Duration::from_millis(100 + 250 * round));
        let is_at_work = child.try_wait().expect("a child can be waited for").is_none();
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
        kafka.broker(1).resume();
        assert!(is_at_work, "round {round}: it is stopped by nobody");
        child = resumed(&kafka, &group, &id, 200 * (round + 1));
    }
    let (code, out, err) = end_of(child);
    assert_eq!(code, Some(0), "{out}{err}");
    each_went_back_once(&kafka, &group, 0..LETTERS);
}

/// Goes on in the place of one that was killed, as soon as its claim is old, and until so many were sent.
fn resumed(kafka: &Kafka, group: &str, id: &str, records: u64) -> std::process::Child {
    let began = Instant::now();
    loop {
        let mut child = start_for(kafka, group, &["operations", "resume", id, "--take-over", "--rate", "1000"]);
        while child.try_wait().expect("a child can be waited for").is_none() {
            let sent = operations(kafka, group)[0]["sent"].as_u64().expect("a number");
            if sent >= records && operations(kafka, group)[0]["state"] == "running" {
                return child;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let (code, out, err) = end_of(child);
        assert_eq!(code, Some(4), "{out}{err}");
        assert!(began.elapsed() < LIMIT, "{err}");
    }
}

#[test]
fn an_operator_that_outlives_a_silent_broker_goes_on_without_loss_or_double() {
    let kafka = available!(Kafka::start(Options::default()));
    let group = with_letters(&kafka, "doubt-alive", LETTERS);
    let child = start_for(&kafka, &group, &QUICKLY);
    let id = has_sent(&kafka, &group, 200);
    kafka.broker(1).pause();
    // Longer than a commit is waited for (20 s), and than the broker lets a transaction be open (15 s).
    thread::sleep(Duration::from_secs(24));
    kafka.broker(1).resume();
    let (code, out, err) = end_of(child);
    assert!(matches!(code, Some(0 | 5)), "{code:?} {out}{err}");
    if code == Some(5) {
        assert!(err.contains(&format!("to go on: retrial operations resume {id}")), "{err}");
        once_not_refused(&kafka, &group, &["operations", "resume", &id]).with_code(0);
    }
    each_went_back_once(&kafka, &group, 0..LETTERS);
}
