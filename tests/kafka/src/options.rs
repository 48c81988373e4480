//! What a cluster is started with: how many brokers, and properties that make tests quick.

use std::{collections::BTreeMap, path::PathBuf};

/// How to start a cluster of one's own. The default is one broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// Brokers, each also a controller: 1 to 3 (with three, one may be dead at a time).
    pub brokers: usize,
    /// Whether brokers compile their hot code with all effort. That takes from the test's CPU, so only measurements want
    /// it. Default: no. In Docker it is always so.
    pub optimized: bool,
    /// Broker properties, added to the ones for quick tests or in their place.
    pub properties: Vec<(String, String)>,
    /// Where the brokers' data and logs stay after them, for a look; the folder must not be there yet. Default: nothing
    /// stays. In Docker nothing ever does.
    pub kept: Option<PathBuf>,
    /// A second listener of each broker. Default: none. Not in Docker.
    pub guests: Option<Guests>,
    /// An existing folder for the brokers' data. Default: one in the system's folder for temporary files. What is put
    /// there is the caller's to remove. Not in Docker.
    pub data: Option<PathBuf>,
}

/// A second listener, for clients that are kept apart from those of this crate: by a proxy between, or by a name and
/// rights of their own.
#[derive(Clone, Debug, Default)]
pub struct Guests {
    /// Who may connect, by SASL/PLAIN, with which password; without any, everybody may, and is nobody.
    pub users: Vec<(String, String)>,
    /// The loopback port that guests are sent to in place of the listener's own: a proxy's. One broker only.
    pub port: Option<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Self { brokers: 1, optimized: false, properties: Vec::new(), kept: None, guests: None, data: None }
    }
}

impl Options {
    /// `brokers` of them, with the properties for quick tests.
    pub fn brokers(brokers: usize) -> Self {
        Self { brokers, ..Self::default() }
    }

    /// Sets one broker property.
    pub fn property(mut self, name: &str, value: impl ToString) -> Self {
        self.properties.push((name.to_owned(), value.to_string()));
        self
    }

    /// Keeps data and logs of the brokers in this folder.
    pub fn kept_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.kept = Some(folder.into());
        self
    }

    /// Adds a second listener.
    pub fn guests(mut self, guests: Guests) -> Self {
        self.guests = Some(guests);
        self
    }

    /// Puts the brokers' data into a folder.
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// What only brokers that are processes of this machine can have.
    pub(crate) fn needs_processes(&self) -> bool {
        self.guests.is_some() || self.data.is_some()
    }

    /// The properties that do not depend on addresses.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        let replicas = self.brokers.to_string();
        let in_sync = self.brokers.saturating_sub(1).max(1).to_string();
        let replication = [
            ("default.replication.factor", &replicas),
            ("offsets.topic.replication.factor", &replicas),
            ("transaction.state.log.replication.factor", &replicas),
            ("transaction.state.log.min.isr", &in_sync),
            ("share.coordinator.state.topic.replication.factor", &replicas),
            ("share.coordinator.state.topic.min.isr", &in_sync),
        ];
        let replication = replication.map(|(name, value)| (name.to_owned(), value.clone()));
        let quick = QUICK.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        quick.chain(replication).chain(self.properties.iter().cloned()).collect()
    }
}

const QUICK: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    // A first member would wait 3 s for others.
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "500"),
    // Groups of the new protocol take these from the broker, not from the client.
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.heartbeat.interval.ms", "200"),
    ("group.consumer.heartbeat.interval.ms", "500"),
    // A dead broker loses its leaderships after 4 s; the default is 9.
    ("broker.session.timeout.ms", "4000"),
    ("broker.heartbeat.interval.ms", "500"),
    // Retention and compaction act while a test waits.
    ("log.initial.task.delay.ms", "500"),
    ("log.retention.check.interval.ms", "500"),
    ("log.cleaner.backoff.ms", "500"),
    ("log.segment.delete.delay.ms", "500"),
    // Internal topics of 50 partitions take seconds to make on two cores.
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.num.partitions", "4"),
    // The default of 128 MiB is a third of these heaps.
    ("log.cleaner.dedupe.buffer.size", "8388608"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("background.threads", "2"),
];
