//! `retrial dlq`.

use crate::{
    command::{run_for, start_for},
    letters::{self, letter, timed_out},
};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

#[test]
fn letters_are_listed_by_groups_of_alike_errors() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-list");
    letters::five(kafka, &group);
    let said = run_for(kafka, &group, &["dlq", "list"]).with_code(0);
    assert_eq!(
        said.steady(&group),
        "COUNT  CAUSE  KIND  ERROR  FIRST  LAST  FINGERPRINT  SAMPLE\n\
         \x20 3  exhausted  timeout  bank # does not answer  TIME  TIME  dee9dc34  billing.dlq/0/4\n\
         \x20 1  refused  card  the card was refused  TIME  TIME  b97d1124  billing.dlq/0/2\n\
         \n\
         5 dead letters of 5 in billing.dlq, 1 without a readable past\n"
    );
    let mut document = run_for(kafka, &group, &["dlq", "list", "--output", "json"]).with_code(0).json();
    for group in document["groups"].as_array_mut().expect("groups") {
        for time in ["first", "last"] {
            let shown = group[time].take();
            assert!(shown.as_str().is_some_and(|text| text.ends_with('Z') && text.contains('T')), "{shown}");
        }
    }
    let letter = |offset| format!("{group}.dlq/0/{offset}");
    let expected = json!({
        "schema": "retrial.dlq.list/1", "topic": format!("{group}.dlq"), "scanned": 5, "matched": 5, "settled": 0, "unreadable": 1,
        "not_grouped": 0, "complete": true,
        "groups": [
            {"fingerprint": "dee9dc34", "cause": "exhausted", "kind": "timeout", "error": "bank # does not answer", "count": 3,
             "first": null, "last": null,
             "sample": {"letter": letter(4), "origin": "orders/3/14", "error": "bank 14 does not answer", "attempts": 4}},
            {"fingerprint": "b97d1124", "cause": "refused", "kind": "card", "error": "the card was refused", "count": 1,
             "first": null, "last": null,
             "sample": {"letter": letter(2), "origin": "orders/3/13", "error": "the card was refused", "attempts": 1}},
        ],
    });
    assert_eq!(document, expected);
}

#[test]
fn each_filter_picks_its_letters() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-filter");
    letters::five(kafka, &group);
    let picked = |filter: &[&str]| {
        let arguments: Vec<&str> = ["dlq", "export"].iter().chain(filter).copied().collect();
        let said = run_for(kafka, &group, &arguments);
        let offsets: Vec<i64> =
            lines(&said.out).iter().map(|line| line["offset"].as_i64().expect("an offset")).collect();
        (said.code, offsets)
    };
    for (filter, offsets) in [
        (&["--cause", "exhausted"][..], &[0, 1, 4][..]),
        (&["--cause", "exhausted", "--cause", "refused"], &[0, 1, 2, 4]),
        (&["--kind", "card"], &[2]),
        (&["--fingerprint", "dee9dc34"], &[0, 1, 4]),
        (&["--text", "BANK 12"], &[1]),
        (&["--key", "customer-1", "--key", "customer-4"], &[0, 4]),
        (&["--header", "tenant"], &[0, 1]),
        (&["--header", "tenant=red"], &[1]),
        (&["--header", "flag"], &[2]),
        (&["--min-attempts", "3"], &[1, 4]),
        (&["--max-attempts", "2"], &[0, 2]),
        (&["--source", "orders/3/12", "--source", "orders/4"], &[1]),
        (&["--source", "orders"], &[0, 1, 2, 4]),
        (&["--since", "1h"], &[0, 1, 2, 3, 4]),
        (&["--kind", "timeout", "--min-attempts", "3", "--header", "tenant"], &[1]),
        (&["--from", "0:3"], &[3, 4]),
    ] {
        assert_eq!(picked(filter), (Some(0), offsets.to_vec()), "{filter:?}");
    }
    for filter in
        [&["--cause", "crashed"][..], &["--since", "2100-01-01"], &["--until", "2000-01-01"], &["--text", "sun"]]
    {
        assert_eq!(picked(filter), (Some(3), vec![]), "{filter:?}");
    }
    assert_eq!(
        run_for(kafka, &group, &["dlq", "list", "--cause", "crashed"]).with_code(3).out,
        format!("0 dead letters of 5 in {group}.dlq\n")
    );
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn an_export_loses_no_byte() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-export");
    letters::five(kafka, &group);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("letters.jsonl");
    let to = file.to_str().expect("a path");
    assert_eq!(run_for(kafka, &group, &["dlq", "export", "--to", to]).with_code(0).out, "");
    let mut lines = lines(&fs::read_to_string(&file).expect("a file"));
    assert!(lines.iter_mut().all(|line| line["buried"].take().is_string()));
    assert_eq!(
        lines[2],
        json!({
            "topic": format!("{group}.dlq"), "partition": 0, "offset": 2, "buried": null,
            "past": {
                "origin": "orders/3/13", "source_time": "create 2026-11-22T10:21:00.000Z", "cause": "refused",
                "kind": "card", "error": "the card was refused", "fingerprint": "b97d1124", "attempts": 1, "crashes": 0,
                "first_failed": "2026-11-22T10:21:01.000Z", "last_failed": "2026-11-22T10:21:02.000Z", "redrives": 0,
            },
            "settled": null, "is_reference": false, "key": {"base64": "/g=="}, "headers": [{"name": "flag", "value": null}],
            "body": {"base64": "/wAB"},
        })
    );
    assert_eq!((&lines[3]["past"], &lines[3]["body"]), (&Value::Null, &json!("by hand")));
    assert!(lines[3]["unreadable"].as_str().is_some_and(|why| why.contains("no headers of retrial")), "{}", lines[3]);
    assert_eq!((&lines[4]["body"], &lines[4]["key"]), (&Value::Null, &json!("customer-4")));
    let again = run_for(kafka, &group, &["dlq", "export", "--to", to]).with_code(1);
    assert!(again.err.contains("letters.jsonl"), "{}", again.err);
}

#[test]
fn one_letter_is_shown_in_full_by_its_place_or_its_records() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-show");
    let topic = letters::five(kafka, &group);
    let expected = "letter  billing.dlq/0/0\n\
                    buried  TIME\n\
                    origin  orders/3/11\n\
                    written  TIME\n\
                    cause  exhausted\n\
                    kind  timeout\n\
                    error  bank 11 does not answer\n\
                    fingerprint  dee9dc34\n\
                    attempts  2\n\
                    first failed  TIME\n\
                    last failed  TIME\n\
                    key  customer-1\n\
                    header  tenant = blue\n\
                    body  JSON, 24 bytes\n\
                    \n\
                    {\n  \"order\": 1,\n  \"cents\": 4200\n}\n";
    for place in [format!("{topic}/0/0"), "orders/3/11".to_owned()] {
        assert_eq!(run_for(kafka, &group, &["dlq", "show", &place]).with_code(0).steady(&group), expected, "{place}");
    }
    let hex = run_for(kafka, &group, &["dlq", "show", &format!("{topic}/0/2")]).with_code(0).out;
    assert!(hex.contains("00000000  ff 00 01") && hex.contains("header         flag = null"), "{hex}");
    let by_hand =
        run_for(kafka, &group, &["dlq", "show", &format!("{topic}/0/3"), "--payload", "text"]).with_code(0).out;
    assert!(
        by_hand.contains("not readable: it has no headers of retrial") && by_hand.ends_with("\nby hand\n"),
        "{by_hand}"
    );
    let document = run_for(kafka, &group, &["dlq", "show", "orders/3/14", "--output", "json"]).with_code(0).json();
    assert_eq!((&document["schema"], &document["letters"][0]["offset"]), (&json!("retrial.dlq.show/1"), &json!(4)));
    for nowhere in [format!("{topic}/0/5"), format!("{topic}/7/0"), "orders/3/99".to_owned()] {
        let said = run_for(kafka, &group, &["dlq", "show", &nowhere]).with_code(3);
        assert!(said.err.contains(&nowhere), "{}", said.err);
    }
}

#[test]
fn what_is_gone_and_what_was_aborted_ends_no_scan_early_and_none_never() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-holes");
    let topic = letters::topic(kafka, &group, 2);
    // One partition is empty. The other has letters that were deleted, letters, and at its end an aborted transaction.
    let records = (0..20).map(|number| letter(&group, TestRecord::new("x").to_partition(1), &timed_out(number, 1)));
    kafka.produce(&topic, records);
    letters::delete_below(kafka, &topic, 1, 15);
    letters::abort(kafka, &topic, 1, 3);
    let said = run_for(kafka, &group, &["dlq", "list", "--output", "json"]).with_code(0).json();
    assert_eq!((&said["scanned"], &said["matched"], &said["complete"]), (&json!(5), &json!(5), &json!(true)));
}

#[cfg(unix)]
#[test]
fn an_export_that_is_interrupted_says_how_to_go_on_and_does() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::Read as _;

    const LETTERS: usize = 60_000;
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-interrupt");
    let topic = letters::topic(kafka, &group, 2);
    let body = "x".repeat(200);
    let records = (0..LETTERS).map(|number| {
        let record = TestRecord::new(body.clone()).to_partition(i32::from(number % 2 == 1));
        letter(&group, record, &timed_out(number as i64, 1))
    });
    kafka.produce(&topic, records);
    let mut child = start_for(kafka, &group, &["dlq", "export"]);
    let mut out = child.stdout.take().expect("a pipe");
    // Its first lines are there, and the pipe is too small for the others.
    let mut first = vec![0; 1024];
    out.read_exact(&mut first).expect("a kilobyte");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
    kill_process(pid, Signal::INT).expect("a child can be interrupted");
    out.read_to_end(&mut first).expect("the rest");
    let ended = child.wait_with_output().expect("a child can be waited for");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(5), "{err}");
    let (_, options) = err.trim().split_once("to go on, add ").expect("how to go on");
    let rest: Vec<&str> = ["dlq", "export"].into_iter().chain(options.split(' ')).collect();
    let rest = run_for(kafka, &group, &rest).with_code(0).out;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for line in lines(&String::from_utf8_lossy(&first)).into_iter().chain(lines(&rest)) {
        *seen.entry(line["past"]["origin"].to_string()).or_default() += 1;
    }
    assert_eq!((seen.len(), seen.values().max()), (LETTERS, Some(&1)), "all, and none twice");
}

/// `syntax = "proto3"; package shop; message Order { uint64 id = 1; Customer customer = 2; } message Customer { int64 id = 1; }`
fn shop() -> Vec<u8> {
    use prost::Message as _;
    use prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, field_descriptor_proto::Type,
    };
    let field = |name: &str, number, kind: Type, of: Option<&str>| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind.into()),
        type_name: of.map(str::to_owned),
        ..FieldDescriptorProto::default()
    };
    let message =
        |name: &str, field| DescriptorProto { name: Some(name.to_owned()), field, ..DescriptorProto::default() };
    let order = vec![field("id", 1, Type::Uint64, None), field("customer", 2, Type::Message, Some(".shop.Customer"))];
    let file = FileDescriptorProto {
        name: Some("shop.proto".to_owned()),
        package: Some("shop".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![message("Order", order), message("Customer", vec![field("id", 1, Type::Int64, None)])],
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[test]
fn letters_are_picked_by_what_their_bodies_say() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-where");
    letters::five(kafka, &group);
    let matched = |conditions: &[&str]| {
        let more = conditions.iter().flat_map(|condition| ["--where", condition]);
        let arguments: Vec<&str> = ["dlq", "list", "--output", "json"].into_iter().chain(more).collect();
        run_for(kafka, &group, &arguments).json()["matched"].clone()
    };
    // Two of the five are orders, two are not JSON, and one is null.
    for (conditions, count) in [
        (&[".cents == 4200"][..], 2),
        (&[".order >= 2", ".order != 4"], 1),
        (&[".customer == null"], 3),
        (&[".order > 9"], 0),
    ] {
        assert_eq!(matched(conditions), json!(count), "{conditions:?}");
    }
    let text = run_for(
        kafka,
        &group,
        &["dlq", "list", "--output", "json", "--value-format", "string", "--where", ". == \"by hand\""],
    );
    assert_eq!(text.json()["matched"], json!(1));
    let wrong = run_for(kafka, &group, &["dlq", "list", "--where", ".cents = 4200"]).with_code(2);
    assert!(wrong.err.contains("a condition is a path with a comparison or without"), "{}", wrong.err);
    let redrive = run_for(kafka, &group, &["dlq", "redrive", "--where", ".order == 2"]).with_code(0);
    assert!(redrive.out.contains("1 dead letter of 5"), "{}", redrive.out);
}

#[test]
fn protobuf_is_read_by_a_descriptor_set() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("dlq-protobuf");
    let topic = letters::topic(kafka, &group, 1);
    let bodies: [&[u8]; 3] = [&[8, 7, 0x12, 2, 8, 42], &[0, 0, 0, 0, 9, 0, 8, 8, 0x12, 2, 8, 43], &[8]];
    let records =
        bodies.into_iter().zip(11..).map(|(body, offset)| letter(&group, TestRecord::new(body), &timed_out(offset, 1)));
    kafka.produce(&topic, records);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.binpb");
    std::fs::write(&file, shop()).expect("a file");
    let protobuf =
        ["--value-format", "protobuf", "--descriptor-set", file.to_str().expect("a path"), "--message", "shop.Order"];
    let told = |arguments: &[&str]| run_for(kafka, &group, &[arguments, &protobuf].concat());
    let listed = told(&["dlq", "list", "--output", "json", "--where", ".customer.id == 43"]).with_code(0).json();
    assert_eq!((&listed["matched"], &listed["groups"][0]["sample"]["origin"]), (&json!(1), &json!("orders/3/12")));
    let shown = told(&["dlq", "show", "orders/3/11"]).with_code(0).out;
    assert!(
        shown.contains(
            "body           Protobuf, 6 bytes\n\n{\n  \"customer\": {\n    \"id\": 42\n  },\n  \"id\": 7\n}\n"
        ),
        "{shown}"
    );
    let cut = told(&["dlq", "show", "orders/3/13"]).with_code(0).out;
    assert!(cut.contains("undecodable, 1 byte\n\nProtobuf: failed to decode") && cut.contains("00000000  08"), "{cut}");
    let tail = told(&["tail", &topic, "--no-follow", "--from-beginning"]).with_code(0).out;
    assert!(tail.contains("{\"customer\":{\"id\":43},\"id\":8}\n") && tail.ends_with("  08\n"), "{tail}");
    let without = run_for(kafka, &group, &["dlq", "list", "--value-format", "protobuf"]).with_code(2);
    assert!(without.err.contains("needs --descriptor-set FILE and --message NAME"), "{}", without.err);
    let missing = run_for(
        kafka,
        &group,
        &[
            "dlq",
            "list",
            "--value-format",
            "protobuf",
            "--descriptor-set",
            file.to_str().expect("a path"),
            "--message",
            "shop.Parcel",
        ],
    )
    .with_code(2);
    assert!(
        missing.err.contains("no message shop.Parcel in the descriptor set, which has shop.Order, shop.Customer"),
        "{}",
        missing.err
    );
}
