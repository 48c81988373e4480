//! The Kafka that is measured on.

use crate::options::Options;
use retrial_kafka_for_tests::{Kafka, Options as Cluster};

/// A Kafka, ours or somebody's.
pub(crate) struct Place {
    kafka: Kafka,
}

impl Place {
    /// The one at the address given, or one broker of our own whose hot code is compiled with all effort.
    pub(crate) fn find(options: &Options) -> Self {
        let kafka = match &options.bootstrap_server {
            Some(address) => Kafka::at(address).unwrap_or_else(|reason| panic!("no Kafka at {address}: {reason}")),
            None => {
                let cluster = Cluster { optimized: true, ..Cluster::default() };
                Kafka::start(cluster).unwrap_or_else(|unavailable| panic!("{unavailable}"))
            }
        };
        Self { kafka }
    }

    /// Its address.
    pub(crate) fn bootstrap(&self) -> String {
        self.kafka.bootstrap()
    }

    /// A new topic.
    pub(crate) fn topic(&self, prefix: &str, partitions: i32) -> Topic<'_> {
        let name = self.kafka.unique_topic(prefix);
        self.kafka.create_topic(&name, partitions, &[]);
        Topic { kafka: &self.kafka, name, partitions }
    }

    /// A group that nobody else has.
    pub(crate) fn group(&self, prefix: &str) -> String {
        self.kafka.unique_group(prefix)
    }
}

/// A topic, deleted when dropped: a full run writes some gigabytes.
pub(crate) struct Topic<'a> {
    kafka: &'a Kafka,
    pub(crate) name: String,
    pub(crate) partitions: i32,
}

impl Drop for Topic<'_> {
    fn drop(&mut self) {
        self.kafka.delete_topic(&self.name);
    }
}
