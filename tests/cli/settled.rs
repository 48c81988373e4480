//! Dead letters that are settled.

use crate::{
    bureau::{
        bury, each_went_back_once, end_of, has_sent, operations, signal, topics, way_back, went_back, with_letters,
    },
    command::{run_for, start_for},
    letters,
};
use retrial_kafka_for_tests::{Kafka, available};
use rustix::process::Signal;
use serde_json::json;

#[test]
fn discarded_letters_are_settled_with_who_and_why_and_no_longer_open() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("discard");
    letters::five(kafka, &group);
    topics(kafka, &group);
    let discard = |more: &[&str]| {
        let arguments = ["dlq", "discard", "--kind", "timeout", "--reason", "refunded by hand", "--operator", "alice"];
        run_for(kafka, &group, &[&arguments, more].concat())
    };
    let plan = "3 dead letters of 5 in billing.dlq are discarded\n";
    assert_eq!(discard(&[]).with_code(0).steady(&group), format!("{plan}Nothing was changed; --yes does it.\n"));
    let done = discard(&["--yes"]).with_code(0);
    let operation = operations(kafka, &group).pop().expect("an operation");
    let id = operation["id"].as_str().expect("an id");
    assert_eq!(done.steady(&group), format!("{plan}{id}: 3 dead letters discarded\n"));
    for (name, value) in [("kind", "discard"), ("who", "alice"), ("reason", "refunded by hand"), ("state", "done")] {
        assert_eq!(operation[name], value);
    }
    discard(&["--yes"]).with_code(3);

    let listed = run_for(kafka, &group, &["dlq", "list"]).with_code(0).steady(&group);
    assert!(
        listed.starts_with("COUNT") && listed.contains("\n1  refused") || listed.contains("  1  refused"),
        "{listed}"
    );
    assert!(
        listed.ends_with("\n2 dead letters of 5 in billing.dlq, 1 without a readable past, 3 settled\n"),
        "{listed}"
    );
    let listed = run_for(kafka, &group, &["dlq", "list", "--kind", "timeout", "--output", "json"]).with_code(3).json();
    assert_eq!((&listed["matched"], &listed["settled"], &listed["groups"]), (&json!(0), &json!(3), &json!([])));
    // The group has committed nothing.
    let status = run_for(kafka, &group, &["status"]).with_code(3).out;
    assert!(status.contains("2 dead letters in ") && status.contains(", 3 settled\n"), "{status}");
    let status = run_for(kafka, &group, &["status", "--output", "json"]).with_code(3).json();
    assert_eq!((&status["dead_letters"]["count"], &status["dead_letters"]["settled"]), (&json!(5), &json!(3)));
    let shown = run_for(kafka, &group, &["dlq", "show", &format!("{group}.dlq/0/0")]).with_code(0).out;
    assert!(shown.contains("\nsettled        discarded\n"), "{shown}");
    let exported = run_for(kafka, &group, &["dlq", "export"]).with_code(0).out;
    assert_eq!(exported.lines().filter(|line| line.contains("\"settled\":\"discarded\"")).count(), 3);

    run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(0);
    assert_eq!(way_back(kafka, &group).len(), 1, "the one that was open");
}

#[test]
fn rule_20_marks_and_progress_end_with_their_topic() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-anew", 2000);
    let child = start_for(kafka, &group, &["dlq", "redrive", "--yes", "--rate", "100"]);
    let id = has_sent(kafka, &group, 20);
    signal(&child, Signal::INT);
    assert_eq!(end_of(child).0, Some(5));
    let before = went_back(kafka, &group).len();

    let topic = format!("{group}.dlq");
    kafka.delete_topic(&topic);
    letters::topic(kafka, &group, 2);
    bury(kafka, &group, 5000..5010);
    let listed = run_for(kafka, &group, &["dlq", "list"]).with_code(0).out;
    assert!(listed.ends_with(&format!("10 dead letters of 10 in {topic}\n")), "{listed}");
    let resumed = run_for(kafka, &group, &["operations", "resume", &id]).with_code(4);
    assert!(
        resumed.err.contains(&format!("{topic} was deleted and made anew since {id} was planned")),
        "{}",
        resumed.err
    );
    run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(0);
    let went = went_back(kafka, &group);
    assert_eq!(went.len(), before + 10);
    assert!((5000..5010).all(|number| went[&format!("order {number}")] == 1), "{went:?}");
    run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(3);
}

/// More than a page of marks, and more than one batch.
#[test]
fn a_hundred_thousand_letters_go_back_once() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-many", 140_000);
    let said = run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(0);
    assert!(said.out.contains("140,000 dead letters sent back"), "{}", said.out);
    each_went_back_once(kafka, &group, 0..140_000);
    let listed = run_for(kafka, &group, &["dlq", "list", "--output", "json"]).with_code(3).json();
    assert_eq!((&listed["matched"], &listed["settled"]), (&json!(0), &json!(140_000)));
}
