//! A record as handlers see it, and the batch it came in.
//!
//! One fetch of one partition is copied once, into one buffer; a [`Record`] is a reference to that batch and a
//! position in it. So a record costs no allocation of its own, and none of them pins a fetch buffer of the client
//! library. The bytes of a batch count against the service's memory budget until the last record of it is dropped,
//! which is why batches are small ([`BATCH_BYTES`]).

use bytes::Bytes;
use retrial_core::{history::SourceTime, time::Timestamp};
use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A batch is closed when its buffer reaches this size, in bytes; only a single larger record makes a larger one.
pub(crate) const BATCH_BYTES: usize = 64 * 1024;

/// What a record costs where it waits its turn, in bytes: its place in a queue or a lane, in which some places are free.
const WORK_BYTES: usize = 96;

/// Bytes held by batches that are still referred to. Shared by everything that makes batches for one service.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicUsize);

impl Meter {
    /// Bytes held now.
    pub(crate) fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Header {
    name: Range<u32>,
    value: Option<Range<u32>>,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    leader_epoch: i32,
    time: SourceTime,
    key: Option<Range<u32>>,
    body: Option<Range<u32>>,
    headers: Range<u32>,
}

/// Records of one partition that were read together.
#[derive(Debug)]
pub(crate) struct Batch {
    topic: Arc<str>,
    partition: i32,
    buffer: Bytes,
    entries: Vec<Entry>,
    headers: Vec<Header>,
    meter: Arc<Meter>,
    charged: AtomicUsize,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.meter.0.fetch_sub(*self.charged.get_mut(), Ordering::Relaxed);
    }
}

impl Batch {
    /// How many records it has; at least one.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Charges the meter with this many bytes more for each record, for as long as the batch lives: for what is kept
    /// beside it.
    pub(crate) fn charge_for_each(&self, bytes: usize) {
        let more = self.len() * bytes;
        self.charged.fetch_add(more, Ordering::Relaxed);
        self.meter.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The records of this batch, in order.
    pub(crate) fn records(self: &Arc<Self>) -> impl ExactSizeIterator<Item = Record> + '_ {
        (0..self.entries.len() as u32).map(|index| Record { batch: Arc::clone(self), index })
    }
}

/// Fills one batch, record by record.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    topic: Arc<str>,
    partition: i32,
    buffer: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<Header>,
    meter: Arc<Meter>,
}

/// The parts of a record that have no variable length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// Its offset.
    pub(crate) offset: i64,
    /// Leader epoch of its batch, or −1.
    pub(crate) leader_epoch: i32,
    /// Its timestamp.
    pub(crate) time: SourceTime,
}

impl BatchBuilder {
    /// An empty batch of one partition, with room for about `records` of them.
    pub(crate) fn new(topic: Arc<str>, partition: i32, records: usize, meter: Arc<Meter>) -> Self {
        let entries = Vec::with_capacity(records);
        Self { topic, partition, buffer: Vec::new(), entries, headers: Vec::new(), meter }
    }

    /// Makes room for this many bytes of keys, bodies and headers, so that the buffer need not grow.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.buffer.reserve_exact(bytes);
    }

    /// Adds a record. Its bytes are copied.
    pub(crate) fn push<'a>(
        &mut self,
        position: Position,
        key: Option<&[u8]>,
        body: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) {
        let key = key.map(|key| self.copy(key));
        let body = body.map(|body| self.copy(body));
        let first = self.headers.len() as u32;
        for (name, value) in headers {
            let name = self.copy(name);
            let value = value.map(|value| self.copy(value));
            self.headers.push(Header { name, value });
        }
        let headers = first..self.headers.len() as u32;
        let Position { offset, leader_epoch, time } = position;
        self.entries.push(Entry { offset, leader_epoch, time, key, body, headers });
    }

    /// Kafka's records are below 2 GiB each and a batch is closed at [`BATCH_BYTES`], so positions fit `u32`.
    fn copy(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.buffer.len() as u32;
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len() as u32
    }

    /// Whether the batch should be closed.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= BATCH_BYTES
    }

    /// How many records it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Closes the batch and charges its memory to the meter.
    pub(crate) fn finish(self) -> Arc<Batch> {
        let Self { topic, partition, buffer, entries, headers, meter } = self;
        let charged = buffer.capacity()
            + entries.capacity() * (size_of::<Entry>() + WORK_BYTES)
            + headers.capacity() * size_of::<Header>()
            + size_of::<Batch>();
        meter.0.fetch_add(charged, Ordering::Relaxed);
        let charged = charged.into();
        Arc::new(Batch { topic, partition, buffer: buffer.into(), entries, headers, meter, charged })
    }
}

/// One record of a Kafka topic: key, body, headers, and where it stood.
///
/// Cheap to clone. While one lives, the batch it was read in (64 KiB, or the record itself if larger) stays in
/// memory and counts against the service's budget.
#[derive(Clone)]
pub struct Record {
    batch: Arc<Batch>,
    index: u32,
}

impl Record {
    fn entry(&self) -> &Entry {
        &self.batch.entries[self.index as usize]
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.batch.buffer[range.start as usize..range.end as usize]
    }

    /// The topic it was read from: a source topic, or a tier of the group for a retry.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.batch.topic
    }

    /// The topic's name, shared.
    pub(crate) fn topic_shared(&self) -> &Arc<str> {
        &self.batch.topic
    }

    /// The partition it was read from.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.batch.partition
    }

    /// Its offset there.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.entry().offset
    }

    /// Leader epoch of its batch, or −1 where the broker does not tell.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.entry().leader_epoch
    }

    /// Its timestamp where it was read, with what the timestamp means.
    #[must_use]
    pub fn time(&self) -> SourceTime {
        self.entry().time
    }

    /// Its timestamp in milliseconds, zero if it has none.
    pub(crate) fn timestamp(&self) -> Timestamp {
        self.time().timestamp().unwrap_or_default()
    }

    /// The key; `None` for a null key, which is not the same as an empty one.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.entry().key.as_ref().map(|range| self.slice(range))
    }

    /// The key without a copy. It keeps the batch's buffer in memory while it lives.
    #[must_use]
    pub fn key_bytes(&self) -> Option<Bytes> {
        let range = self.entry().key.as_ref()?;
        Some(self.batch.buffer.slice(range.start as usize..range.end as usize))
    }

    /// The body; `None` for a null body (a tombstone), which is not the same as an empty one.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.entry().body.as_ref().map(|range| self.slice(range))
    }

    /// The body without a copy. It keeps the batch's buffer in memory while it lives.
    #[must_use]
    pub fn body_bytes(&self) -> Option<Bytes> {
        let range = self.entry().body.as_ref()?;
        Some(self.batch.buffer.slice(range.start as usize..range.end as usize))
    }

    /// Name and value of every header in order, as bytes: neither need be UTF-8, and a value may be null.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> + '_ {
        let range = &self.entry().headers;
        let headers = &self.batch.headers[range.start as usize..range.end as usize];
        headers.iter().map(|header| (self.slice(&header.name), header.value.as_ref().map(|range| self.slice(range))))
    }

    /// Bytes of key, body and headers.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
        self.key().map_or(0, <[u8]>::len) + self.body().map_or(0, <[u8]>::len) + headers
    }
}

impl fmt::Debug for Record {
    /// Where it is and how large; never what is in it, since logs must not leak payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}/{}/{}, {} bytes)", self.topic(), self.partition(), self.offset(), self.size())
    }
}

impl retrial_core::event::Payload for Record {
    fn time(&self) -> SourceTime {
        self.entry().time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_charged_with_what_is_kept_beside_it_until_its_last_record_is_gone() {
        let meter = Arc::new(Meter::default());
        let mut batch = BatchBuilder::new("billing.retry.5s".into(), 0, 2, Arc::clone(&meter));
        for offset in 0..2 {
            let position = Position { offset, leader_epoch: 0, time: SourceTime::None };
            batch.push(position, Some(b"key"), None, std::iter::empty());
        }
        let batch = batch.finish();
        let alone = meter.held();
        assert!(alone >= 2 * WORK_BYTES, "{alone}");
        batch.charge_for_each(640);
        assert_eq!(meter.held(), alone + 2 * 640);
        let record = batch.records().next();
        drop(batch);
        assert_eq!(meter.held(), alone + 2 * 640);
        drop(record);
        assert_eq!(meter.held(), 0);
    }
}
