//! `retrial offsets`.

use crate::command::{Said, run_for};
use retrial::{App, Service, Settings, handler, secs};
use retrial_kafka_for_tests::{Commit, Kafka, TestRecord, available};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

const HOUR: i64 = 3_600_000;

/// A group that stopped at 4 of 10 orders in partition 0, and at 2 of 2 in partition 1, with 3 records in a tier.
fn scene(kafka: &Kafka, group: &str) -> String {
    let (orders, tier) = (format!("{group}-orders"), format!("{group}.retry.5s"));
    kafka.create_topic(&orders, 2, &[("retention.ms", "-1")]);
    kafka.create_topic(&tier, 1, &[("message.timestamp.type", "LogAppendTime")]);
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_millis() as i64);
    let order = |number: i64| TestRecord::new(format!("{number}")).to_partition(0).at(now - (10 - number) * HOUR);
    kafka.produce(&orders, (0..10).map(order));
    kafka.produce(&orders, ["a", "b"].map(|body| TestRecord::new(body).to_partition(1)));
    kafka.produce(&tier, ["x", "y", "z"]);
    for (topic, partition, offset) in [(&orders, 0, 4), (&orders, 1, 2), (&tier, 0, 1)] {
        kafka.commit(group, topic, &Commit { partition, offset, metadata: String::new() });
    }
    orders
}

fn committed(kafka: &Kafka, group: &str, topic: &str) -> BTreeMap<i32, (i64, String)> {
    let all = kafka.committed(group, topic);
    all.into_iter().map(|commit| (commit.partition, (commit.offset, commit.metadata))).collect()
}

fn offsets(kafka: &Kafka, group: &str, topic: &str) -> Vec<i64> {
    committed(kafka, group, topic).into_values().map(|(offset, _)| offset).collect()
}

/// Runs a reset that keeps its undo file in a folder.
fn reset(kafka: &Kafka, group: &str, folder: &Path, arguments: &[&str]) -> Said {
    let undo = folder.join("undo.json");
    let undo = ["--undo", undo.to_str().expect("a path")];
    run_for(kafka, group, &[&["offsets", "reset"], arguments, &undo].concat())
}

#[test]
fn a_reset_shows_its_plan_changes_nothing_without_consent_and_is_undone_by_its_file() {
    let kafka = available!(Kafka::shared());
    let (group, folder) = (kafka.unique_group("reset"), tempfile::tempdir().expect("a folder"));
    let orders = scene(kafka, &group);
    let plan = "TOPIC  PARTITION  FROM  TO  HANDLED AGAIN  NEVER HANDLED\n\
                billing-orders  0  4  0  4  0\n\
                billing-orders  1  2  0  2  0\n\
                \n\
                6 records would be handled again, 0 records never (gaps in a log count as well).\n\
                2 records wait in billing.retry.5s, and will be handled when due, wherever the group begins.\n";
    let dry = reset(kafka, &group, folder.path(), &["--to-earliest", "--dry-run"]).with_code(0);
    assert_eq!(dry.steady(&group), format!("{plan}Nothing was changed (--dry-run).\n"));
    let asked = reset(kafka, &group, folder.path(), &["--to-earliest"]).with_code(4);
    assert_eq!((asked.steady(&group).as_str(), asked.err.contains("needs --yes")), (plan, true), "{asked:?}");
    assert_eq!(
        (offsets(kafka, &group, &orders), fs::read_dir(folder.path()).expect("a folder").count()),
        (vec![4, 2], 0)
    );

    let done = reset(kafka, &group, folder.path(), &["--to-earliest", "--yes"]).with_code(0);
    assert!(done.out.contains("2 partitions were set. To undo: retrial offsets import"), "{}", done.out);
    assert_eq!(offsets(kafka, &group, &orders), [0, 0]);
    reset(kafka, &group, folder.path(), &["--to-earliest", "--yes"]).with_code(3);
    // The file of the first reset is not written over by a second one.
    reset(kafka, &group, folder.path(), &["--to-latest", "--yes"]).with_code(1);

    let undo = folder.path().join("undo.json");
    let undone = run_for(
        kafka,
        &group,
        &["offsets", "import", undo.to_str().expect("a path"), "--yes", "--undo", "/dev/null/x"],
    );
    assert_eq!(
        (undone.with_code(1).out.is_empty(), offsets(kafka, &group, &orders)),
        (false, vec![0, 0]),
        "no undo, no change"
    );
    let again = folder.path().join("again.json");
    let again = ["--undo", again.to_str().expect("a path")];
    run_for(kafka, &group, &[&["offsets", "import", undo.to_str().expect("a path"), "--yes"][..], &again].concat())
        .with_code(0);
    assert_eq!(offsets(kafka, &group, &orders), [4, 2]);
    assert_eq!(offsets(kafka, &group, &format!("{group}.retry.5s")), [1]);
}

#[test]
fn a_reset_goes_where_it_is_told() {
    let kafka = available!(Kafka::shared());
    let (group, folder) = (kafka.unique_group("reset-to"), tempfile::tempdir().expect("a folder"));
    let orders = scene(kafka, &group);
    let planned = |arguments: &[&str]| {
        let said =
            reset(kafka, &group, folder.path(), &[arguments, &["--dry-run", "--output", "json"]].concat()).with_code(0);
        let plan = said.json();
        assert_eq!(
            (&plan["schema"], &plan["applied"], &plan["undo"]),
            (&json!("retrial.offsets.plan/1"), &json!(false), &json!(null))
        );
        let change = |change: &serde_json::Value| {
            let number = |name: &str| change[name].as_i64().expect("a number");
            assert_eq!(change["topic"], json!(orders));
            (number("partition"), number("to"), number("again"), number("skipped"))
        };
        plan["changes"].as_array().expect("changes").iter().map(change).collect::<Vec<_>>()
    };
    for (arguments, changes) in [
        (&["--to-latest"][..], vec![(0, 10, 0, 6)]),
        (&["--to-offset", "1"], vec![(0, 1, 3, 0), (1, 1, 1, 0)]),
        (&["--to-offset", "999"], vec![(0, 10, 0, 6)]),
        (&["--shift-by", "-1"], vec![(0, 3, 1, 0), (1, 1, 1, 0)]),
        (&["--shift-by", "2", "--partition", "0"], vec![(0, 6, 0, 2)]),
        // Orders are an hour apart; the last is an hour old. Those of the other partition are new.
        (&["--to-time", "150m"], vec![(0, 8, 0, 4), (1, 0, 2, 0)]),
        (&["--to-earliest", "--topic", &orders, "--partition", "1"], vec![(1, 0, 2, 0)]),
    ] {
        assert_eq!(planned(arguments), changes, "{arguments:?}");
    }
    let nowhere = reset(kafka, &group, folder.path(), &["--to-earliest", "--topic", "no-such-topic"]).with_code(1);
    assert!(nowhere.err.contains("topic no-such-topic does not exist"), "{}", nowhere.err);
    reset(kafka, &group, folder.path(), &["--to-earliest", "--partition", "9"]).with_code(3);
    for wrong in [&[][..], &["--to-earliest", "--to-latest"], &["--to-offset", "-1"], &["--to-time", "soon"]] {
        reset(kafka, &group, folder.path(), wrong).with_code(2);
    }
}

/// Handles orders 6, 7 and 8, and is stopped while 4, 5 and 9 are still running.
async fn handle_some(kafka: &Kafka, group: &str, orders: &str) {
    async fn handle(order: String) {
        if ["4", "5", "9"].contains(&order.as_str()) {
            std::future::pending::<()>().await;
        }
    }
    let app = App::group(group).tiers([secs(5)]).topic(orders, handler(handle)).build().expect("an app");
    let settings = Settings::default().commit_interval(Duration::from_millis(50)).drain(Duration::from_millis(500));
    let service = Service::connect_with(app, retrial::Kafka::bootstrap(kafka.bootstrap()), settings).await;
    let mut running = service.and_then(|service| service.start()).unwrap_or_else(|error| panic!("{error}"));
    let limit = Instant::now() + Duration::from_secs(60);
    while finished_beyond(kafka, group, orders) < 3 {
        assert!(Instant::now() < limit, "three orders are handled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    running.stop();
    running.ended().await.unwrap_or_else(|error| panic!("{error}"));
}

/// As the command tells it.
fn finished_beyond(kafka: &Kafka, group: &str, orders: &str) -> i64 {
    let shown = run_for(kafka, group, &["offsets", "show", "--output", "json"]).with_code(0).json();
    let partitions = shown["partitions"].as_array().expect("partitions");
    let found = partitions.iter().find(|one| one["topic"] == *orders);
    found.and_then(|one| one["finished_beyond"].as_i64()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_finished_beyond_a_position_is_counted_and_comes_back_with_it() {
    let kafka = available!(Kafka::shared());
    let (group, folder) = (kafka.unique_group("reset-map"), tempfile::tempdir().expect("a folder"));
    let orders = kafka.unique_topic("reset-map");
    kafka.create_topic(&orders, 1, &[]);
    kafka.produce(&orders, (0..10).map(|number| number.to_string()));
    kafka.commit(&group, &orders, &Commit { partition: 0, offset: 4, metadata: String::new() });
    handle_some(kafka, &group, &orders).await;
    let before = committed(kafka, &group, &orders)[&0].clone();
    let shown = run_for(kafka, &group, &["offsets", "show"]).with_code(0).out;
    let row = shown.lines().find(|line| line.starts_with(&orders)).expect("a row");
    assert_eq!(
        row.split_whitespace().skip(1).collect::<Vec<_>>(),
        ["0", "source", "4", "3", "0", "10", "3"],
        "{shown}"
    );
    let arguments = ["--to-offset", "8", "--topic", &orders, "--yes", "--output", "json"];
    let plan = reset(kafka, &group, folder.path(), &arguments).with_code(0).json();
    let change = &plan["changes"][0];
    // Offset 8 was finished, and would run again; 4 and 5 never.
    assert_eq!((&change["again"], &change["skipped"], &plan["applied"]), (&json!(1), &json!(2), &json!(true)));
    assert_eq!(committed(kafka, &group, &orders)[&0], (8, String::new()));
    let (undo, again) = (plan["undo"].as_str().expect("a file"), folder.path().join("again.json"));
    let import = ["offsets", "import", undo, "--yes", "--undo", again.to_str().expect("a path")];
    run_for(kafka, &group, &import).with_code(0);
    assert_eq!(committed(kafka, &group, &orders)[&0], before);
    assert_eq!(finished_beyond(kafka, &group, &orders), 3);
}

#[test]
fn a_group_with_members_is_refused() {
    let kafka = available!(Kafka::shared());
    let (group, folder) = (kafka.unique_group("reset-alive"), tempfile::tempdir().expect("a folder"));
    let orders = scene(kafka, &group);
    let member = crate::member::join(kafka, &group, &orders);
    let said = reset(kafka, &group, folder.path(), &["--to-earliest", "--yes"]).with_code(4);
    assert!(said.err.contains("has 1 member running") && said.err.contains("stop its service first"), "{}", said.err);
    let status = run_for(kafka, &group, &["status", "--output", "json"]).with_code(0).json();
    assert_eq!(
        (&status["state"], &status["members"][0]["client"], &status["members"][0]["partitions"]),
        (&json!("Stable"), &json!("a-member"), &json!(2))
    );
    drop(member);
    assert_eq!(offsets(kafka, &group, &orders), [4, 2]);
    reset(kafka, &group, folder.path(), &["--to-earliest", "--yes"]).with_code(0);
}

#[test]
fn a_file_of_another_group_or_of_something_else_is_refused() {
    let kafka = available!(Kafka::shared());
    let (group, folder) = (kafka.unique_group("import"), tempfile::tempdir().expect("a folder"));
    let orders = scene(kafka, &group);
    let file = folder.path().join("positions.json");
    let file = file.to_str().expect("a path");
    run_for(kafka, &group, &["offsets", "export", "--to", file]).with_code(0);
    let printed = run_for(kafka, &group, &["offsets", "export"]).with_code(0).json();
    assert_eq!((&printed["group"], printed["positions"].as_array().map(Vec::len)), (&json!(group), Some(3)));
    let other = kafka.unique_group("import-other");
    let refused = run_for(kafka, &other, &["offsets", "import", file, "--yes"]).with_code(4);
    assert!(refused.err.contains(&group) && refused.err.contains("--of-another-group"), "{}", refused.err);
    let undo = folder.path().join("undo.json");
    let taken = ["offsets", "import", file, "--yes", "--of-another-group", "--undo", undo.to_str().expect("a path")];
    run_for(kafka, &other, &taken).with_code(0);
    assert_eq!(offsets(kafka, &other, &orders), [4, 2]);
    for (text, told) in [
        ("{}", "missing field"),
        ("{\"schema\":\"x/1\",\"group\":\"g\",\"written\":\"\",\"positions\":[]}", "its schema is \"x/1\""),
    ] {
        fs::write(file, text).expect("a file");
        let said = run_for(kafka, &group, &["offsets", "import", file, "--yes"]).with_code(2);
        assert!(said.err.contains(told) && said.err.contains("positions.json"), "{}", said.err);
    }
}
