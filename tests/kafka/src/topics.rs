//! Topics: made, changed, deleted, and where their partitions lie.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    metadata::{Metadata, MetadataPartition},
    util::Timeout,
};

use crate::{Kafka, block_on::block_on};

const LIMIT: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

impl Kafka {
    /// Makes a topic, on every broker up to three, and waits until each partition has a leader. `configs` are topic
    /// settings, for example `("retention.ms", "1000")`.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let replicas = i32::try_from(self.brokers().len().min(3)).unwrap_or(1);
        self.create_topic_with_replicas(name, partitions, replicas, configs);
    }

    /// [`create_topic`](Self::create_topic) on as many brokers as said.
    pub fn create_topic_with_replicas(&self, name: &str, partitions: i32, replicas: i32, configs: &[(&str, &str)]) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        let topic = configs.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
        let done = block_on(self.admin().create_topics([&topic], &options()));
        let done = done.unwrap_or_else(|error| panic!("cannot create topic {name}: {error}"));
        done.into_iter().for_each(|topic| {
            topic.unwrap_or_else(|(name, error)| panic!("cannot create topic {name}: {error}"));
        });
        self.wait_for_partitions(name, |leaders| {
            leaders.len() == usize::try_from(partitions).unwrap_or(0) && leaders.iter().all(Option::is_some)
        });
        self.wait_for_config(name, configs);
    }

    /// Adds partitions to a topic until it has so many, and waits until each has a leader.
    pub fn add_partitions(&self, name: &str, partitions: usize) {
        let done = block_on(self.admin().create_partitions([&NewPartitions::new(name, partitions)], &options()));
        let done = done.unwrap_or_else(|error| panic!("cannot add partitions to {name}: {error}"));
        done.into_iter().for_each(|topic| {
            topic.unwrap_or_else(|(name, error)| panic!("cannot add partitions to {name}: {error}"));
        });
        self.wait_for_partitions(name, |leaders| leaders.len() == partitions && leaders.iter().all(Option::is_some));
    }

    /// Deletes a topic, and waits until no broker knows it.
    pub fn delete_topic(&self, name: &str) {
        let done = block_on(self.admin().delete_topics(&[name], &options()));
        let done = done.unwrap_or_else(|error| panic!("cannot delete topic {name}: {error}"));
        done.into_iter().for_each(|topic| {
            topic.unwrap_or_else(|(name, error)| panic!("cannot delete topic {name}: {error}"));
        });
        self.wait_for_partitions(name, <[_]>::is_empty);
    }

    /// Changes settings of a topic, keeps its others, and waits until a broker shows the change.
    pub fn alter_topic_config(&self, name: &str, configs: &[(&str, &str)]) {
        self.alter_topic(name, configs);
        self.wait_for_config(name, configs);
    }

    /// The settings that were given to this topic itself.
    pub fn topic_config(&self, name: &str) -> BTreeMap<String, String> {
        let described = block_on(self.admin().describe_configs([&ResourceSpecifier::Topic(name)], &options()));
        let described = described.unwrap_or_else(|error| panic!("cannot describe topic {name}: {error}"));
        let described = described.into_iter().map(|topic| match topic {
            Ok(topic) => topic.entries,
            Err(error) => panic!("cannot describe topic {name}: {error}"),
        });
        let own = described.flatten().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        own.filter_map(|entry| Some((entry.name, entry.value?))).collect()
    }

    /// The number of partitions; 0 if there is no such topic.
    pub fn partitions(&self, topic: &str) -> i32 {
        i32::try_from(self.leaders(topic).len()).unwrap_or(i32::MAX)
    }

    /// The node id of a partition's leader, `None` while it has none.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let index = usize::try_from(partition).ok()?;
        self.leaders(topic).get(index).copied().flatten()
    }

    /// The node ids of a partition's replicas, the preferred leader first.
    pub fn replicas(&self, topic: &str, partition: i32) -> Vec<i32> {
        self.of_partition(topic, partition, |found| found.replicas().to_vec())
    }

    /// The node ids of those replicas of a partition that are in sync.
    pub fn in_sync(&self, topic: &str, partition: i32) -> Vec<i32> {
        self.of_partition(topic, partition, |found| found.isr().to_vec())
    }

    fn of_partition(&self, topic: &str, partition: i32, read: impl Fn(&MetadataPartition) -> Vec<i32>) -> Vec<i32> {
        let metadata = self.metadata(topic);
        let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        partitions.find(|found| found.id() == partition).map(read).unwrap_or_default()
    }

    /// Waits until every replica of every partition is in sync, for example after a broker came back.
    ///
    /// # Panics
    /// If that takes longer than `within`.
    pub fn wait_for_replicas(&self, topic: &str, within: Duration) {
        let limit = Instant::now() + within;
        while !self.is_in_sync(topic) {
            assert!(Instant::now() < limit, "replicas of {topic} are not in sync after {within:?}");
            thread::sleep(PAUSE);
        }
    }

    /// Whether every broker is there and every replica of every topic, Kafka's own too, is in sync.
    pub fn is_whole(&self) -> bool {
        let Ok(metadata) = self.admin().inner().fetch_metadata(None, ANSWER) else { return false };
        let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let is_led = |leader: i32| metadata.brokers().iter().any(|broker| broker.id() == leader);
        metadata.brokers().len() == self.brokers().len()
            && partitions
                .all(|partition| is_led(partition.leader()) && partition.isr().len() == partition.replicas().len())
    }

    fn is_in_sync(&self, topic: &str) -> bool {
        let metadata = self.metadata(topic);
        let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        partitions.all(|partition| partition.isr().len() == partition.replicas().len())
    }

    fn metadata(&self, topic: &str) -> Metadata {
        let limit = Instant::now() + LIMIT;
        loop {
            match self.admin().inner().fetch_metadata(Some(topic), ANSWER) {
                Ok(metadata) => return metadata,
                // It may have asked a broker that is dead or frozen; the next one asked may be another.
                Err(error) => assert!(Instant::now() < limit, "no metadata of topic {topic}: {error}"),
            }
        }
    }

    /// The leaders of all partitions.
    fn leaders(&self, topic: &str) -> Vec<Option<i32>> {
        let metadata = self.metadata(topic);
        let partitions = metadata.topics().iter().filter(|found| found.name() == topic && found.error().is_none());
        let partitions = partitions.flat_map(|topic| topic.partitions());
        let leaders: BTreeMap<i32, Option<i32>> =
            partitions.map(|partition| (partition.id(), Some(partition.leader()).filter(|id| *id >= 0))).collect();
        leaders.into_values().collect()
    }

    /// Brokers learn of settings some time after the controller has answered.
    fn wait_for_config(&self, topic: &str, configs: &[(&str, &str)]) {
        let limit = Instant::now() + LIMIT;
        let is_shown = |shown: &BTreeMap<String, String>| {
            configs.iter().all(|(name, value)| shown.get(*name).is_some_and(|shown| shown == value))
        };
        while !configs.is_empty() && !is_shown(&self.topic_config(topic)) {
            assert!(Instant::now() < limit, "topic {topic} does not show {configs:?} after {LIMIT:?}");
            thread::sleep(PAUSE);
        }
    }

    fn wait_for_partitions(&self, topic: &str, is_so: impl Fn(&[Option<i32>]) -> bool) {
        let limit = Instant::now() + LIMIT;
        loop {
            let leaders = self.leaders(topic);
            if is_so(&leaders) {
                return;
            }
            assert!(Instant::now() < limit, "topic {topic} still has the leaders {leaders:?} after {LIMIT:?}");
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn admin(&self) -> &AdminClient<DefaultClientContext> {
        self.admin.get_or_init(|| self.own_client_config().create().expect("a client of a cluster that answers"))
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(Timeout::After(LIMIT))).operation_timeout(Some(Timeout::After(LIMIT)))
}
