//! The log of one partition: records with offsets and leader epochs, and everything that makes holes in it.
//!
//! Offsets grow and are never used twice within one leader epoch. What is gone (retention, compaction, markers of
//! transactions, truncation) leaves no trace in the log itself, as in Kafka.

use bytes::Bytes;
use retrial_core::{event::LogRange, history::SourceTime};
use std::{collections::VecDeque, rc::Rc};

/// What a producer hands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The key; `None` for a null key.
    pub(crate) key: Option<Bytes>,
    /// The body; `None` for a tombstone.
    pub(crate) body: Option<Bytes>,
    /// Name and value of every header, in order.
    pub(crate) headers: Vec<(Bytes, Option<Bytes>)>,
}

impl Message {
    /// A message with key and body.
    pub(crate) fn new(key: impl Into<Bytes>, body: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), body: Some(body.into()), headers: Vec::new() }
    }

    /// Bytes of key, body and headers.
    pub(crate) fn size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + length(value)).sum();
        length(&self.key) + length(&self.body) + headers
    }
}

/// A message that was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its offset.
    pub(crate) offset: i64,
    /// The leader epoch it was appended in.
    pub(crate) epoch: i32,
    /// Its timestamp.
    pub(crate) time: SourceTime,
    /// What the producer handed in.
    pub(crate) message: Message,
}

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct PartitionLog {
    start: i64,
    end: i64,
    records: VecDeque<Rc<Stored>>,
    /// Every leader epoch that has records here, with its first offset; the last one is the current one.
    epochs: Vec<(i32, i64)>,
    /// Offsets were used up since the last record.
    skipped: bool,
    /// Whether that was so when the last record came.
    gap: bool,
}

impl PartitionLog {
    /// An empty log in epoch 0.
    pub(crate) fn new() -> Self {
        Self { start: 0, end: 0, records: VecDeque::new(), epochs: vec![(0, 0)], skipped: false, gap: false }
    }

    /// First and next offset.
    pub(crate) const fn range(&self) -> LogRange {
        LogRange { start: self.start, end: self.end }
    }

    fn epoch(&self) -> i32 {
        self.epochs.last().map_or(0, |&(epoch, _)| epoch)
    }

    fn index(&self, offset: i64) -> usize {
        self.records.partition_point(|record| record.offset < offset)
    }

    /// Appends one message.
    pub(crate) fn append(&mut self, time: SourceTime, message: Message) -> Rc<Stored> {
        let record = Rc::new(Stored { offset: self.end, epoch: self.epoch(), time, message });
        self.records.push_back(Rc::clone(&record));
        self.end += 1;
        self.gap = std::mem::take(&mut self.skipped);
        record
    }

    /// Uses up offsets without a record, as the markers of transactions do.
    pub(crate) const fn skip(&mut self, offsets: i64) {
        self.end += offsets;
        self.skipped = true;
    }

    /// Whether there are offsets without a record right before the last one.
    pub(crate) const fn was_skipped(&mut self) -> bool {
        self.gap
    }

    /// Records from an offset on, at most this many.
    pub(crate) fn read(&self, from: i64, limit: usize) -> impl Iterator<Item = &Rc<Stored>> {
        self.records.iter().skip(self.index(from)).take(limit)
    }

    /// Every record that still exists.
    pub(crate) fn records(&self) -> impl ExactSizeIterator<Item = &Rc<Stored>> {
        self.records.iter()
    }

    /// Takes out one record, as compaction does. The offset stays unused.
    pub(crate) fn compact(&mut self, offset: i64) -> Option<Rc<Stored>> {
        let index = self.index(offset);
        if self.records.get(index)?.offset != offset {
            return None;
        }
        self.records.remove(index)
    }

    /// Deletes everything below an offset (retention, DeleteRecords) and returns what was deleted.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Vec<Rc<Stored>> {
        self.start = offset.clamp(self.start, self.end);
        let gone = self.index(self.start);
        self.records.drain(..gone).collect()
    }

    /// A leader that had only the records below `to` takes over: the rest is gone, and its offsets will be used
    /// again in the next epoch. Returns what is gone.
    pub(crate) fn elect_uncleanly(&mut self, to: i64) -> Vec<Rc<Stored>> {
        let next = self.epoch() + 1;
        self.end = to.clamp(self.start, self.end);
        self.epochs.retain(|&(_, first)| first < self.end);
        self.epochs.push((next, self.end));
        let kept = self.index(self.end);
        self.records.drain(kept..).collect()
    }

    /// Another replica takes over, which has everything.
    #[cfg(test)]
    pub(crate) fn elect(&mut self) {
        self.elect_uncleanly(self.end);
    }

    /// The leader epoch in which an offset was used, for a record or without one.
    pub(crate) fn epoch_of(&self, offset: i64) -> Option<i32> {
        self.epochs.iter().rev().find(|&&(_, first)| first <= offset).map(|&(epoch, _)| epoch)
    }

    /// Where this log parts from what a reader knows, who stands at `position` and whose last record was of
    /// `epoch`: the answer of OffsetForLeaderEpoch (KIP-320), if it lies before the position.
    pub(crate) fn divergence(&self, position: i64, epoch: i32) -> Option<i64> {
        if epoch < 0 {
            return None;
        }
        let later = self.epochs.iter().find(|&&(other, _)| other > epoch);
        let end_of_epoch = later.map_or(self.end, |&(_, first)| first);
        (end_of_epoch < position).then_some(end_of_epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(records: i64) -> PartitionLog {
        let mut log = PartitionLog::new();
        (0..records).for_each(|_| drop(log.append(SourceTime::None, Message::default())));
        log
    }

    fn offsets(log: &PartitionLog) -> Vec<i64> {
        log.read(0, usize::MAX).map(|record| record.offset).collect()
    }

    #[test]
    fn holes_stay_holes() {
        let mut log = filled(5);
        log.skip(2);
        log.append(SourceTime::None, Message::default());
        assert!(log.compact(1).is_some() && log.compact(1).is_none() && log.compact(6).is_none());
        assert_eq!(log.delete_before(1).len(), 1);
        assert_eq!(offsets(&log), [2, 3, 4, 7]);
        assert_eq!(log.range(), LogRange { start: 1, end: 8 });
    }

    #[test]
    fn an_unclean_election_uses_offsets_again_in_a_new_epoch() {
        let mut log = filled(10);
        assert_eq!(log.elect_uncleanly(6).len(), 4);
        let again = log.append(SourceTime::None, Message::default());
        assert_eq!((again.offset, again.epoch), (6, 1));
        assert_eq!(log.divergence(10, 0), Some(6), "a reader that was at the old end is told where the logs part");
        assert_eq!(log.divergence(6, 0), None);
        assert_eq!(log.divergence(7, 1), None);
        assert_eq!(log.divergence(10, -1), None, "who knows no epoch is told nothing");
    }

    #[test]
    fn a_clean_election_loses_nothing() {
        let mut log = filled(3);
        log.elect();
        log.append(SourceTime::None, Message::default());
        assert_eq!((offsets(&log), log.divergence(3, 0), log.divergence(4, 1)), (vec![0, 1, 2, 3], None, None));
    }
}
