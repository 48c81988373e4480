//! Reading topics, as a consumer without a group.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _},
};

use crate::{Kafka, Position, TestRecord, unsettled::until_settled};

const LIMIT: Duration = Duration::from_secs(60);

impl Kafka {
    /// Everything in a topic, to its end at the time of the call, by partition and offset. Records of aborted or open
    /// transactions are left out. Names of headers must be text here: [`read_raw`](Self::read_raw) takes any.
    pub fn read(&self, topic: &str) -> Vec<TestRecord> {
        let mut records = Vec::new();
        let mut open: BTreeSet<i32> = (0..self.partitions(topic)).collect();
        let consumer = self.reader(topic);
        self.poll(&consumer, topic, LIMIT, |event| {
            match event {
                Event::Record(record) => records.push(record),
                Event::End(partition) => drop(open.remove(&partition)),
            }
            open.is_empty()
        });
        assert!(open.is_empty(), "partitions {open:?} of {topic} not read to their end in {LIMIT:?}");
        records.sort_by_key(TestRecord::position);
        records
    }

    /// How many records [`read`](Self::read) would return.
    pub fn count(&self, topic: &str) -> usize {
        self.read(topic).len()
    }

    /// Reads a topic from its start until `is_enough` of what was read so far, and waits for what is not there yet.
    ///
    /// # Panics
    /// If that takes longer than `within`, with the number of records read.
    pub fn read_until(
        &self,
        topic: &str,
        within: Duration,
        is_enough: impl Fn(&[TestRecord]) -> bool,
    ) -> Vec<TestRecord> {
        let mut records = Vec::new();
        if is_enough(&records) {
            return records;
        }
        let consumer = self.reader(topic);
        let enough = self.poll(&consumer, topic, within, |event| match event {
            Event::Record(record) => {
                records.push(record);
                is_enough(&records)
            }
            Event::End(_) => false,
        });
        assert!(enough, "only {} records of {topic} after {within:?}, and that was not enough", records.len());
        records
    }

    /// The lowest offset and the one past the highest, of each partition.
    pub fn offsets(&self, topic: &str) -> BTreeMap<i32, (i64, i64)> {
        let client = self.admin().inner();
        let partitions = (0..self.partitions(topic)).map(|partition| {
            let range = until_settled(|| client.fetch_watermarks(topic, partition, LIMIT));
            (partition, range.unwrap_or_else(|error| panic!("no offsets of {topic}/{partition}: {error}")))
        });
        partitions.collect()
    }

    fn reader(&self, topic: &str) -> BaseConsumer {
        let mut config = self.own_client_config();
        config
            // The client wants a group's name, and never joins it.
            .set("group.id", "retrial-kafka-for-tests")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50");
        let consumer: BaseConsumer = config.create().expect("a consumer of a cluster that answers");
        let mut partitions = TopicPartitionList::new();
        for partition in 0..self.partitions(topic) {
            let added = partitions.add_partition_offset(topic, partition, Offset::Beginning);
            added.expect("the beginning is an offset");
        }
        assert!(partitions.count() > 0, "there is no topic {topic}");
        // A client that is assigned a partition whose leader it does not know yet tries again after half a second.
        let _ = consumer.fetch_metadata(Some(topic), LIMIT);
        consumer.assign(&partitions).unwrap_or_else(|error| panic!("cannot read {topic}: {error}"));
        consumer
    }

    /// Passes events on until one of them was the last (`true`) or the time is over.
    fn poll(
        &self,
        consumer: &BaseConsumer,
        topic: &str,
        within: Duration,
        mut is_last: impl FnMut(Event) -> bool,
    ) -> bool {
        let limit = Instant::now() + within;
        while let Some(left) = limit.checked_duration_since(Instant::now()) {
            let event = match consumer.poll(left) {
                None => continue,
                Some(Ok(message)) => Event::Record(read(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => Event::End(partition),
                // A broker is away: the client tries again by itself.
                Some(Err(error)) if is_transient(&error) => continue,
                Some(Err(error)) => panic!("cannot read {topic}: {error}"),
            };
            if is_last(event) {
                return true;
            }
        }
        false
    }
}

enum Event {
    Record(TestRecord),
    End(i32),
}

fn is_transient(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve))
}

fn read(message: &BorrowedMessage<'_>) -> TestRecord {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    TestRecord {
        position: Some(Position { partition: message.partition(), offset: message.offset() }),
        partition: None,
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}
