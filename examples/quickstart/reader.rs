//! The second reader: a consumer of its own, which reads whole topics and asks what the group has committed.

use crate::place::Place;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(10);

/// One topic as it is at the end.
pub(crate) struct Book {
    pub(crate) topic: String,
    /// What lies in it now. (On a real Kafka, finished records of a tier are deleted after a while.)
    pub(crate) entries: Vec<Entry>,
    /// How many records were ever written to it.
    pub(crate) written: u64,
}

/// One record.
pub(crate) struct Entry {
    /// `topic/partition/offset`.
    pub(crate) place: String,
    pub(crate) body: Vec<u8>,
    /// Whether the group has finished it: a committed offset says that everything before it is.
    pub(crate) is_finished: bool,
    headers: BTreeMap<String, String>,
}

impl Entry {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn new(message: &BorrowedMessage<'_>, committed: i64) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        Self {
            place: format!("{}/{}/{}", message.topic(), message.partition(), message.offset()),
            body: message.payload().unwrap_or_default().to_vec(),
            is_finished: message.offset() < committed,
            headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
        }
    }
}

pub(crate) struct Reader(BaseConsumer);

impl Reader {
    /// It names the group to see its offsets, and never joins it.
    pub(crate) fn new(place: &Place) -> Result<Self, KafkaError> {
        let mut config = place.client();
        config.set("group.id", &place.group).set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        Ok(Self(config.create()?))
    }

    /// Reads a topic from its first record to its last.
    pub(crate) fn read(&self, topic: String) -> Result<Book, Box<dyn Error + Send + Sync>> {
        let metadata = self.0.fetch_metadata(Some(&topic), LIMIT)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let mut from = TopicPartitionList::new();
        for partition in partitions {
            from.add_partition_offset(&topic, partition.id(), Offset::Beginning)?;
        }
        let (mut committed, mut written) = (BTreeMap::new(), 0);
        for partition in self.0.committed_offsets(from.clone(), LIMIT)?.elements() {
            // What is finished out of order stands beside the offset (`r1r…`). Nothing is, after a service left well.
            if partition.metadata().starts_with("r1r") {
                return Err(format!("{topic}: the service has not left well").into());
            }
            written += self.0.fetch_watermarks(&topic, partition.partition(), LIMIT)?.1.unsigned_abs();
            committed.insert(partition.partition(), partition.offset().to_raw().unwrap_or(-1));
        }
        let entries = self.entries(&from, &committed)?;
        Ok(Book { topic, entries, written })
    }

    fn entries(
        &self,
        from: &TopicPartitionList,
        committed: &BTreeMap<i32, i64>,
    ) -> Result<Vec<Entry>, Box<dyn Error + Send + Sync>> {
        let mut open: BTreeSet<i32> = committed.keys().copied().collect();
        let mut entries = Vec::new();
        self.0.assign(from)?;
        let until = Instant::now() + LIMIT;
        while !open.is_empty() {
            let left = until.checked_duration_since(Instant::now()).ok_or("the topics could not be read in time")?;
            match self.0.poll(left) {
                Some(Ok(message)) => entries.push(Entry::new(&message, committed[&message.partition()])),
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
        }
        self.0.unassign()?;
        Ok(entries)
    }
}
