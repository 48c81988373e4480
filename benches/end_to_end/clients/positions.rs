//! What a reference commits: the place after the last record that it took, whatever became of that.

use crate::child::Orders;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
};
use std::time::{Duration, Instant};

/// Between two commits: as often as retrial commits under load.
const COMMIT: Duration = Duration::from_millis(20);

/// A clock costs more than a record: it is read once for so many.
const CLOCK: u64 = 64;

/// The next offset of each partition of a topic.
pub(super) struct Positions {
    topic: String,
    interval: Duration,
    next: Vec<Option<i64>>,
    taken: u64,
    moved: bool,
    committed: Instant,
}

impl Positions {
    pub(super) fn new(orders: &Orders) -> Self {
        let interval = orders.commit_millis.map_or(COMMIT, Duration::from_millis);
        let topic = orders.topic.clone();
        Self { topic, interval, next: Vec::new(), taken: 0, moved: false, committed: Instant::now() }
    }

    /// Took a record. Whether it is time to look whether a commit is due.
    pub(super) fn took(&mut self, partition: i32, offset: i64) -> bool {
        let partition = partition.unsigned_abs() as usize;
        if partition >= self.next.len() {
            self.next.resize(partition + 1, None);
        }
        self.next[partition] = Some(offset + 1);
        self.moved = true;
        self.taken += 1;
        self.taken.is_multiple_of(CLOCK)
    }

    /// Commits when it is time.
    pub(super) fn commit_in_time<C: Consumer>(&mut self, consumer: &C) {
        if self.moved && self.committed.elapsed() >= self.interval {
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
