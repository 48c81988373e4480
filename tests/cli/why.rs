//! `retrial why`.

use crate::{
    command::{Said, run, run_for},
    letters,
    serving::serve,
};
use retrial_core::history::History;
use retrial_kafka_for_tests::{Commit, Kafka, TestRecord, available};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(90);

/// The fate of a record as JSON tells it, with the exit code that goes with it.
fn fate(kafka: &Kafka, group: &str, place: &str) -> String {
    let said = run_for(kafka, group, &["why", place, "--output", "json"]);
    assert!(matches!(said.code, Some(0 | 3)), "{said:?}");
    let document = said.json();
    assert_eq!(document["schema"], json!("retrial.why/1"), "{said:?}");
    let fate = document["stories"][0]["fate"].as_str().expect("a fate").to_owned();
    let code = if ["not_written", "no_record"].contains(&&*fate) { 3 } else { 0 };
    assert_eq!(said.code, Some(code), "{said:?}");
    fate
}

/// Asks again until a record has this fate: commits follow what happens within a second or so.
fn becomes(kafka: &Kafka, group: &str, place: &str, expected: &str) {
    let began = Instant::now();
    loop {
        let found = fate(kafka, group, place);
        if found == expected {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{place} is {found}, not {expected}");
    }
}

fn first_line(said: &Said, group: &str) -> String {
    said.steady(group).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_records_of_a_service_are_told_of_while_it_runs() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("why");
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 1, &[]);
    let bodies = ["one", "hang", "later", "dead", "beyond"];
    kafka.produce(&orders, bodies.map(|body| TestRecord::new(body).key("customer-7")));
    let service = serve(kafka, &group, &orders);
    let place = |offset: usize| format!("{orders}/0/{offset}");
    for (offset, expected) in ["done", "running", "waiting", "dead", "done"].into_iter().enumerate() {
        becomes(kafka, &group, &place(offset), expected);
    }

    let waiting = run_for(kafka, &group, &["why", &place(2)]).with_code(0);
    let head = first_line(&waiting, &group);
    assert!(head.starts_with("billing-orders/0/2: waiting in billing.retry.1h until TIME (in 59m "), "{head}");
    let text = waiting.steady(&group);
    assert!(text.contains("\nTIME  billing-orders/0/2  0  finished here, beyond watermark 1\n"), "{text}");
    let step = format!("TIME  billing.retry.1h/0/{}  1  until TIME, bank: the bank is closed\n", 0);
    let partition = kafka.read(&format!("{group}.retry.1h"))[0].position().partition;
    assert!(text.contains(&step.replace("1h/0/", &format!("1h/{partition}/"))), "{text}");

    let letter = kafka.read(&format!("{group}.dlq"))[0].position();
    let letter = format!("{group}.dlq/{}/{}", letter.partition, letter.offset);
    for asked in [&place(3), &letter] {
        let dead = run_for(kafka, &group, &["why", asked]).with_code(0);
        let expected =
            "billing-orders/0/3: dead since TIME: refused after 1 attempt, card: the card was refused; letter ";
        assert_eq!(first_line(&dead, &group), format!("{expected}{}", letter.replace(&group, "billing")));
    }

    let of_key = run_for(kafka, &group, &["why", "--key", "customer-7", "--last", "1h"]).with_code(0);
    let text = of_key.steady(&group);
    assert!(text.contains("\nbilling-orders/0/1  TIME  running  -  -\n"), "{text}");
    assert!(text.contains("\nbilling-orders/0/3  TIME  dead  1  the card was refused\n"), "{text}");
    assert!(text.ends_with("\n5 records: 2 done, 1 running, 1 waiting, 1 dead\n"), "{text}");
    let youngest = run_for(kafka, &group, &["why", "--key", "customer-7", "--limit", "2", "-o", "json"]).with_code(0);
    let document = youngest.json();
    assert_eq!(
        (&document["matched"], &document["complete"], &document["key"]),
        (&json!(5), &json!(true), &json!("customer-7"))
    );
    let told: Vec<&Value> = document["stories"].as_array().expect("stories").iter().map(|it| &it["record"]).collect();
    assert_eq!(told, [&json!(place(3)), &json!(place(4))]);
    let step = &document["stories"][0]["trail"][0];
    assert_eq!((&step["stop"], &step["past"]["attempts"]), (&json!("dead_letters"), &json!(1)));
    assert_eq!(document["stories"][0]["decided_by"], json!(0));

    // The owner says goodbye: what it had started is not running any more.
    assert_eq!(service.handled().len(), 2);
    drop(service);
    becomes(kafka, &group, &place(1), "unfinished");
    assert_eq!(fate(kafka, &group, &place(4)), "done");
}

#[test]
fn what_a_log_holds_no_more_or_not_yet_or_never_did_is_told_apart() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("why-logs");
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 2, &[]);
    let partition = |number: i32| (0..4).map(move |body| TestRecord::new(format!("{body}")).to_partition(number));
    kafka.produce(&orders, partition(0).chain(partition(1)));
    letters::abort(kafka, &orders, 0, 1);
    let commit = |offset| Commit { partition: 0, offset, metadata: "of somebody else".to_owned() };
    kafka.commit(&group, &orders, &commit(1));
    letters::delete_below(kafka, &orders, 0, 2);
    for (place, expected) in [
        ("0/0", "done"),
        ("0/1", "gone"),
        ("0/2", "unfinished"),
        ("0/4", "no_record"),
        ("0/99", "not_written"),
        ("1/0", "never_seen"),
        ("7/0", "not_written"),
    ] {
        assert_eq!(fate(kafka, &group, &format!("{orders}/{place}")), expected, "{place}");
    }
    let gone = run_for(kafka, &group, &["why", &format!("{orders}/0/1")]).with_code(0);
    let expected = "billing-orders/0/1: gone: billing-orders/0 begins at offset 2 by now, and the group had not finished it\n\
                    \nWhat is finished beyond the watermark is not known: metadata was not written by retrial.\n";
    assert_eq!(gone.steady(&group), expected);
    let none = run_for(kafka, &group, &["why", &format!("{orders}/7/0")]).with_code(3);
    assert!(none.out.contains(&format!("never written: there is no {orders}/7")), "{}", none.out);
}

/// A copy of `orders/3/OFFSET` in a tier.
fn copy(group: &str, offset: i64, change: impl FnOnce(&mut History)) -> TestRecord {
    let mut past = letters::timed_out(offset, 1);
    past.cause = None;
    change(&mut past);
    letters::letter(group, TestRecord::new("body").key("customer-1"), &past)
}

#[test]
fn copies_and_letters_tell_of_records_whose_topic_is_gone() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("why-copies");
    let (tier, back) = (format!("{group}.retry.1s"), format!("{group}.retry.0s"));
    for topic in [&tier, &back] {
        kafka.create_topic(topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    }
    letters::five(kafka, &group);
    kafka.produce(&tier, [copy(&group, 20, |_| {}), copy(&group, 21, |_| {})]);
    // The first is finished; nobody has started the other.
    kafka.commit(&group, &tier, &Commit { partition: 0, offset: 1, metadata: String::new() });
    // A dead letter that an operator has sent back.
    kafka.produce(&back, [copy(&group, 11, |past| (past.attempts, past.redrives) = (0, 1))]);
    for (place, expected) in [
        ("orders/3/20", "done"),
        ("orders/3/21", "due"),
        ("orders/3/11", "due"),
        ("orders/3/12", "dead"),
        (&format!("{group}.dlq/0/2"), "dead"),
    ] {
        becomes(kafka, &group, place, expected);
    }
    let due = run_for(kafka, &group, &["why", "orders/3/11"]).with_code(0).steady(&group);
    assert!(due.starts_with("orders/3/11: due since TIME in billing.retry.0s, "), "{due}");
    assert!(due.contains("\nTIME  billing.dlq/0/0  2  dead, exhausted, timeout: bank 11 does not answer\n"), "{due}");
    assert!(due.contains("; redriven 1 time\n"), "{due}");

    let control = [("cleanup.policy", "compact"), ("message.timestamp.type", "LogAppendTime")];
    kafka.create_topic(&format!("{group}.control"), 1, &control);
    let pick = ["--source", "orders/3/13", "--yes"];
    run_for(kafka, &group, &[&["dlq", "discard", "--reason", "paid by hand"], &pick[..]].concat()).with_code(0);
    assert_eq!(fate(kafka, &group, "orders/3/13"), "discarded");
    let pick = ["--source", "orders/3/12", "--yes"];
    run_for(kafka, &group, &[&["dlq", "redrive"], &pick[..]].concat()).with_code(0);
    becomes(kafka, &group, "orders/3/12", "due");
    // As the service does when it has finished what came back.
    letters::delete_below(kafka, &back, 0, kafka.offsets(&back)[&0].1);
    let done = run_for(kafka, &group, &["why", "orders/3/12"]).with_code(0).steady(&group);
    assert!(
        done.starts_with("orders/3/12: done: it was dead, an operator sent it back, and it is finished since\n"),
        "{done}"
    );
    assert!(done.contains("timeout: bank 12 does not answer; redriven\n"), "{done}");

    let nobody = run_for(kafka, &group, &["why", &format!("{group}.dlq/0/3")]).with_code(3);
    assert!(nobody.err.contains("/0/3 has no story: what lies there has no headers of retrial"), "{}", nobody.err);
    let nothing = run_for(kafka, &group, &["why", &format!("{group}.dlq/0/99")]).with_code(3);
    assert!(nothing.err.contains("nothing lies there"), "{}", nothing.err);
    let unknown = run_for(kafka, &group, &["why", "orders/3/99"]).with_code(1);
    assert!(unknown.err.contains("topic orders does not exist"), "{}", unknown.err);
}

#[test]
fn the_records_of_a_key_are_found_within_bounds_and_also_where_only_a_letter_is_left() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("why-key");
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 2, &[]);
    let hours_ago = |hours: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        i64::try_from(now.as_millis()).expect("a time") - hours * 3_600_000
    };
    let record =
        |key: &str, partition, hours| TestRecord::new("x").key(key).to_partition(partition).at(hours_ago(hours));
    kafka.produce(&orders, [record("a", 0, 9), record("b", 0, 5), record("a", 1, 3), record("a", 0, 1)]);
    let mut past = History::new(
        format!("{orders}/0/0").parse().expect("a place"),
        retrial::SourceTime::Create(retrial::Timestamp::from_millis(hours_ago(9))),
    );
    past.cause = Some(retrial::Cause::Refused);
    kafka.produce(&letters::topic(kafka, &group, 1), [letters::letter(&group, TestRecord::new("x").key("a"), &past)]);
    letters::delete_below(kafka, &orders, 0, 1);
    let of_key = |arguments: &[&str]| {
        let said = run_for(kafka, &group, &[&["why", "--output", "json", "--key"], arguments].concat());
        let stories = said.json()["stories"].as_array().cloned().expect("stories");
        let told = |story: &Value| {
            let record = story["record"].as_str().expect("a record").replace(&orders, "orders");
            format!("{record} {}", story["fate"].as_str().expect("a fate"))
        };
        (said.code, stories.iter().map(told).collect::<Vec<_>>())
    };
    let (old, middle, young) = ("orders/0/0 dead", "orders/1/0 never_seen", "orders/0/2 never_seen");
    let topic = ["--topic", orders.as_str()];
    for (arguments, expected) in [
        (&["a"][..], &[old, middle, young][..]),
        (&["a", "--last", "4h"], &[middle, young]),
        (&["a", "--from-time", "10h", "--to-time", "2h"], &[old, middle]),
        (&["b"], &["orders/0/1 never_seen"]),
        (&["a", "--limit", "1", "--last", "4h"], &[young]),
    ] {
        let (code, told) = of_key(&[arguments, &topic].concat());
        assert_eq!(
            (code, told.iter().map(String::as_str).collect::<Vec<_>>()),
            (Some(0), expected.to_vec()),
            "{arguments:?}"
        );
    }
    assert_eq!(of_key(&[&["nobody"], &topic[..]].concat()), (Some(3), Vec::new()));
    let unnamed = run_for(kafka, &group, &["why", "--key", "a"]).with_code(3);
    assert!(unnamed.err.contains("the group has committed no source topic; name one"), "{}", unnamed.err);
    kafka.commit(&group, &orders, &Commit { partition: 0, offset: 2, metadata: String::new() });
    assert_eq!(of_key(&["b"]), (Some(0), vec!["orders/0/1 done".to_owned()]));
}

#[test]
fn wrong_usage_of_why_is_told() {
    let connection = ["--bootstrap-server", "localhost:1", "--group", "g"];
    for (arguments, told) in [
        (&["why"][..], "required arguments were not provided"),
        (&["why", "orders"], "is not topic/partition/offset"),
        (&["why", "orders/0/1", "--key", "k"], "cannot be used with"),
        (&["why", "orders/0/1", "--last", "2h"], "cannot be used with"),
        (&["why", "orders/0/1", "--topic", "orders"], "cannot be used with"),
        (&["why", "--key", "k", "--last", "soon"], "--last: \"soon\" is no time"),
        (&["why", "--key", "k", "--last", "2h", "--from-time", "3h"], "cannot be used with"),
        (&["why", "--key", "k", "--limit", "0"], "invalid value '0'"),
    ] {
        let said = run(&[arguments, &connection].concat()).with_code(2);
        assert!(said.err.contains(told), "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "", "{arguments:?}");
    }
}
