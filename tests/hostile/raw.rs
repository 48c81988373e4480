//! Records in bytes, written and read by Kafka's own protocol: no client library writes a header name that is not UTF-8
//! or a record without a time, and what retrial wrote through librdkafka is better read by something else.

use retrial_kafka_for_tests::{Kafka, RawRecord};

/// Names and values, in order.
pub(crate) type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A record in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    /// Where it was read.
    pub(crate) partition: i32,
    /// Where it was read.
    pub(crate) offset: i64,
    /// In milliseconds since 1970; −1 for none.
    pub(crate) time: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) headers: Headers,
}

impl Raw {
    /// A record of now.
    pub(crate) fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { time: now(), body: Some(body.into()), ..Self::default() }
    }

    pub(crate) fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(crate) fn header(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    pub(crate) fn null_header(mut self, name: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), None));
        self
    }

    pub(crate) fn at(mut self, time: i64) -> Self {
        self.time = time;
        self
    }

    /// The value of the last header of this name, as text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().rev().find(|(own, _)| own == name.as_bytes())?;
        found.1.as_deref().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Bytes of a batch that has this record alone.
    pub(crate) fn batch_bytes(&self) -> usize {
        RawRecord::batch_bytes(&[self.native()])
    }

    /// As the protocol takes it.
    pub(crate) fn native(&self) -> RawRecord {
        let Self { time, key, body, headers, .. } = self.clone();
        RawRecord { timestamp: time, key, value: body, headers }
    }
}

pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a clock before the year 292 million")
}

/// Appends records to a partition, in one batch. Returns the offset of the first.
pub(crate) fn append(kafka: &Kafka, topic: &str, partition: i32, records: &[Raw]) -> i64 {
    let records: Vec<RawRecord> = records.iter().map(Raw::native).collect();
    kafka.produce_raw(topic, partition, &records)[0].offset
}

/// Everything in a topic by now, by partition and offset.
pub(crate) fn read(kafka: &Kafka, topic: &str) -> Vec<Raw> {
    let of = |partition| kafka.read_raw(topic, partition).into_iter();
    let all = (0..kafka.partitions(topic)).flat_map(of);
    let raw = all.map(|(position, RawRecord { timestamp, key, value, headers })| Raw {
        partition: position.partition,
        offset: position.offset,
        time: timestamp,
        key,
        body: value,
        headers,
    });
    raw.collect()
}
