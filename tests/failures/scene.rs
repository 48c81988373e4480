//! A group with one source topic, and its service in this process.

use crate::{
    desk::{Desk, handle},
    log, meters,
    wait::{PATIENCE, until, until_true},
};
use retrial::{App, HandlerSet, Running, Service, ServiceError, Settings, handler};
use retrial_kafka_for_tests::{Kafka, RawRecord, TestRecord};
use std::time::Duration;

pub(crate) struct Scene<'k> {
    pub(crate) kafka: &'k Kafka,
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) desk: Desk,
}

impl<'k> Scene<'k> {
    /// A group of its own, with a new source topic.
    pub(crate) fn new(kafka: &'k Kafka, name: &str, partitions: i32) -> Self {
        let scene = Self::without_topic(kafka, name);
        kafka.create_topic(&scene.topic, partitions, &[]);
        scene
    }

    /// A group of its own, whose source topic is still to be made.
    pub(crate) fn without_topic(kafka: &'k Kafka, name: &str) -> Self {
        log::listen();
        meters::listen();
        Self { kafka, group: kafka.unique_group(name), topic: kafka.unique_topic(name), desk: Desk::default() }
    }

    /// Another group that reads the same topic.
    pub(crate) fn another_group(&self, name: &str) -> Self {
        let (group, topic) = (self.kafka.unique_group(name), self.topic.clone());
        Self { kafka: self.kafka, group, topic, desk: Desk::default() }
    }

    pub(crate) fn tier(&self) -> String {
        format!("{}.retry.1s", self.group)
    }

    pub(crate) fn dead_letters(&self) -> String {
        format!("{}.dlq", self.group)
    }

    /// The app of this group, with one tier of a second.
    pub(crate) fn app(&self) -> HandlerSet {
        let retry = retrial::Retry::delays([retrial::secs(1); 3]).in_place(0);
        let app = App::group(self.group.as_str()).tiers([retrial::secs(1)]).state(self.desk.clone());
        app.topic(self.topic.as_str(), handler(handle).retry(retry)).build().expect("an app")
    }

    /// How a service reaches the cluster, with members that are missed quickly.
    pub(crate) fn connection(&self) -> retrial::Kafka {
        retrial::Kafka::bootstrap(self.kafka.bootstrap()).property("session.timeout.ms", "6000")
    }

    /// A service that runs.
    pub(crate) async fn run(&self) -> Running {
        self.run_with(self.connection(), quick()).await
    }

    /// A service that runs on a connection of one's own.
    pub(crate) async fn run_with(&self, connection: retrial::Kafka, settings: Settings) -> Running {
        let service = Service::connect_with(self.app(), connection, settings).await;
        service.unwrap_or_else(|error| panic!("{error}")).start().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes records with these numbers, and `what` behind each, to a partition. Returns the first offset.
    pub(crate) fn produce(&self, partition: i32, numbers: std::ops::Range<u64>, what: &str) -> i64 {
        let records = numbers.map(|number| TestRecord::new(body(number, what)).to_partition(partition));
        self.kafka.produce(&self.topic, records).first().map_or(-1, |position| position.offset)
    }

    /// As [`produce`](Self::produce), by a producer without a past: one that remembers what it wrote is refused by a log
    /// that was cut, and one that remembers a topic does not know of partitions that were added.
    pub(crate) fn append(&self, partition: i32, numbers: std::ops::Range<u64>, what: &str) {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        let timestamp = i64::try_from(since.as_millis()).expect("a clock before the year 292 million");
        let record =
            |number: u64| RawRecord { timestamp, value: Some(body(number, what).into_bytes()), ..RawRecord::default() };
        self.kafka.produce_raw(&self.topic, partition, &numbers.map(record).collect::<Vec<_>>());
    }

    /// Waits until so many different records were done.
    pub(crate) async fn until_done(&self, count: usize) {
        until_true(&format!("{count} records of {} are done", self.group), || self.desk.count() >= count).await;
    }

    /// What the group has committed for a partition of its source topic.
    pub(crate) fn committed(&self, partition: i32) -> Option<i64> {
        let commits = self.kafka.committed(&self.group, &self.topic);
        commits.iter().find(|commit| commit.partition == partition).map(|commit| commit.offset)
    }

    /// Waits until the group has committed this offset.
    pub(crate) async fn until_committed(&self, partition: i32, offset: i64) {
        let what = format!("{} commits {offset} for partition {partition}", self.group);
        until_true(&what, || self.committed(partition) == Some(offset)).await;
    }

    /// Waits until the service has logged a line with all of these words.
    pub(crate) async fn until_said(&self, words: &[&str]) -> String {
        let words: Vec<&str> = words.iter().copied().chain([self.group.as_str()]).collect();
        until(&format!("{words:?} in the log"), || log::lines(&words).pop()).await
    }

    /// What the service has logged.
    pub(crate) fn log(&self) -> String {
        log::lines(&[&self.group]).join("\n")
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what {} has logged:\n{}", self.group, self.log());
        }
    }
}

fn body(number: u64, what: &str) -> String {
    if what.is_empty() { number.to_string() } else { format!("{number} {what}") }
}

/// Settings that make a test quick.
pub(crate) fn quick() -> Settings {
    Settings::default().commit_interval(Duration::from_millis(100)).drain(Duration::from_secs(2))
}

/// Stops a service in order.
pub(crate) async fn stop(mut running: Running) {
    running.stop();
    end_of(&mut running).await.unwrap_or_else(|error| panic!("{error}"));
}

/// The end of a service that ends by itself.
pub(crate) async fn end_of(running: &mut Running) -> Result<(), ServiceError> {
    tokio::time::timeout(PATIENCE, running.ended()).await.expect("a service that ends")
}
