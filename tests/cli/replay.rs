//! `retrial replay`.

use crate::{
    bureau::{LIMIT, end_of, has_sent, once_not_refused, operations, past, signal, topics, way_back},
    command::{run, run_for, start_for},
    serving::{Handled, serve},
};
use retrial_kafka_for_tests::{Commit, Kafka, TestRecord, available};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::Child,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

fn hours_ago(hours: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("a time") - hours * 3_600_000
}

fn finished(kafka: &Kafka, group: &str, topic: &str, partition: i32, offset: i64) {
    kafka.commit(group, topic, &Commit { partition, offset, metadata: String::new() });
}

/// A group that has finished a topic of two partitions: five orders of customer 1 in the first, one an hour, and three of
/// customer 2 in the second.
fn scene(kafka: &Kafka, group: &str) -> String {
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 2, &[]);
    topics(kafka, group);
    let order = |number: i64, partition: i32| {
        let body = format!("{{\"order\": {number}, \"customer\": {{\"id\": {}}}}}", partition + 1);
        let record = TestRecord::new(body).key(format!("customer-{}", partition + 1)).to_partition(partition);
        record.header("number", number.to_string()).at(hours_ago(9 - number))
    };
    kafka.produce(&orders, (0..5).map(|number| order(number, 0)).chain((5..8).map(|number| order(number, 1))));
    finished(kafka, group, &orders, 0, 5);
    finished(kafka, group, &orders, 1, 3);
    orders
}

/// How often each record went back, by the place where it stood first.
fn went_back(kafka: &Kafka, group: &str) -> BTreeMap<String, u32> {
    let mut places = BTreeMap::new();
    for record in way_back(kafka, group) {
        *places.entry(past(group, &record).origin.to_string()).or_default() += 1;
    }
    places
}

#[test]
fn a_replay_reaches_the_running_service_of_its_group_alone_with_its_id_and_once() {
    let kafka = available!(Kafka::shared());
    let (group, other) = (kafka.unique_group("replay"), kafka.unique_group("replay-other"));
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 2, &[]);
    kafka.produce(&orders, (0..20).map(|number| TestRecord::new(format!("{number}")).to_partition(number % 2)));
    let (service, bystander) = (serve(kafka, &group, &orders), serve(kafka, &other, &orders));
    let wait_for = |what: &str, done: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < LIMIT, "{what}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for("both groups handle all", &|| service.handled().len() == 20 && bystander.handled().len() == 20);
    let is_committed = || {
        let committed: i64 = kafka.committed(&group, &orders).iter().map(|commit| commit.offset).sum();
        committed == 20
    };
    wait_for("what was handled is committed", &is_committed);

    let replay = ["replay", &orders, "--all", "--id", "june", "--yes"];
    let done = run_for(kafka, &group, &replay).with_code(0);
    assert!(done.out.ends_with("\njune: 20 records sent\n") && done.err.contains("replay june begins"), "{done:?}");
    wait_for("all is handled again", &|| service.handled().len() >= 40);
    let (first, again): (Vec<Handled>, Vec<Handled>) =
        service.handled().into_iter().partition(|handled| handled.replay.is_none());
    let origins = |handled: &[Handled]| {
        let mut origins: Vec<String> = handled.iter().map(|one| one.origin.clone()).collect();
        origins.sort();
        origins
    };
    assert_eq!((origins(&first), again.len()), (origins(&again), 20));
    assert!(again.iter().all(|one| one.replay.as_deref() == Some("june")), "{again:?}");

    let twice = run_for(kafka, &group, &replay).with_code(3);
    assert!(twice.err.contains("replay june is done: it sent 20 records, and sends none again"), "{}", twice.err);
    assert_eq!(way_back(kafka, &group).len(), 20);
    // Nothing of it went where another group reads.
    assert_eq!(
        (kafka.count(&orders), kafka.count(&format!("{other}.retry.0s")), bystander.handled().len()),
        (20, 0, 20)
    );
    drop((service, bystander));
}

#[test]
fn a_plan_is_shown_and_nothing_is_done_without_yes() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-plan");
    let orders = scene(kafka, &group);
    finished(kafka, &group, &orders, 1, 2);
    let arguments = ["replay", orders.as_str(), "--all", "--id", "june"];
    let expected = "7 records of 7 in billing-orders go to work again, as replay june\n\n\
                    PARTITION  FROM  END  WATERMARK  RECORDS  LEFT\n\
                    \x20 0  0  5  5  5  0\n\
                    \x20 1  0  2  2  2  1\n\
                    1 offset is left: past the watermark, where the group has not finished (--past-watermark takes them, too)\n\
                    Nothing was changed; --yes does it.\n";
    for dry in [&["--dry-run"][..], &[]] {
        let said = run_for(kafka, &group, &[&arguments[..], dry].concat()).with_code(0);
        assert_eq!(said.steady(&group), expected);
    }
    assert_eq!((way_back(kafka, &group).len(), operations(kafka, &group).len()), (0, 0));
    let document = run_for(kafka, &group, &[&arguments[..], &["--output", "json"]].concat()).with_code(0).json();
    let part = |partition: i32, end: i64, left: u64| json!({"partition": partition, "from": 0, "end": end, "watermark": end, "goes": end, "left": left});
    let plan = json!({
        "id": "june", "topic": orders, "scanned": 7, "goes": 7, "left": 1, "complete": true, "begun": null,
        "partitions": [part(0, 5, 0), part(1, 2, 1)],
    });
    assert_eq!(document, json!({"schema": "retrial.replay/1", "group": group, "plan": plan, "operation": null}));
}

#[test]
fn what_goes_back_is_what_the_conditions_admit_byte_for_byte() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-filter");
    let orders = scene(kafka, &group);
    let (from, to) = (hours_ago(7), hours_ago(4));
    let times = [from, to].map(|time| retrial::Timestamp::from_millis(time - 1_800_000).to_string());
    let place = |place: &str| format!("{orders}/{place}");
    let table: &[(&[&str], &[&str])] = &[
        (&["--all", "--key", "customer-2"], &["1/0", "1/1", "1/2"]),
        (&["--all", "--key", "customer-2", "--key", "nobody"], &["1/0", "1/1", "1/2"]),
        (&["--all", "--header", "number=3"], &["0/3"]),
        (&["--all", "--header", "number", "--field", "customer.id=1", "--field", "order=4"], &["0/4"]),
        (&["--all", "--field", "/customer/id=2"], &["1/0", "1/1", "1/2"]),
        (&["--from-time", &times[0], "--to-time", &times[1]], &["0/2", "0/3", "0/4"]),
        (&["--last", "150m"], &["1/2"]),
        (&["--from-offset", "3", "--partition", "0"], &["0/3", "0/4"]),
        (&["--from-offset", "1", "--to-offset", "3"], &["0/1", "0/2", "1/1", "1/2"]),
        (&["--to-offset", "1", "--partition", "1"], &["1/0"]),
    ];
    let mut sent: BTreeMap<String, u32> = BTreeMap::new();
    for (number, (arguments, expected)) in table.iter().enumerate() {
        let id = format!("row-{number}");
        let done = run_for(kafka, &group, &[&["replay", &orders, "--yes", "--id", &id], *arguments].concat());
        done.with_code(0);
        for went in *expected {
            *sent.entry(place(went)).or_default() += 1;
        }
        assert_eq!(went_back(kafka, &group), sent, "{arguments:?}");
    }
    let nothing = run_for(kafka, &group, &["replay", &orders, "--all", "--key", "nobody", "--yes"]).with_code(3);
    assert!(nothing.err.contains("no record of") && nothing.err.contains("is meant"), "{}", nothing.err);

    let source = kafka.read(&orders);
    for record in way_back(kafka, &group) {
        let past = past(&group, &record);
        let (partition, offset) = (past.origin.partition, past.origin.offset);
        let first = source.iter().find(|it| (it.position().partition, it.position().offset) == (partition, offset));
        let first = first.expect("a record of the source");
        assert_eq!((&record.key, &record.value, &record.headers[0]), (&first.key, &first.value, &first.headers[0]));
        assert_eq!(past.time.timestamp().map(retrial::Timestamp::as_millis), first.timestamp);
        assert_eq!((past.attempts, past.redrives, past.operation), (0, 0, past.replay));
    }
}

#[test]
fn a_replay_stops_at_the_watermark_unless_told_otherwise() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-watermark");
    let orders = scene(kafka, &group);
    finished(kafka, &group, &orders, 0, 2);
    let replay =
        |arguments: &[&str]| run_for(kafka, &group, &[&["replay", &orders, "--partition", "0"], arguments].concat());
    for past in [&["--to-offset", "4", "--yes"][..], &["--from-offset", "2", "--yes"], &["--to-offset", "4"]] {
        let refused = replay(past).with_code(4);
        let expected = format!("{orders}/0 has watermark 2; what is at or above a watermark is still to be handled");
        assert!(refused.err.contains(&expected) && refused.err.contains("--past-watermark"), "{}", refused.err);
        assert_eq!(refused.out, "");
    }
    let late = replay(&["--last", "6h 30m", "--yes"]).with_code(3);
    assert!(late.err.contains("is meant, but for 2 offsets past the group's watermark"), "{}", late.err);
    assert_eq!(way_back(kafka, &group).len(), 0);
    replay(&["--all", "--yes"]).with_code(0);
    assert_eq!(way_back(kafka, &group).len(), 2);
    replay(&["--from-offset", "1", "--to-offset", "4", "--past-watermark", "--yes"]).with_code(0);
    assert_eq!(way_back(kafka, &group).len(), 5);
}

#[test]
fn what_cannot_be_replayed_is_refused_with_the_reason() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-refused");
    let orders = scene(kafka, &group);
    let own = format!("{group}.retry.0s");
    let unread = format!("{group}-unread");
    kafka.create_topic(&unread, 1, &[]);
    run_for(kafka, &group, &["replay", &orders, "--all", "--id", "june", "--key", "customer-1", "--yes"]).with_code(0);
    for (arguments, code, told) in [
        (&["replay", orders.as_str()][..], 2, "say which stretch: --last, --from-time"),
        (&["replay", &orders, "--last", "soon"], 2, "--last: \"soon\" is no time"),
        (&["replay", &orders, "--all", "--last", "2h"], 2, "cannot be used with"),
        (&["replay", &orders, "--all", "--field", "=x"], 2, "a field is PATH or PATH=VALUE"),
        (&["replay", &orders, "--all", "--header", "=x"], 2, "a header is NAME or NAME=VALUE"),
        (&["replay", &orders, "--from-offset=-1"], 2, "--from-offset"),
        (&["replay", &orders, "--all", "--rate", "0"], 2, "--rate"),
        (&["replay", &orders, "--all", "--id", "a/b"], 2, "\"a/b\" is not a name"),
        (&["replay", &own, "--all"], 2, "is one of the group's own topics"),
        (&["replay", &orders, "--all", "--partition", "7"], 1, "/7 cannot be replayed: it has 2 partitions"),
        (&["replay", "no-such-topic", "--all"], 1, "topic no-such-topic does not exist"),
        (&["replay", &unread, "--all"], 4, "has no position in"),
        (&["replay", &orders, "--all", "--id", "june", "--yes"], 4, "june is another replay, which is done: {"),
    ] {
        let said = run_for(kafka, &group, arguments).with_code(code);
        assert!(said.err.contains(told), "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "", "{arguments:?}");
    }
    assert_eq!(way_back(kafka, &group).len(), 5);
    let missing = run(&["replay"]).with_code(2);
    assert!(missing.err.contains("<TOPIC>"), "{}", missing.err);
}

/// A group that has finished so many records of one topic with two partitions.
fn many(kafka: &Kafka, group: &str, records: i32) -> String {
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 2, &[]);
    topics(kafka, group);
    kafka.produce(&orders, (0..records).map(|number| TestRecord::new(format!("{number}")).to_partition(number % 2)));
    for partition in 0..2 {
        finished(kafka, group, &orders, partition, i64::from(records) / 2);
    }
    orders
}

fn slowly<'a>(orders: &'a str, id: &'a str) -> [&'a str; 7] {
    ["replay", orders, "--all", "--yes", "--id", id, "--rate=400"]
}

/// Each record went back once.
fn all_went_back_once(kafka: &Kafka, group: &str, records: i32) {
    let back = went_back(kafka, group);
    assert_eq!((back.len(), back.values().max()), (records as usize, Some(&1)));
}

#[test]
fn a_replay_that_is_killed_goes_on_with_nothing_lost_and_nothing_twice() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-kill");
    let orders = many(kafka, &group, 3000);
    for round in 0..2 {
        let started = match round {
            0 => slowly(&orders, "june").map(str::to_owned).to_vec(),
            _ => ["operations", "resume", "june", "--rate=400"].map(str::to_owned).to_vec(),
        };
        let arguments: Vec<&str> = started.iter().map(String::as_str).collect();
        let before = operations(kafka, &group).first().and_then(|one| one["sent"].as_u64()).unwrap_or(0);
        let mut child = running(kafka, &group, &arguments);
        has_sent(kafka, &group, before + 300);
        child.kill().expect("a child can be killed");
        child.wait().expect("a killed child ends");
    }
    let state = &operations(kafka, &group)[0];
    assert!(state["sent"].as_u64().is_some_and(|sent| (600..3000).contains(&sent)), "{state}");
    let done = once_not_refused(kafka, &group, &["operations", "resume", "june"]).with_code(0);
    assert!(done.out.contains("june: 3,000 records sent"), "{}", done.out);
    all_went_back_once(kafka, &group, 3000);
}

/// Starts a command that is not refused because of a process that was killed a moment ago.
fn running(kafka: &Kafka, group: &str, arguments: &[&str]) -> Child {
    let began = Instant::now();
    loop {
        let mut child = start_for(kafka, group, arguments);
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(3) {
            if child.try_wait().expect("a child can be asked").is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        if child.try_wait().expect("a child can be asked").is_none() {
            return child;
        }
        let (code, _, err) = end_of(child);
        assert!(code == Some(4) && began.elapsed() < LIMIT, "{code:?}: {err}");
    }
}

#[test]
fn an_interrupted_replay_says_how_to_go_on_and_the_same_command_goes_on_too() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-interrupt");
    let orders = many(kafka, &group, 2000);
    let child = start_for(kafka, &group, &slowly(&orders, "june"));
    has_sent(kafka, &group, 300);
    signal(&child, Signal::INT);
    let (code, _, err) = end_of(child);
    assert_eq!(code, Some(5), "{err}");
    assert!(err.contains("interrupted: ") && err.contains("to go on: retrial operations resume june"), "{err}");
    let stopped: Value = operations(kafka, &group).remove(0);
    assert_eq!(stopped["state"], json!("stopped"), "{stopped}");

    let shown = run_for(kafka, &group, &["replay", &orders, "--all", "--id", "june"]).with_code(0);
    assert!(shown.out.contains("was begun before: ") && shown.out.contains(" of 2,000 sent"), "{}", shown.out);
    let done = run_for(kafka, &group, &["replay", &orders, "--all", "--id", "june", "--yes"]).with_code(0);
    assert!(done.out.ends_with("june: 2,000 records sent\n"), "{}", done.out);
    all_went_back_once(kafka, &group, 2000);
}

#[test]
fn a_replay_waits_while_what_it_sent_is_not_handled() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-backlog");
    let orders = many(kafka, &group, 400);
    let bounded = ["replay", &orders, "--all", "--yes", "--id", "june", "--rate=500", "--max-backlog=100"];
    let mut child = start_for(kafka, &group, &bounded);
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let said: Vec<String> = errors.by_ref().take(2).collect();
    let waits = format!(" records wait in {group}.retry.0s: it goes on as the service handles them");
    assert!(said.last().is_some_and(|line| line.ends_with(&waits)), "{said:?}");
    let sent = way_back(kafka, &group).len();
    assert!((100..400).contains(&sent), "{sent} of 400 were sent");
    let service = serve(kafka, &group, &orders);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    all_went_back_once(kafka, &group, 400);
    drop(service);
}

#[test]
fn of_two_operators_at_once_the_second_is_refused_with_the_name_of_the_first() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-two");
    let orders = many(kafka, &group, 1000);
    let slow = ["replay", &orders, "--all", "--yes", "--id", "june", "--rate=20", "--operator", "alice"];
    let first = start_for(kafka, &group, &slow);
    has_sent(kafka, &group, 4);
    for id in ["july", "june"] {
        let second = run_for(kafka, &group, &["replay", &orders, "--all", "--id", id, "--yes", "--operator", "bob"]);
        let second = second.with_code(4);
        assert!(second.err.contains("june of alice is at work"), "{}", second.err);
    }
    run_for(kafka, &group, &["operations", "stop", "june", "--operator", "bob"]).with_code(0);
    let (code, _, err) = end_of(first);
    assert!(code == Some(5) && err.contains("stopped by bob"), "{code:?}: {err}");
    run_for(kafka, &group, &["operations", "resume", "june", "--operator", "bob"]).with_code(0);
    all_went_back_once(kafka, &group, 1000);
    assert_eq!(operations(kafka, &group).len(), 1);
}

#[test]
fn records_are_replayed_by_what_their_bodies_say() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("replay-where");
    let orders = scene(kafka, &group);
    let replay = ["replay", orders.as_str(), "--all", "--where", ".customer.id == 1", "--where", ".order > 2", "--yes"];
    run_for(kafka, &group, &replay).with_code(0);
    assert_eq!(went_back(kafka, &group), BTreeMap::from([3, 4].map(|offset| (format!("{orders}/0/{offset}"), 1))));
    run_for(kafka, &group, &["replay", orders.as_str(), "--all", "--where", ".order > 99", "--yes"]).with_code(3);
}
