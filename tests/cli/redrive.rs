//! `retrial dlq redrive`.

use crate::{
    bureau::{bury, operations, past, topics, way_back, went_back},
    command::run_for,
    letters,
};
use retrial_kafka_for_tests::{Kafka, available};
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
