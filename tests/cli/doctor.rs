//! `retrial doctor`, on clusters and groups that are broken just so.

use crate::command::{Said, command, run_for};
use retrial::{App, Service, Settings, handler, secs};
use retrial_kafka_for_tests::{Commit, Guests, Kafka, Options, Right, TestRecord, Unavailable, available};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

const LIMIT: Duration = Duration::from_secs(120);

/// Three brokers, on which a group can be healthy. Nobody kills one of them.
fn three() -> Result<&'static Kafka, &'static Unavailable> {
    static THREE: OnceLock<Result<Kafka, Unavailable>> = OnceLock::new();
    THREE.get_or_init(|| Kafka::start(Options::brokers(3))).as_ref()
}

/// A finding: its id, how bad it is, and the topic or other thing.
type Told = (String, String, String);

fn told(id: &str, severity: &str, thing: &str) -> Told {
    (id.to_owned(), severity.to_owned(), thing.to_owned())
}

fn doctor(kafka: &Kafka, group: &str, arguments: &[&str]) -> Said {
    run_for(kafka, group, &[&["doctor", "--output", "json"], arguments].concat())
}

fn findings(document: &Value) -> BTreeSet<Told> {
    let text = |finding: &Value, name: &str| finding[name].as_str().expect("a text").to_owned();
    let one = |finding: &Value| (text(finding, "id"), text(finding, "severity"), text(finding, "thing"));
    document["findings"].as_array().expect("findings").iter().map(one).collect()
}

/// What the doctor finds of a group that stands still, all checks made.
fn found(kafka: &Kafka, group: &str, arguments: &[&str]) -> BTreeSet<Told> {
    let limit = Instant::now() + LIMIT;
    let (said, document) = loop {
        let said = doctor(kafka, group, arguments);
        let document = said.json();
        if !document["unchecked"].to_string().contains("ask again") {
            break (said, document);
        }
        assert!(Instant::now() < limit, "{document:#}");
    };
    assert_eq!(document["unchecked"], json!([]), "{document:#}");
    let found = findings(&document);
    let code = if found.iter().all(|(_, severity, _)| severity == "note") { 0 } else { 6 };
    said.with_code(code);
    found
}

/// A group as it should be, on three brokers: its source topic, its own topics, a position.
fn sound(kafka: &Kafka, name: &str) -> (String, String) {
    let group = kafka.unique_group(name);
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 2, &[("min.insync.replicas", "2"), ("retention.ms", "604800000")]);
    let apply = ["topics", "apply", "--yes", "--topic", &orders, "--delays", "5s,1m"];
    run_for(kafka, &group, &apply).with_code(0);
    kafka.commit(&group, &orders, &Commit { partition: 0, offset: 0, metadata: String::new() });
    (group, orders)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_group_has_no_findings_while_it_works_and_after() {
    let kafka = available!(three());
    let (group, orders) = sound(kafka, "healthy");
    kafka.produce(&orders, (0..20).map(|number| number.to_string()));
    let app =
        App::group(&group).tiers([secs(5), secs(60)]).topic(&orders, handler(async || ())).build().expect("an app");
    let service = Service::connect_with(app, retrial::Kafka::bootstrap(kafka.bootstrap()), Settings::default()).await;
    let mut running = service.and_then(|service| service.start()).unwrap_or_else(|error| panic!("{error}"));
    let limit = Instant::now() + LIMIT;
    while kafka.committed(&group, &orders).iter().map(|commit| commit.offset).sum::<i64>() < 20 {
        assert!(Instant::now() < limit, "twenty orders are handled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(found(kafka, &group, &[]), BTreeSet::new());
    running.stop();
    running.ended().await.unwrap_or_else(|error| panic!("{error}"));
    let shown = run_for(kafka, &group, &["doctor"]).with_code(0);
    assert_eq!(shown.steady(&group), "Group billing, sources: billing-orders; 3 brokers\n\nNothing found.\n");
}

#[test]
fn each_setting_that_breaks_a_promise_is_found_alone_and_gone_when_it_is_mended() {
    let kafka = available!(three());
    let (group, orders) = sound(kafka, "settings");
    assert_eq!(found(kafka, &group, &[]), BTreeSet::new());
    let own = |rest: &str| format!("{group}.{rest}");
    let (tier, dlq, control) = (own("retry.1m"), own("dlq"), own("control"));
    for (topic, setting, value, id, severity) in [
        (&tier, "message.timestamp.type", "CreateTime", "own-timestamps", "critical"),
        (&dlq, "cleanup.policy", "compact", "own-compacted", "critical"),
        (&control, "cleanup.policy", "delete", "control-not-compacted", "warning"),
        (&tier, "retention.ms", "30000", "own-retention", "critical"),
        (&tier, "retention.ms", "90000", "own-retention", "warning"),
        (&dlq, "retention.bytes", "1000000", "own-size-limit", "warning"),
        (&dlq, "max.message.bytes", "1000", "own-record-size", "warning"),
        (&dlq, "min.insync.replicas", "1", "few-in-sync", "warning"),
        (&orders, "min.insync.replicas", "1", "few-in-sync", "note"),
        (&tier, "min.insync.replicas", "3", "in-sync-too-many", "warning"),
        (&orders, "unclean.leader.election.enable", "true", "unclean-election", "warning"),
        (&orders, "cleanup.policy", "compact", "source-compacted", "warning"),
        (&orders, "retention.ms", "30000", "source-retention", "warning"),
    ] {
        let before = setting_of(kafka, topic, setting);
        kafka.alter_topic_config(topic, &[(setting, value)]);
        let expected = BTreeSet::from([told(id, severity, &format!("topic {topic}"))]);
        await_findings(kafka, &group, &expected);
        kafka.alter_topic_config(topic, &[(setting, &before)]);
    }
    await_findings(kafka, &group, &BTreeSet::new());
}

fn setting_of(kafka: &Kafka, topic: &str, setting: &str) -> String {
    let default = match setting {
        "cleanup.policy" => "delete",
        _ => "false",
    };
    kafka.topic_config(topic).get(setting).map_or(default, String::as_str).to_owned()
}

/// Three brokers hear of a change one after the other.
fn await_findings(kafka: &Kafka, group: &str, expected: &BTreeSet<Told>) {
    let limit = Instant::now() + LIMIT;
    loop {
        let found = found(kafka, group, &[]);
        if found == *expected {
            return;
        }
        assert!(Instant::now() < limit, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn numbers_of_topics_that_do_not_fit_are_found() {
    let kafka = available!(three());
    let group = kafka.unique_group("numbers");
    let (orders, refunds) = (format!("{group}-orders"), format!("{group}-refunds"));
    let source = [("min.insync.replicas", "1"), ("retention.ms", "604800000")];
    kafka.create_topic_with_replicas(&orders, 3, 1, &source);
    kafka.create_topic_with_replicas(&refunds, 3, 2, &source);
    let append = ("message.timestamp.type", "LogAppendTime");
    let control = format!("{group}.control");
    kafka.create_topic(&control, 2, &[append, ("cleanup.policy", "compact"), ("min.insync.replicas", "2")]);
    let tier = format!("{group}.retry.9s");
    kafka.create_topic(
        &tier,
        1,
        &[append, ("retention.ms", "-1"), ("min.insync.replicas", "2"), ("max.message.bytes", "2000000")],
    );
    let service = ["--topic", &orders, "--topic", &refunds, "--topic", "no-such-topic", "--delays", "5s,2m"];
    let topic = |name: &str| format!("topic {name}");
    assert_eq!(
        found(kafka, &group, &service),
        BTreeSet::from([
            told("source-missing", "critical", "topic no-such-topic"),
            told("one-replica", "warning", &topic(&orders)),
            told("few-replicas", "note", &topic(&refunds)),
            told("few-in-sync", "note", &topic(&refunds)),
            told("control-partitions", "note", &topic(&control)),
            told("few-partitions", "warning", &topic(&tier)),
            told("tier-outside-ladder", "note", &topic(&tier)),
            told("ladder-gap", "warning", &format!("the ladder of group {group}")),
        ])
    );
    let shown = run_for(kafka, &group, &[&["doctor"], &service[..]].concat()).with_code(6);
    let table = "SEVERITY  FINDING  THING  VALUE\n\
                 critical  source-missing  topic no-such-topic  does not exist, or this user may not see it\n\
                 warning  few-partitions  topic billing.retry.9s  1 instead of 3\n\
                 warning  ladder-gap  the ladder of group billing  ";
    let text = shown.steady(&group);
    assert!(text.contains(table), "{text}");
    assert!(text.contains("\nnote  few-replicas  topic billing-refunds  2 replicas on 3 brokers\n"), "{text}");
    let explained = "\none-replica of topic billing-orders: a record acknowledged there is lost with one broker.\n\
                     \x20 Remedy: add replicas with kafka-reassign-partitions\n";
    assert!(text.contains(explained), "{text}");
    assert!(shown.err.contains("1 critical, 3 warnings, 0 checks not made"), "{shown:?}");
}

#[test]
fn what_waits_without_a_reader_vanishes_or_is_not_ours_is_found() {
    let kafka = available!(three());
    let (group, orders) = sound(kafka, "work");
    let (tier, dlq) = (format!("{group}.retry.5s"), format!("{group}.dlq"));
    kafka.produce(&tier, ["a", "b"]);
    kafka.produce(&dlq, ["a letter"]);
    kafka.alter_topic_config(&dlq, &[("retention.ms", "259200000")]);
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_millis() as i64);
    kafka.produce(&orders, [TestRecord::new("old").to_partition(0).at(now - 6 * 86_400_000)]);
    kafka.commit(&group, &orders, &Commit { partition: 1, offset: 0, metadata: "r1x not a map".to_owned() });
    let expected = BTreeSet::from([
        told("tier-without-reader", "critical", &format!("topic {tier}")),
        told("source-vanishes", "critical", &format!("topic {orders}")),
        told("letters-vanish", "warning", &format!("topic {dlq}")),
        told("own-retention", "warning", &format!("topic {dlq}")),
        told("foreign-commit", "warning", &format!("group {group} in {orders}/1")),
    ]);
    await_findings(kafka, &group, &expected);
    let document = doctor(kafka, &group, &[]).json();
    let waiting =
        document["findings"].as_array().expect("findings").iter().find(|one| one["id"] == "tier-without-reader");
    assert_eq!(
        waiting,
        Some(&json!({
            "id": "tier-without-reader", "severity": "critical", "thing": format!("topic {tier}"),
            "value": "2 waiting, and the group has no members", "consequence": "they wait for ever",
            "remedy": format!("start a service of group {group}: it reads every tier that exists"),
        }))
    );
    assert_eq!(
        (&document["schema"], &document["brokers"], &document["sources"]),
        (&json!("retrial.doctor/1"), &json!(3), &json!([orders]))
    );
    let shown = run_for(kafka, &group, &["doctor"]).with_code(6);
    assert!(shown.err.contains("2 critical, 3 warnings, 0 checks not made"), "{shown:?}");
    assert!(shown.out.contains(&format!("  Remedy: retrial topics apply --group {group}\n")), "{shown:?}");
    let member = crate::member::join(kafka, &group, &orders);
    let document = doctor(kafka, &group, &[]).with_code(6).json();
    assert!(document.to_string().contains("2 waiting, and no member of the group reads it"), "{document:#}");
    drop(member);
}

#[test]
fn members_without_a_partition_are_found() {
    let kafka = available!(three());
    let (group, orders) = sound(kafka, "idle");
    let members: Vec<_> = (0..2).map(|_| crate::member::join(kafka, &group, &orders)).collect();
    let third = crate::member::join_without_waiting(kafka, &group, &orders);
    await_findings(kafka, &group, &BTreeSet::from([told("idle-members", "warning", &format!("group {group}"))]));
    drop((members, third));
}

#[test]
fn a_broker_that_is_away_is_seen_by_the_partitions_it_held() {
    let kafka = available!(Kafka::start(Options::brokers(3)));
    let (group, orders) = sound(&kafka, "away");
    let alone = format!("{group}-alone");
    kafka.create_topic_with_replicas(&alone, 3, 1, &[("retention.ms", "604800000")]);
    kafka.broker(3).kill();
    let expected = [
        told("replicas-behind", "warning", &format!("topic {orders}")),
        told("no-leader", "critical", &format!("topic {alone}")),
    ];
    let limit = Instant::now() + LIMIT;
    loop {
        let found = findings(&doctor(&kafka, &group, &["--topic", &orders, "--topic", &alone]).json());
        if expected.iter().all(|one| found.contains(one)) {
            return;
        }
        assert!(Instant::now() < limit, "{found:?}");
    }
}

const USER: &str = "retrial";

/// A broker that forgets, and asks for rights.
fn strict() -> Result<Kafka, Unavailable> {
    let options = Options::default()
        .property("offset.metadata.max.bytes", 2048)
        .property("offsets.retention.minutes", 60)
        .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
        .property("super.users", "User:ANONYMOUS")
        .guests(Guests { users: vec![(USER.to_owned(), "secret".to_owned())], port: None });
    Kafka::start(options)
}

/// As the user who has only the rights that it was given.
fn as_user(kafka: &Kafka, group: &str, arguments: &[&str]) -> Said {
    let address = kafka.broker(1).guests().expect("a second listener").to_owned();
    let connection = ["--utc", "--bootstrap-server", &address, "--group", group];
    let mut command = command(&[arguments, &connection].concat());
    command
        .env("RETRIAL_PROPERTY_SECURITY_PROTOCOL", "sasl_plaintext")
        .env("RETRIAL_PROPERTY_SASL_MECHANISM", "PLAIN")
        .env("RETRIAL_PROPERTY_SASL_USERNAME", USER)
        .env("RETRIAL_PROPERTY_SASL_PASSWORD", "secret");
    Said::of(&command.output().expect("the command can be started"))
}

#[test]
fn brokers_that_forget_and_rights_that_are_missing_are_found() {
    let kafka = available!(strict());
    let (group, orders) = (kafka.unique_group("strict"), kafka.unique_topic("orders"));
    kafka.create_topic(&orders, 1, &[("retention.ms", "604800000")]);
    let found = findings(&doctor(&kafka, &group, &["--topic", &orders]).with_code(6).json());
    let expected = [
        told("commit-metadata-limit", "critical", "broker 1"),
        told("offsets-retention", "warning", "broker 1"),
        told("one-replica", "warning", &format!("topic {orders}")),
    ];
    assert_eq!(found, BTreeSet::from(expected));

    let asked = ["doctor", "--output", "json", "--topic", &orders];
    let blind = as_user(&kafka, &group, &asked).with_code(6).json();
    let seen = findings(&blind);
    assert!(seen.contains(&told("source-missing", "critical", &format!("topic {orders}"))), "{blind:#}");
    assert!(seen.contains(&told("missing-right", "critical", &format!("group {group}"))), "{blind:#}");
    assert!(seen.contains(&told("own-topic-missing", "critical", &format!("topic {group}.dlq"))), "{blind:#}");

    // Whoever may makes the topics; the service's user may then work, but not look at everything.
    run_for(&kafka, &group, &["topics", "apply", "--yes", "--topic", &orders, "--delays", "5s"]).with_code(0);
    let own = ["retry.0s", "retry.5s", "dlq", "control"].map(|rest| format!("{group}.{rest}"));
    for topic in &own {
        kafka.give(USER, Right::ReadTopic(topic));
        kafka.give(USER, Right::DescribeTopicConfigs(topic));
        if !topic.ends_with("5s") {
            kafka.give(USER, Right::WriteTopic(topic));
            kafka.give(USER, Right::DeleteTopic(topic));
        }
    }
    kafka.give(USER, Right::ReadGroup(&group));
    kafka.give(USER, Right::ReadTopic(&orders));
    let limited = as_user(&kafka, &group, &asked).with_code(6).json();
    let rights: BTreeSet<Told> = findings(&limited).into_iter().filter(|(id, ..)| id == "missing-right").collect();
    let tier = format!("topic {}", own[1]);
    let expected = [
        told("missing-right", "critical", &tier),
        told("missing-right", "warning", &tier),
        told("missing-right", "warning", &format!("topic {orders}")),
    ];
    assert_eq!(rights, BTreeSet::from(expected), "{limited:#}");
    let unchecked: Vec<&str> =
        limited["unchecked"].as_array().expect("a list").iter().filter_map(|one| one["what"].as_str()).collect();
    assert_eq!(unchecked, [format!("settings of topic {orders}"), "settings of broker 1".to_owned()], "{limited:#}");

    let plan = as_user(&kafka, &group, &["topics", "apply", "--yes", "--topic", &orders, "--delays", "5s,1m"]);
    let plan = plan.with_code(1);
    assert!(plan.err.contains("grant Create on it") && plan.err.contains("retry.1m"), "{plan:?}");

    // Of two things to do, the user may do one.
    kafka.give(USER, Right::CreateTopics);
    kafka.alter_topic_config(&own[2], &[("retention.ms", "60000")]);
    let apply = ["topics", "apply", "--yes", "--topic", &orders, "--delays", "5s,1m"];
    let partly = as_user(&kafka, &group, &apply).with_code(5);
    for told in ["1 topic was made, 0 topics were changed", "grant AlterConfigs on it", "it does only what is left"] {
        assert!(partly.err.contains(told), "{told:?} is not in {partly:?}");
    }
    assert_eq!(kafka.partitions(&format!("{group}.retry.1m")), 1);
    run_for(&kafka, &group, &apply).with_code(0);
    assert_eq!(kafka.topic_config(&own[2])["retention.ms"], "7776000000");
}

/// Gives a process another clock than the machine has: it is loaded before the C library.
const OTHER_CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec -= 3600;
    return result;
}
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_clock_behind_the_brokers_is_found() {
    let kafka = available!(three());
    let (group, _) = sound(kafka, "clock");
    kafka.produce(&format!("{group}.dlq"), ["a letter"]);
    assert_eq!(found(kafka, &group, &[]), BTreeSet::new());
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library) = (folder.path().join("clock.c"), folder.path().join("clock.so"));
    std::fs::write(&source, OTHER_CLOCK).expect("a file");
    // librdkafka is built by the same compiler.
    let mut compile = std::process::Command::new("cc");
    let built = compile.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").status();
    assert!(built.expect("a C compiler").success());
    let bootstrap = kafka.bootstrap();
    let arguments = ["doctor", "--output", "json", "--bootstrap-server", &bootstrap, "--group", &group];
    let output = command(&arguments).env("LD_PRELOAD", &library).output().expect("the command can be started");
    let document = Said::of(&output).with_code(6).json();
    assert_eq!(
        findings(&document),
        BTreeSet::from([told("clock-behind", "warning", "this machine's clock")]),
        "{document:#}"
    );
    let value = document["findings"][0]["value"].as_str().expect("a value");
    assert!(value.starts_with("at least 3") && value.ends_with(" s behind the brokers'"), "{value}");
}
