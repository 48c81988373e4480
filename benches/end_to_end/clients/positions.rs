//! What a reference commits: the place after the last record that it took, whatever became of that.

use super::COMMIT;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
};
use std::time::Instant;

/// The next offset of each partition of a topic.
pub(super) struct Positions {
    topic: String,
    next: Vec<Option<i64>>,
    moved: bool,
    committed: Instant,
}

impl Positions {
    pub(super) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), next: Vec::new(), moved: false, committed: Instant::now() }
    }

    /// Took a record.
    pub(super) fn took(&mut self, partition: i32, offset: i64) {
        let partition = partition.unsigned_abs() as usize;
        if partition >= self.next.len() {
            self.next.resize(partition + 1, None);
        }
        self.next[partition] = Some(offset + 1);
        self.moved = true;
    }

    /// Commits when it is time.
    pub(super) fn commit_in_time<C: Consumer>(&mut self, consumer: &C) {
        if self.moved && self.committed.elapsed() >= COMMIT {
            self.commit(consumer, CommitMode::Async);
        }
    }

    /// The last commit.
    pub(super) fn finish<C: Consumer>(&mut self, consumer: &C) {
        if self.moved {
            self.commit(consumer, CommitMode::Sync);
        }
    }

    fn commit<C: Consumer>(&mut self, consumer: &C, mode: CommitMode) {
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in (0..).zip(&self.next) {
            if let Some(next) = next {
                let added = offsets.add_partition_offset(&self.topic, partition, Offset::Offset(*next));
                added.expect("an offset from 0 on");
            }
        }
        consumer.commit(&offsets, mode).expect("a group that takes commits");
        (self.moved, self.committed) = (false, Instant::now());
    }
}
