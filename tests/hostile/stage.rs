//! What every test here needs: a service that runs, and what it logged.

use crate::{
    counters,
    raw::{self, Raw},
};
use retrial::{App, HandlerSet, Running, Service, ServiceError, Settings};
use retrial_kafka_for_tests::{Kafka, Log};
use std::{
    fmt::Debug,
    sync::OnceLock,
    time::{Duration, Instant},
};
use tracing_subscriber::EnvFilter;

/// How long something may take that should take a moment: only a test that fails waits as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A topic whose records stay, whatever their time.
pub(crate) fn lasting_topic(kafka: &Kafka, prefix: &str, partitions: i32, configs: &[(&str, &str)]) -> String {
    let topic = kafka.unique_topic(prefix);
    let lasting = [("retention.ms", "-1"), ("message.timestamp.after.max.ms", "9223372036854775807")];
    let all: Vec<(&str, &str)> = lasting.into_iter().chain(configs.iter().copied()).collect();
    kafka.create_topic(&topic, partitions, &all);
    topic
}

/// An operator's own topic of a group, of one partition, which takes less than others.
pub(crate) fn own_topic(kafka: &Kafka, group: &str, own: &str, limit: usize) {
    let append_time = ("message.timestamp.type", "LogAppendTime");
    kafka.create_topic(&format!("{group}.{own}"), 1, &[append_time, ("max.message.bytes", &limit.to_string())]);
}

/// Settings that make a test quick.
pub(crate) fn quick() -> Settings {
    Settings::default().commit_interval(Duration::from_millis(100)).drain(Duration::from_secs(2))
}

/// How the service reaches the test's cluster.
pub(crate) fn reach(kafka: &Kafka) -> retrial::Kafka {
    retrial::Kafka::bootstrap(kafka.bootstrap())
}

/// An app of a group.
pub(crate) fn app(group: &str, tiers: &[u64]) -> App {
    App::group(group).tiers(tiers.iter().map(|&seconds| retrial::secs(seconds)))
}

/// A built app, connected and running.
pub(crate) async fn run(app: HandlerSet, kafka: retrial::Kafka, settings: Settings) -> Running {
    listen();
    let service = Service::connect_with(app, kafka, settings).await.unwrap_or_else(|error| panic!("{error}"));
    service.start().unwrap_or_else(|error| panic!("{error}"))
}

/// Makes the topics of a group, and reads nothing.
pub(crate) async fn make_topics(app: HandlerSet, kafka: retrial::Kafka) {
    Service::connect_with(app, kafka, quick().start_at(retrial::StartAt::Earliest))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Stops a service in order.
pub(crate) async fn stop(mut running: Running) {
    running.stop();
    let ended = tokio::time::timeout(PATIENCE, running.ended()).await.expect("a stop that ends");
    ended.unwrap_or_else(|error| panic!("{error}"));
}

/// The end of a service that ends by itself.
pub(crate) async fn end_of(running: &mut Running) -> Result<(), ServiceError> {
    tokio::time::timeout(PATIENCE, running.ended()).await.expect("a service that ends")
}

/// Waits until a question has an answer.
pub(crate) async fn until<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < limit, "still not after {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a condition holds.
pub(crate) async fn until_true(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(())).await;
}

/// Waits until a topic has so many records; more than that fails the test.
pub(crate) async fn records_of(kafka: &Kafka, topic: &str, count: usize) -> Vec<Raw> {
    let end = || kafka.offsets(topic).values().map(|(_, end)| end).sum::<i64>();
    until_true(&format!("{count} records in {topic}"), || end() >= count as i64).await;
    let records = raw::read(kafka, topic);
    assert_eq!(records.len(), count, "{topic} has {:?}", records.iter().map(shown).collect::<Vec<_>>());
    records
}

/// Waits until a group has committed this offset for a partition.
pub(crate) async fn until_committed(kafka: &Kafka, group: &str, topic: &str, partition: i32, offset: i64) {
    let limit = Instant::now() + PATIENCE;
    loop {
        let found = committed(kafka, group, topic, partition);
        if found == Some(offset) {
            return;
        }
        let log = || logged(&[group]).join("\n");
        assert!(Instant::now() < limit, "{group} commits {found:?} for {topic}/{partition}, not {offset}:\n{}", log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a group has committed for a partition.
pub(crate) fn committed(kafka: &Kafka, group: &str, topic: &str, partition: i32) -> Option<i64> {
    kafka.committed(group, topic).iter().find(|commit| commit.partition == partition).map(|commit| commit.offset)
}

/// A record in a few words, for messages of tests.
pub(crate) fn shown(record: &Raw) -> impl Debug + use<> {
    let headers: Vec<String> = record
        .headers
        .iter()
        .take(40)
        .map(|(name, value)| format!("{}={}", name.escape_ascii(), value.as_deref().unwrap_or(b"null").escape_ascii()))
        .collect();
    (record.partition, record.offset, record.body.as_deref().map(<[u8]>::len), headers)
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Begins to keep what is logged and counted.
pub(crate) fn listen() {
    counters::count();
    LOG.get_or_init(|| {
        let log = Log::default();
        let written = log.clone();
        let filter = EnvFilter::new("info,librdkafka=warn");
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || written.clone()).init();
        log
    });
}

/// Lines logged so far that have all of these words; one with `=` must stand alone.
pub(crate) fn logged(words: &[&str]) -> Vec<String> {
    let lines = LOG.get().map(|log| log.lines(words)).unwrap_or_default();
    let alone = |line: &String, word: &str| !word.contains('=') || line.split_whitespace().any(|found| found == word);
    lines.into_iter().filter(|line| words.iter().all(|word| alone(line, word))).collect()
}
