//! Starts that cannot be: each is an error that names the thing, its value and what to do.

use crate::{
    raw::{self, Raw},
    sights::{Sights, see},
    stage,
};
use retrial::{App, HandlerSet, Service, ServiceError, Settings, StartAt, handler};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use std::time::{Duration, Instant};

async fn nothing() {}

fn app(group: &str, topic: &str) -> HandlerSet {
    stage::app(group, &[1]).topic(topic, handler(nothing)).build().expect("an app")
}

/// The error of a start, in words.
async fn refusal(app: HandlerSet, kafka: retrial::Kafka, settings: Settings) -> (ServiceError, String) {
    let started = Service::connect_with(app, kafka, settings).await;
    let error = started.expect_err("a start that is refused");
    let text = error.to_string();
    (error, text)
}

/// That a message has all of these words.
fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_topic_that_does_not_exist_is_named_and_not_made() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("missing"), kafka.unique_topic("no-such-topic"));
    let (error, text) = refusal(app(&group, &topic), stage::reach(kafka), stage::quick()).await;
    assert!(matches!(error, ServiceError::Topics(_)), "{error:?}");
    assert_says(&text, &[&topic, &kafka.bootstrap(), "does not exist", "make it, correct the name, or grant"]);
    assert_eq!(kafka.partitions(&topic), 0);
    assert_eq!(kafka.partitions(&format!("{group}.dlq")), 0, "nothing was made before the refusal");
}

/// A broker that has just come back tells for a moment what it knew before it went.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_topic_that_the_broker_shows_a_moment_later_is_waited_for() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("later"), kafka.unique_topic("orders"));
    let starting = tokio::spawn(Service::connect_with(app(&group, &topic), stage::reach(kafka), stage::quick()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!starting.is_finished(), "it believed at once that the topic is missing, or that it is there");
    kafka.create_topic(&topic, 1, &[]);
    starting.await.expect("no panic").unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_does_not_answer_is_named_after_about_ten_seconds() {
    available!(Kafka::shared());
    // Bound and never listened on: connections are refused.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = silent.local_addr().expect("an address");
    for address in [closed.to_string(), mute.to_string()] {
        let began = Instant::now();
        let (error, text) = refusal(app("nobody", "orders"), retrial::Kafka::bootstrap(&address), stage::quick()).await;
        let took = began.elapsed();
        assert!(matches!(error, ServiceError::Topics(_) | ServiceError::Unreachable(_)), "{error:?}");
        assert_says(&text, &[&address, "no answer from Kafka", "10s"]);
        assert!(took < Duration::from_secs(20), "{took:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_topic_with_the_producers_time_or_compaction_is_refused_and_the_remedy_named() {
    let kafka = available!(Kafka::shared());
    let topic = stage::lasting_topic(kafka, "orders", 1, &[]);
    let append = ("message.timestamp.type", "LogAppendTime");
    let create = ("message.timestamp.type", "CreateTime");
    for (own, configs, words) in [
        (
            "retry.1s",
            [create, ("cleanup.policy", "delete")],
            ["message.timestamp.type=CreateTime", "set it to LogAppendTime"],
        ),
        (
            "retry.9s",
            [create, ("cleanup.policy", "delete")],
            ["message.timestamp.type=CreateTime", "set it to LogAppendTime"],
        ),
        (
            "dlq",
            [create, ("cleanup.policy", "delete")],
            ["message.timestamp.type=CreateTime", "set it to LogAppendTime"],
        ),
        (
            "control",
            [create, ("cleanup.policy", "compact")],
            ["message.timestamp.type=CreateTime", "set it to LogAppendTime"],
        ),
        ("retry.1s", [append, ("cleanup.policy", "compact")], ["cleanup.policy=compact", "set it to delete"]),
    ] {
        let group = kafka.unique_group("refused");
        let name = format!("{group}.{own}");
        kafka.create_topic(&name, 1, &configs);
        let (error, text) = refusal(app(&group, &topic), stage::reach(kafka), stage::quick()).await;
        assert!(matches!(error, ServiceError::Topics(_)), "{own}: {error:?}");
        assert_says(&text, &[&name, words[0], words[1]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_topics_of_the_group_are_all_named_when_none_may_be_made() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("unmade"), stage::lasting_topic(kafka, "orders", 1, &[]));
    let reach = stage::reach(kafka).create_topics(false);
    let (error, text) = refusal(app(&group, &topic), reach, stage::quick()).await;
    assert!(matches!(error, ServiceError::Topics(_)), "{error:?}");
    let own = ["retry.1s", "retry.0s", "dlq", "control"].map(|own| format!("{group}.{own}"));
    assert_says(&text, &own.each_ref().map(String::as_str));
    assert_says(&text, &["create_topics(true)", &kafka.bootstrap()]);
    assert!(own.iter().all(|own| kafka.partitions(own) == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_that_is_unknown_or_refused_is_named_with_its_value_and_the_reason() {
    let kafka = available!(Kafka::shared());
    let topic = stage::lasting_topic(kafka, "orders", 1, &[]);
    for (name, value, words) in [
        ("fetch.wait.max", "5", &["there is no client property", "`fetch.wait.max`", "correct the name"][..]),
        ("enable.auto.commit", "true", &["cannot be \"true\"", "offsets are committed by retrial"]),
        ("auto.offset.reset", "latest", &["cannot be \"latest\"", "decides itself where to start"]),
        ("partition.assignment.strategy", "range", &["cannot be \"range\"", "rebalances are answered"]),
        ("group.id", "another", &["cannot be \"another\"", "the group is the app's"]),
        ("session.timeout.ms", "soon", &["must be a whole number of milliseconds", "\"soon\""]),
        ("fetch.max.bytes", "many", &["is not accepted", "`fetch.max.bytes`"]),
    ] {
        let group = kafka.unique_group("properties");
        let reach = stage::reach(kafka).property(name, value);
        let (error, text) = refusal(app(&group, &topic), reach, stage::quick()).await;
        assert!(matches!(error, ServiceError::Property(_)), "{name}: {error:?}");
        assert_says(&text, &[name]);
        assert_says(&text, words);
        assert_eq!(kafka.partitions(&format!("{group}.dlq")), 0, "{name}: nothing was made before the refusal");
    }
}

#[test]
fn a_group_id_that_names_no_topics_is_refused_when_the_app_is_built() {
    for (group, words) in [
        ("", &["the group id is empty"][..]),
        ("zahlungen/köln", &["zahlungen/köln", "topic_prefix"]),
        ("two words", &["two words", "topic_prefix"]),
        ("..", &["topic_prefix"]),
        ("new\nline", &["control characters"]),
        (&"x".repeat(400), &["400 bytes is too long"]),
        (&"x".repeat(245), &["topic_prefix"]),
    ] {
        let error = App::group(group).topic("orders", handler(nothing)).build().expect_err("a group that is refused");
        assert_says(&error.to_string(), words);
    }
    let app = App::group("zahlungen/köln").topic_prefix("payments").topic("orders", handler(nothing)).build();
    assert_eq!(app.expect("an app").group(), "zahlungen/köln");
}

const DAY: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_group_is_not_let_loose_on_an_old_backlog_until_somebody_says_where_to_start() {
    let kafka = available!(Kafka::shared());
    let topic = stage::lasting_topic(kafka, "backlog", 2, &[]);
    let oldest = raw::now() - 40 * DAY;
    raw::append(
        kafka,
        &topic,
        0,
        &[Raw::new("oldest").at(oldest), Raw::new("old").at(raw::now() - 2 * DAY), Raw::new("new")],
    );
    raw::append(kafka, &topic, 1, &[Raw::new("old too").at(raw::now() - 3 * DAY)]);
    let group = kafka.unique_group("backlog");
    let (error, text) = refusal(app(&group, &topic), stage::reach(kafka), stage::quick()).await;
    let ServiceError::OldBacklog(backlog) = error else { panic!("{error:?}") };
    assert_eq!((backlog.records, backlog.oldest.as_millis()), (3, oldest));
    assert_says(&text, &["3 records", &backlog.oldest.to_string(), "say where to start with `start_at`"]);
    for (start_at, seen) in [
        (StartAt::Earliest, vec!["new", "old", "old too", "oldest"]),
        (StartAt::Offset(1), vec!["new", "old"]),
        (StartAt::Latest, vec![]),
    ] {
        let group = kafka.unique_group("backlog");
        let sights = Sights::default();
        let app = stage::app(&group, &[1]).state(sights.clone()).topic(&topic, handler(see)).build().expect("an app");
        let running = stage::run(app, stage::reach(kafka), stage::quick().start_at(start_at)).await;
        stage::until_committed(kafka, &group, &topic, 0, 3).await;
        stage::until_committed(kafka, &group, &topic, 1, 1).await;
        stage::stop(running).await;
        assert_eq!(sights.texts(), seen, "{start_at:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_another_tool_has_committed_for_is_not_new_and_goes_on_where_it_was() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("moved"), stage::lasting_topic(kafka, "moved", 1, &[]));
    raw::append(kafka, &topic, 0, &[Raw::new("old").at(raw::now() - 40 * DAY), Raw::new("new")]);
    kafka.commit_raw(&group, &topic, 0, 1, b"");
    let sights = Sights::default();
    let app = stage::app(&group, &[1]).state(sights.clone()).topic(&topic, handler(see)).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    stage::until_committed(kafka, &group, &topic, 0, 2).await;
    stage::stop(running).await;
    assert_eq!(sights.texts(), ["new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_whose_offset_was_deleted_is_held_with_a_reason_and_the_others_go_on() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("deleted"), stage::lasting_topic(kafka, "deleted", 2, &[]));
    for partition in 0..2 {
        raw::append(kafka, &topic, partition, &[Raw::new(format!("{partition} before"))]);
    }
    let sights = Sights::default();
    let app = || stage::app(&group, &[1]).state(sights.clone()).topic(&topic, handler(see)).build().expect("an app");
    let running = stage::run(app(), stage::reach(kafka), stage::quick()).await;
    for partition in 0..2 {
        stage::until_committed(kafka, &group, &topic, partition, 1).await;
    }
    let control = format!("{group}.control");
    let is_mark = |record: &TestRecord| record.key.as_ref().is_some_and(|key| key.starts_with(b"partition/"));
    let marks = || kafka.read(&control).iter().filter(|record| is_mark(record)).count();
    stage::until_true("both partitions are marked as read", || marks() == 2).await;
    stage::stop(running).await;
    kafka.forget_commit(&group, &topic, 0);
    for partition in 0..2 {
        raw::append(kafka, &topic, partition, &[Raw::new(format!("{partition} after"))]);
    }
    // What a start at the first start said does not count now.
    for start_at in [StartAt::Unset, StartAt::Latest] {
        let running = stage::run(app(), stage::reach(kafka), stage::quick().start_at(start_at)).await;
        stage::until_committed(kafka, &group, &topic, 1, 2).await;
        let topic_field = format!("topic=\"{topic}\"");
        let held =
            || stage::logged(&["ERROR", &topic_field, "partition=0", "its offset is gone: say where to start"]).len();
        stage::until_true("the partition is held aloud", || held() > usize::from(start_at != StartAt::Unset)).await;
        stage::stop(running).await;
        assert_eq!(sights.texts(), ["0 before", "1 after", "1 before"]);
        assert_eq!(stage::committed(kafka, &group, &topic, 0), None, "nobody chose for the operator");
    }
    // An operator's word, as any tool writes it.
    kafka.commit_raw(&group, &topic, 0, 1, b"");
    let running = stage::run(app(), stage::reach(kafka), stage::quick()).await;
    stage::until_committed(kafka, &group, &topic, 0, 2).await;
    stage::stop(running).await;
    assert_eq!(sights.texts(), ["0 after", "0 before", "1 after", "1 before"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tier_that_is_made_anew_with_settings_that_lose_records_ends_the_service_and_says_why() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("anew"), stage::lasting_topic(kafka, "anew", 1, &[]));
    let app = stage::app(&group, &[1]).topic(&topic, handler(nothing)).build().expect("an app");
    let every = std::time::Duration::from_millis(200);
    let mut running = stage::run(app, stage::reach(kafka), stage::quick().verify_every(every)).await;
    stage::until_committed(kafka, &group, &topic, 0, 0).await;
    let tier = format!("{group}.retry.1s");
    kafka.delete_topic(&tier);
    stage::until_true("the tier's absence is told", || !stage::logged(&["WARN", "are missing", &tier]).is_empty())
        .await;
    kafka.create_topic(&tier, 1, &[("message.timestamp.type", "CreateTime")]);
    let ended = stage::end_of(&mut running).await;
    let Err(ServiceError::Broken(why)) = &ended else { panic!("{ended:?}") };
    assert_says(why, &[&tier, "message.timestamp.type=CreateTime", "set it to LogAppendTime"]);
}
