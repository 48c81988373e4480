//! `retrial status`.

use crate::{
    command::{run_for, start_for},
    letters,
};
use retrial_kafka_for_tests::{Commit, Kafka, Options, TestRecord, available};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};

/// A group that has handled three of five orders, waits for two in a tier, and has five dead letters.
fn scene(kafka: &Kafka, group: &str) -> String {
    let (orders, tier) = (format!("{group}-orders"), format!("{group}.retry.5s"));
    kafka.create_topic(&orders, 2, &[]);
    kafka.create_topic(&tier, 1, &[("message.timestamp.type", "LogAppendTime")]);
    kafka.produce(&orders, (0..5).map(|number| TestRecord::new(format!("{number}")).to_partition(0)));
    kafka.produce(&tier, ["a", "b", "c"]);
    letters::five(kafka, group);
    for (topic, offset) in [(&orders, 3), (&tier, 1)] {
        kafka.commit(group, topic, &Commit { partition: 0, offset, metadata: String::new() });
    }
    orders
}

#[test]
fn a_status_shows_sources_tiers_and_dead_letters() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("status");
    let orders = scene(kafka, &group);
    let said = run_for(kafka, &group, &["status"]).with_code(0);
    let text = said.steady(&group);
    let ages = |line: &str| {
        line.split("  ")
            .enumerate()
            .map(|(at, cell)| if at == 7 { "AGE" } else { cell }.to_owned())
            .collect::<Vec<_>>()
            .join("  ")
    };
    let lines: Vec<String> = text
        .lines()
        .map(|line| if line.starts_with("billing") && line.contains("  0  ") { ages(line) } else { line.to_owned() })
        .collect();
    let due = lines[7].split("  ").nth(2).expect("a due time");
    assert!(due.starts_with("in ") || due.ends_with(" late"), "{due}");
    let expected = [
        "Group billing: empty, 0 members".to_owned(),
        String::new(),
        "TOPIC  PARTITION  WATERMARK  BEYOND  IN FLIGHT  UNFINISHED  LOG END  OLDEST  LAST OWNER".to_owned(),
        "billing-orders  0  3  0  0  2  5  AGE  -".to_owned(),
        "billing.retry.5s  0  1  0  0  2  3  AGE  -".to_owned(),
        String::new(),
    ];
    assert_eq!(lines[..6], expected, "{text}");
    assert!(text.contains("\nbilling.retry.5s  2  "), "{text}");
    assert!(text.contains("\n5 dead letters in billing.dlq, the oldest of TIME, the newest of TIME\n"), "{text}");
    let document = run_for(kafka, &group, &["status", "--output", "json"]).with_code(0).json();
    assert_eq!((&document["schema"], &document["state"]), (&json!("retrial.status/1"), &json!("Empty")));
    let mut first = document["partitions"][0].clone();
    assert!(first["oldest"].take().is_string());
    assert_eq!(
        first,
        json!({
            "topic": orders, "partition": 0, "role": "source", "watermark": 3, "finished_beyond": 0, "in_flight": 0,
            "unfinished": 2, "log_start": 0, "log_end": 5, "oldest": null, "left_well": null, "metadata_ignored": null,
        })
    );
    assert_eq!(document["dead_letters"]["count"], json!(5));
    assert_eq!((&document["tiers"][0]["waiting"], &document["tiers"][0]["delay_seconds"]), (&json!(2), &json!(5)));
    assert_eq!(document["members"], Value::Array(vec![]));
}

/// The ends of an operator's transactions take offsets behind the last record, and are no work.
#[cfg(unix)]
#[test]
fn after_a_redrive_that_is_handled_nothing_waits() {
    let kafka = available!(Kafka::shared());
    let group = crate::bureau::with_letters(kafka, "status-ends", 10);
    let tier = format!("{group}.retry.0s");
    run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(0);
    let mut behind = [0; 2];
    for position in kafka.read(&tier).iter().map(TestRecord::position) {
        behind[position.partition as usize] = position.offset + 1;
    }
    for (partition, offset) in (0..).zip(behind).filter(|(_, offset)| *offset > 0) {
        assert!(offset < kafka.offsets(&tier)[&partition].1, "an end follows the last record");
        kafka.commit(&group, &tier, &Commit { partition, offset, metadata: String::new() });
    }
    let waiting = || run_for(kafka, &group, &["status", "--output", "json"]).with_code(0).json()["tiers"][0].clone();
    assert_eq!((&waiting()["waiting"], &waiting()["next_due"]), (&json!(0), &Value::Null));
    let plan = run_for(kafka, &group, &["offsets", "reset", "--to-earliest", "--topic", &tier, "--dry-run"]);
    assert!(!plan.with_code(0).out.contains("wait"), "nothing waits");
    // What follows waits, and is seen.
    kafka.produce(&tier, [TestRecord::new("another").to_partition(0)]);
    assert!(waiting()["waiting"].as_u64() >= Some(1) && waiting()["next_due"].is_string(), "{}", waiting());
}

/// Brokers that have just started load the groups' coordinators, and meanwhile refuse or name another broker.
#[test]
fn a_cluster_that_has_just_started_answers_when_it_can() {
    let kafka = available!(Kafka::start(Options::default().property("offsets.topic.num.partitions", 50)));
    for number in 0..8 {
        let said = run_for(&kafka, &format!("early-{number}"), &["status"]).with_code(3);
        assert!(said.err.contains("has committed nothing"), "{said:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_watched_status_comes_again_until_it_is_interrupted() {
    use rustix::process::{Pid, Signal, kill_process};

    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("watch");
    scene(kafka, &group);
    let mut child = start_for(kafka, &group, &["status", "--watch", "100ms"]);
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let title = |line: &String| line.ends_with("every 100ms; Ctrl-C ends");
    assert!(lines.by_ref().any(|line| title(&line)) && lines.by_ref().any(|line| title(&line)), "two readings");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
    kill_process(pid, Signal::INT).expect("a child can be interrupted");
    assert!(lines.all(|line| !line.contains('\u{1b}')), "not a terminal, so no escape");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
