//! `retrial dlq redrive`.

use crate::{
    bureau::{dead, operations, past, topics, way_back, went_back, with_letters},
    command::run_for,
    letters::{self, letter},
};
use retrial_core::history::History;
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use serde_json::json;

#[test]
fn a_redrive_shows_its_plan_does_nothing_without_yes_and_does_nothing_twice() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("redrive");
    letters::five(kafka, &group);
    topics(kafka, &group);
    let plan = "3 dead letters of 5 in billing.dlq go back to work\n";
    let redrive = |more: &[&str]| run_for(kafka, &group, &[&["dlq", "redrive", "--kind", "timeout"], more].concat());
    for dry in [&["--dry-run"][..], &[]] {
        let said = redrive(dry).with_code(0);
        assert_eq!(said.steady(&group), format!("{plan}Nothing was changed; --yes does it.\n"));
    }
    assert_eq!((way_back(kafka, &group).len(), operations(kafka, &group).len()), (0, 0));

    let done = redrive(&["--yes", "--operator", "alice"]).with_code(0);
    let operation = operations(kafka, &group).pop().expect("an operation");
    let id = operation["id"].as_str().expect("an id").to_owned();
    assert_eq!(done.steady(&group), format!("{plan}{id}: 3 dead letters sent back\n"));
    let first = way_back(kafka, &group).into_iter().find(|record| record.key.as_deref() == Some(b"customer-1"));
    let first = first.expect("the first letter");
    assert_eq!(
        (first.text().as_str(), first.header_value("tenant")),
        ("{\"order\":1,\"cents\":4200}", Some(&b"blue"[..]))
    );
    let past = past(&group, &first);
    assert_eq!((past.attempts, past.redrives, past.cause, past.error), (0, 1, None, None));
    assert_eq!((past.operation.as_deref(), past.origin.to_string().as_str()), (Some(&*id), "orders/3/11"));

    let again = redrive(&["--yes"]).with_code(3);
    assert_eq!(again.steady(&group), "0 dead letters of 5 in billing.dlq go back to work\n\x20 3 settled before\n");
    assert_eq!(went_back(kafka, &group).values().copied().collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn the_json_of_a_redrive_has_its_plan_and_its_operation() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("redrive-json");
    letters::five(kafka, &group);
    topics(kafka, &group);
    let arguments = ["dlq", "redrive", "--output", "json", "--operator", "alice"];
    let mut expected = json!({
        "schema": "retrial.dlq.redrive/1", "group": group,
        "plan": {
            "topic": format!("{group}.dlq"), "kind": "redrive", "scanned": 5, "matched": 5, "goes": 4, "copies": 0,
            "too_often": 0, "unreadable": 1, "gone": 0, "settled": 0, "complete": true,
        },
        "operation": null,
    });
    assert_eq!(run_for(kafka, &group, &arguments).with_code(0).json(), expected);
    let mut done = run_for(kafka, &group, &[&arguments[..], &["--yes"]].concat()).with_code(0).json();
    let operation = done["operation"].as_object_mut().expect("an operation");
    for varies in ["id", "began", "changed"] {
        assert!(operation.remove(varies).is_some_and(|value| value.is_string()));
    }
    expected["operation"] = json!({
        "kind": "redrive", "who": "alice", "state": "done", "planned": 4, "sent": 4, "settled": 4, "left": 1,
        "reason": null, "note": null, "request": {"filter": {}},
        "partitions": [{"topic": format!("{group}.dlq"), "partition": 0, "from": 0, "next": 5, "end": 5}],
    });
    assert_eq!(done, expected);
}

/// Letters of one record, however they came to be several, are one piece of work.
#[test]
fn rule_20_letters_of_one_record_are_collapsed_also_over_operations_and_filters() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-copies", 0);
    let copy = |kind: &str| {
        let past = History { error_kind: Some(kind.to_owned()), ..dead(&group, 7) };
        letter(&group, TestRecord::new(kind), &past).to_partition(0)
    };
    kafka.produce(&format!("{group}.dlq"), ["first", "second", "third", "third"].map(copy));
    let redrive = |more: &[&str]| run_for(kafka, &group, &[&["dlq", "redrive", "--yes"], more].concat()).with_code(0);
    let said = redrive(&["--kind", "third"]);
    assert!(said.out.contains("1 settled with them"), "{}", said.out);
    // The first one is read before the one that went back, and stays behind it all the same.
    redrive(&[]);
    let counts = |name: &str| operations(kafka, &group)[0][name].as_u64();
    assert_eq!((counts("sent"), counts("settled")), (Some(0), Some(2)));
    assert_eq!(went_back(kafka, &group).into_iter().collect::<Vec<_>>(), [("third".to_owned(), 1)]);
}

#[test]
fn what_came_back_dead_three_times_goes_back_only_by_force() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-loop", 0);
    let after = |redrives: u32| {
        let past = History { redrives, ..dead(&group, i64::from(redrives)) };
        letter(&group, TestRecord::new(format!("after {redrives}")), &past).to_partition(0)
    };
    kafka.produce(&format!("{group}.dlq"), [2, 3, 4].map(after));
    let said = run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(0);
    let left = "2 left: redriven three times and dead again each time (--force takes them, too)";
    assert!(said.out.contains(left) && said.out.contains("1 dead letter sent back, 2 left"), "{}", said.out);
    assert_eq!(went_back(kafka, &group).keys().cloned().collect::<Vec<_>>(), ["after 2"]);
    run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(3);
    run_for(kafka, &group, &["dlq", "redrive", "--yes", "--force"]).with_code(0);
    assert_eq!(went_back(kafka, &group).into_values().collect::<Vec<_>>(), [1, 1, 1]);
    let redrives: Vec<u32> = way_back(kafka, &group).iter().map(|record| past(&group, record).redrives).collect();
    assert_eq!(redrives.iter().sum::<u32>(), 3 + 4 + 5);
}

/// As retrial writes one for a record that does not fit into the dead letters.
fn reference(group: &str, number: i64, body: &[u8]) -> TestRecord {
    let hash = body
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let past = dead(group, number);
    let origin = past.origin.to_string();
    let text = format!(
        "retrial reference 1\nrecord: {origin}\nkept-until: unknown\nkey-bytes: 3\nbody-bytes: {}\n\
         body-fnv1a64: {hash:016x}\nhead-bytes: 0\n\n",
        body.len()
    );
    letter(group, TestRecord::new(text), &past).header("retrial-reference", origin).to_partition(0)
}

#[test]
fn a_letter_by_reference_goes_back_whole_while_its_record_is_there_and_is_that_record() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-reference", 0);
    let orders = crate::bureau::orders(&group);
    kafka.create_topic(&orders, 4, &[]);
    let order = |body: &str| TestRecord::new(body.repeat(100_000)).key("key").header("tenant", "blue").to_partition(3);
    kafka.produce(&orders, ["gone", "here", "else"].map(order));
    letters::delete_below(kafka, &orders, 3, 1);
    let letters = [(0, "gone"), (1, "here"), (2, "what was cut")];
    let letters = letters.map(|(number, body)| reference(&group, number, body.repeat(100_000).as_bytes()));
    kafka.produce(&format!("{group}.dlq"), letters);
    let said = run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(0);
    // Whether it is that record is seen when it is fetched.
    assert!(said.out.contains("1 left: too large for the dead letters, and gone"), "{}", said.out);
    assert!(said.out.contains("1 dead letter sent back, 2 left"), "{}", said.out);
    let back = way_back(kafka, &group);
    assert_eq!(back.len(), 1);
    assert_eq!((back[0].text(), back[0].key.as_deref()), ("here".repeat(100_000), Some(&b"key"[..])));
    let names: Vec<&str> = back[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names.contains(&"retrial-reference")), ("tenant", false));
    assert_eq!(past(&group, &back[0]).origin.offset, 1);
    run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(0);
    assert_eq!(way_back(kafka, &group).len(), 1);
}

#[test]
fn wrong_use_and_what_is_missing_is_told() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("redrive-wrong");
    let said = run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(1);
    assert!(said.err.contains(&format!("topic {group}.dlq does not exist")), "{}", said.err);
    letters::five(kafka, &group);
    let said = run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(1);
    assert!(said.err.contains(&format!("topic {group}.retry.0s does not exist")), "{}", said.err);
    for wrong in [
        &["redrive", "--rate", "0"][..],
        &["redrive", "--yes", "--dry-run"],
        &["discard"],
        &["discard", "--reason", ""],
    ] {
        run_for(kafka, &group, &[&["dlq"], wrong].concat()).with_code(2);
    }
    topics(kafka, &group);
    kafka.produce(&format!("{group}.control"), [TestRecord::new("2\nwhatever").key("operation/redrive-1")]);
    let said = run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(4);
    assert!(said.err.contains("operation/redrive-1 is skipped: written by a later version (2)"), "{}", said.err);
    assert_eq!(way_back(kafka, &group).len(), 0);
}
