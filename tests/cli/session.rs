//! The session that the README shows, from "a bad deploy buried 10,000 orders" to "done".

use crate::{
    bureau::orders,
    command::run_for,
    shop::{assert_seen, end, serve, total, until},
};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};

const ORDERS: i64 = 10_000;

/// Each command of the README's session, with what it shows there.
fn session() -> Vec<(Vec<String>, String)> {
    let readme = include_str!("../../README.md");
    let (_, from) = readme.split_once("A bad deploy buried").expect("the session");
    let mut commands: Vec<(Vec<String>, String)> = Vec::new();
    let blocks = from.split("```text\n").skip(1).take(2).filter_map(|block| block.split("```").next());
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("$ retrial ") {
            Some(command) => commands.push((command.split(' ').map(str::to_owned).collect(), String::new())),
            None => commands.last_mut().expect("a command").1.push_str(&(line.to_owned() + "\n")),
        }
    }
    commands
}

/// With what differs from run to run named: names of operations, and which letter is the sample.
fn steady(text: &str) -> String {
    let word = |word: &str| match word {
        _ if word.starts_with("redrive-2") => "OPERATION:".to_owned(),
        _ if word.starts_with("billing.dlq/") => "SAMPLE".to_owned(),
        word => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').filter(|part| !part.is_empty()).map(word).collect::<Vec<_>>().join(" ");
    let mut rest = text.to_owned();
    while let Some(at) = rest.find(" UTC") {
        rest.replace_range(at - "2026-11-22 10:21:00".len()..at + " UTC".len(), "TIME");
    }
    rest.lines().map(|text| line(text) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_of_the_readme_brings_ten_thousand_orders_back() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("session");
    kafka.create_topic(&orders(&group), 2, &[]);
    kafka.produce(&orders(&group), (0..ORDERS).map(|number| TestRecord::new(format!("order {number}"))));
    let (bad, buried) = serve(kafka, &group, true).await;
    until("all are buried", || kafka.count(&format!("{group}.dlq")) as i64 == ORDERS).await;
    end(bad).await;
    assert_seen(&buried, ORDERS, 1);

    let (good, done) = serve(kafka, &group, false).await;
    let run = || {
        for (command, shown) in session() {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            let said = run_for(kafka, &group, &command);
            assert_eq!(steady(&said.out.replace(&group, "billing")), steady(&shown), "{command:?}: {}", said.err);
        }
    };
    tokio::task::block_in_place(run);
    assert_eq!(session().len(), 4);
    until("all are done", || total(&done) >= ORDERS as u32).await;
    end(good).await;
    assert_seen(&done, ORDERS, 1);
}
