//! Where a test plays: a Kafka, a group of its own, and a folder for its workers.

use std::path::PathBuf;

use retrial_kafka_for_tests::Kafka;
use tempfile::TempDir;

use crate::{orders::Orders, process::Worker};

pub(crate) struct Scene {
    pub(crate) kafka: &'static Kafka,
    pub(crate) group: String,
    folder: TempDir,
}

impl Scene {
    pub(crate) fn new(kafka: &'static Kafka, name: &str) -> Self {
        let folder = TempDir::new().expect("a folder for journals");
        Self { kafka, group: kafka.unique_group(name), folder }
    }

    /// Makes a source topic and returns its name.
    pub(crate) fn topic(&self, name: &str, partitions: i32) -> String {
        let topic = self.kafka.unique_topic(name);
        self.kafka.create_topic(&topic, partitions, &[]);
        topic
    }

    /// The name of a tier.
    pub(crate) fn tier(&self, seconds: u64) -> String {
        format!("{}.retry.{seconds}s", self.group)
    }

    pub(crate) fn dead_letters(&self) -> String {
        format!("{}.dlq", self.group)
    }

    /// Orders for a member of this group.
    pub(crate) fn orders(&self) -> Orders {
        Orders::new(self.kafka.bootstrap(), &self.group)
    }

    /// Starts a worker.
    pub(crate) fn hire(&self, name: &str, orders: &Orders) -> Worker {
        Worker::hire(self.file(name), orders.clone())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
