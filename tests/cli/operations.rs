//! `retrial operations` of what was killed.

use crate::{
    bureau::{each_went_back_once, end_of, has_sent, operations, signal, with_letters},
    command::{run_for, start_for},
};
use retrial_kafka_for_tests::{Kafka, available};
use rustix::process::Signal;

#[test]
fn of_a_killed_operation_nobody_is_at_work_it_is_ended_by_stop_and_goes_on_by_resume() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "operations-killed", 2000);
    let child = start_for(kafka, &group, &["dlq", "redrive", "--yes", "--rate", "100"]);
    let id = has_sent(kafka, &group, 20);
    signal(&child, Signal::KILL);
    drop(end_of(child));
    assert_eq!(operations(kafka, &group)[0]["state"], "running", "its claim stands");
    let said = run_for(kafka, &group, &["operations", "stop", &id, "--operator", "bob"]).with_code(0);
    assert!(said.out.starts_with(&format!("{id} is stopped: ")), "{}", said.out);
    let stopped = &operations(kafka, &group)[0];
    assert_eq!(stopped["note"], "its process was gone; stopped by bob");
    run_for(kafka, &group, &["operations", "resume", &id]).with_code(0);
    each_went_back_once(kafka, &group, 0..2000);
}
