//! `retrial tail`.

use crate::{
    command::{run, run_for, start_for},
    letters,
};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use serde_json::json;
use std::io::{BufRead as _, BufReader};

#[test]
fn what_is_there_is_shown_from_where_it_is_asked_for() {
    let kafka = available!(Kafka::shared());
    let topic = kafka.unique_topic("tail");
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce(&topic, (0..5).map(|number| TestRecord::new(format!("body {number}")).key("k").header("h", "v")));
    let bootstrap = kafka.bootstrap();
    let tail = |arguments: &[&str]| {
        let connection = ["--utc", "--no-follow", "--bootstrap-server", &bootstrap];
        run(&[&["tail", &topic], arguments, &connection].concat())
    };
    let line = |number: i64| format!("0/{number}  TIME  key=k  h=v  body {number}\n");
    for (arguments, numbers) in [
        (&["--from-beginning"][..], 0..5),
        (&["--last", "2"], 3..5),
        (&["--since", "1h"], 0..5),
        (&["--from-beginning", "--limit", "2"], 0..2),
    ] {
        let expected: String = numbers.map(line).collect();
        assert_eq!(tail(arguments).with_code(0).steady("no group"), expected, "{arguments:?}");
    }
    tail(&[]).with_code(3);
    tail(&["--since", "2100-01-01"]).with_code(3);
    tail(&["--last", "2", "--from-beginning"]).with_code(2);
    let lines = tail(&["--last", "1", "--output", "json"]).with_code(0);
    let mut record = lines.json();
    assert!(record["time"].take().as_str().is_some_and(|time| time.starts_with("create ")));
    let headers = json!([{"name": "h", "value": "v"}]);
    assert_eq!(
        record,
        json!({"topic": topic, "partition": 0, "offset": 4, "time": null, "key": "k", "headers": headers, "body": "body 4"})
    );
    let missing = run(&["tail", "no-such-topic", "--bootstrap-server", &bootstrap]).with_code(1);
    assert!(missing.err.contains("topic no-such-topic does not exist"), "{}", missing.err);
}

#[test]
fn the_past_of_a_dead_letter_is_decoded() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("tail-letters");
    let topic = letters::five(kafka, &group);
    let said =
        run_for(kafka, &group, &["tail", &topic, "--no-follow", "--from-beginning", "--limit", "1"]).with_code(0);
    let past = "[orders/3/11, exhausted after 2 attempts, timeout: bank 11 does not answer]";
    let expected = format!("0/0  TIME  key=customer-1  tenant=blue  {past}  {{\"order\":1,\"cents\":4200}}\n");
    assert_eq!(said.steady(&group), expected);
}

#[cfg(unix)]
#[test]
fn a_topic_is_followed_as_it_grows_until_an_interrupt() {
    use rustix::process::{Pid, Signal, kill_process};

    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("tail-follow"), kafka.unique_topic("tail-follow"));
    kafka.create_topic(&topic, 2, &[]);
    kafka.produce(&topic, [TestRecord::new("old").to_partition(0)]);
    let mut child = start_for(kafka, &group, &["tail", &topic, "--from-beginning"]);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.next().is_some_and(|line| line.ends_with("  old")));
    // It reads by now; what comes later is seen, too.
    for (partition, body) in [(1, "one"), (0, "two"), (1, "three")] {
        kafka.produce(&topic, [TestRecord::new(body).to_partition(partition)]);
        let line = lines.next().expect("a line");
        assert!(line.starts_with(&format!("{partition}/")) && line.ends_with(&format!("  {body}")), "{line}");
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
    kill_process(pid, Signal::INT).expect("a child can be interrupted");
    assert_eq!((lines.next(), child.wait().expect("it ends").code()), (None, Some(0)));
}
