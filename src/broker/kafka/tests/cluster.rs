//! A mock cluster and its records.

use crate::broker::kafka::{ClientProperties, ffi};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
};
use std::time::Duration;

/// A cluster of one broker that lives as long as this.
pub(super) struct Cluster {
    producer: BaseProducer,
    brokers: String,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let producer: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .set("linger.ms", "0")
            .create()
            .expect("a producer with a mock cluster");
        ffi::mock::join_at_once(producer.client());
        let brokers = producer.client().mock_cluster().expect("the cluster").bootstrap_servers();
        Self { producer, brokers }
    }

    pub(super) fn with_topic(topic: &str, partitions: i32) -> Self {
        let cluster = Self::start();
        cluster.mock().create_topic(topic, partitions, 1).expect("a topic");
        cluster
    }

    pub(super) fn mock(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.producer.client().mock_cluster().expect("the cluster")
    }

    /// Properties for a member that need not wait for the usual time-outs.
    pub(super) fn properties(&self) -> ClientProperties {
        ClientProperties::new(&self.brokers)
            .set("fetch.wait.max.ms", "10")
            .set("session.timeout.ms", "6000")
            .set("reconnect.backoff.max.ms", "100")
    }

    /// The same with the group protocol of KIP-848, which rebalances faster on the mock cluster.
    pub(super) fn new_protocol(&self) -> ClientProperties {
        ClientProperties::new(&self.brokers).set("fetch.wait.max.ms", "10").set("group.protocol", "consumer")
    }

    pub(super) fn send(&self, topic: &str, partition: i32, body: &str) {
        self.send_whole(topic, partition, None, Some(body.as_bytes()), &[]);
    }

    pub(super) fn send_many(&self, topic: &str, partition: i32, count: usize) {
        for number in 0..count {
            self.queue(topic, partition, None, Some(number.to_string().as_bytes()), &[]);
        }
        self.flush();
    }

    pub(super) fn send_whole(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        body: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        self.queue(topic, partition, key, body, headers);
        self.flush();
    }

    fn queue(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        body: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition);
        record.key = key;
        record.payload = body;
        if !headers.is_empty() {
            let all = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
                let value = value.map(<[u8]>::to_vec);
                all.insert(Header { key, value: value.as_ref() })
            });
            record = record.headers(all);
        }
        self.producer.send(record).map_err(|(error, _)| error).expect("room in the producer's queue");
    }

    fn flush(&self) {
        self.producer.flush(Duration::from_secs(10)).expect("acknowledgements");
    }
}
