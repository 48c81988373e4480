//! Commits whose fate is unknown: the broker stands still while a transaction is committed, and the operator gives up, or
//! dies. Whatever became of the transaction, what follows reads it from control.

use crate::{
    bureau::{each_went_back_once, end_of, has_sent, once_not_refused, with_letters},
    command::start_for,
};
use retrial_kafka_for_tests::{Kafka, Options, available};
use std::{thread, time::Duration};

const LETTERS: i64 = 4000;

/// Fast enough for a transaction to be under way at nearly every moment.
const QUICKLY: [&str; 5] = ["dlq", "redrive", "--yes", "--rate", "1000"];

/// The requests of a dead client lie in the broker's socket, and a broker that goes on carries them out.
#[test]
fn an_operator_that_dies_while_its_commit_is_in_doubt_loses_and_doubles_nothing() {
    let kafka = available!(Kafka::start(Options::default()));
    for millis in [100, 300, 700] {
        let group = with_letters(&kafka, "doubt-dead", LETTERS);
        let mut child = start_for(&kafka, &group, &QUICKLY);
        let id = has_sent(&kafka, &group, 200);
        kafka.broker(1).pause();
        // The batch under way is filled, or its commit is asked for, or it is waited for.
        thread::sleep(Duration::from_millis(millis));
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
        kafka.broker(1).resume();
        // Code 3: it was done already, on a machine that looked late.
        let said = once_not_refused(&kafka, &group, &["operations", "resume", &id]);
        assert!(matches!(said.code, Some(0 | 3)), "{millis} ms: {said:#?}");
        each_went_back_once(&kafka, &group, 0..LETTERS);
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
