//! The partitions that this member holds, each in a small numbered place.
//!
//! A place is used again after its partition left; the generation never is, over all sources of the process, because
//! results of an earlier client may still be on their way when it is replaced.

use super::{ffi::Queue, pasts::TopicId, rebalance::Partition, truncation::Truncation};
use crate::clock;
use crate::record::Batch;
use retrial_core::id::Slot;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

static GENERATION: AtomicU32 = AtomicU32::new(1);

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Offered, or stopped at an offset that the log does not have: nothing is read until it is started.
    Waiting,
    /// Being read.
    Reading,
    /// Being given up.
    Revoked,
}

/// One assignment of one partition.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) slot: Slot,
    pub(super) partition: Partition,
    pub(super) queue: Queue,
    pub(super) flow: Flow,
    /// Identity of its topic, where the broker tells it.
    pub(super) topic_id: Option<TopicId>,
    /// Whether librdkafka has it in its assignment.
    pub(super) assigned: bool,
    /// Whether its position must be set by a new assignment, because librdkafka stopped it.
    pub(super) stopped: bool,
    /// How far its log was cut, until that was told.
    pub(super) cut: Option<Truncation>,
    /// Where to start, and not before when, until that was carried out.
    pub(super) wanted: Option<(i64, Instant)>,
    /// Offset and leader epoch of the last commit of the group: what a start at that offset passes on.
    pub(super) committed: Option<(i64, i32)>,
    /// The next offset to deliver; what is below came already.
    pub(super) next: i64,
    /// Records that were taken out of the queue while the partition had no room.
    pub(super) in_hand: VecDeque<Arc<Batch>>,
    /// Errors in a row.
    pub(super) errors: u32,
    /// The last error, once it was told that the partition cannot be read.
    pub(super) unreadable: Option<Instant>,
    /// Whether a failure to delete records was told.
    pub(super) trim_told: bool,
}

impl Held {
    /// A partition that was just offered.
    pub(super) fn new(slot: Slot, partition: Partition, queue: Queue, committed: Option<(i64, i32)>) -> Self {
        Self {
            slot,
            partition,
            queue,
            flow: Flow::Waiting,
            topic_id: None,
            assigned: false,
            stopped: false,
            cut: None,
            wanted: None,
            committed,
            next: 0,
            in_hand: VecDeque::new(),
            errors: 0,
            unreadable: None,
            trim_told: false,
        }
    }

    /// The leader epoch of the record before an offset, where the last commit tells it.
    pub(super) fn epoch_before(&self, offset: i64) -> i32 {
        self.committed.filter(|&(committed, _)| committed == offset).map_or(-1, |(_, epoch)| epoch)
    }
}

/// The number of an assignment: unique in this process, and larger than that of any earlier assignment of the same
/// partition to another process, as far as their clocks agree (quarters of a second since 2026; a rebalance takes
/// longer). Handlers see it as the fence of an attempt (RULES 23).
fn next_generation() -> u32 {
    const BEGIN_OF_2026: i64 = 1_767_225_600_000;
    let quarters = (clock::now().as_millis() - BEGIN_OF_2026) / 250;
    let now = u32::try_from(quarters).unwrap_or(1);
    let after = |last: u32| last.saturating_add(1).max(now);
    let last = GENERATION.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
    // It is always updated.
    after(last.unwrap_or(0))
}

/// The table of held partitions.
#[derive(Debug, Default)]
pub(super) struct Slots {
    places: Vec<Option<Held>>,
    by_partition: HashMap<Partition, u32>,
}

impl Slots {
    /// A name for an assignment that is about to begin, in the lowest free place.
    pub(super) fn next_slot(&self) -> Slot {
        let free = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        Slot { index: free as u32, generation: next_generation() }
    }

    /// Puts an assignment into its place.
    pub(super) fn put(&mut self, held: Held) {
        let index = held.slot.index;
        self.by_partition.insert(held.partition.clone(), index);
        if self.places.len() <= index as usize {
            self.places.resize_with(index as usize + 1, || None);
        }
        self.places[index as usize] = Some(held);
    }

    /// The assignment in a place.
    pub(super) fn at(&mut self, index: u32) -> Option<&mut Held> {
        self.places.get_mut(index as usize)?.as_mut()
    }

    /// The assignment, if it is still the one meant.
    pub(super) fn get(&mut self, slot: Slot) -> Option<&mut Held> {
        self.at(slot.index).filter(|held| held.slot == slot)
    }

    /// The assignment of a partition.
    pub(super) fn of(&mut self, partition: &Partition) -> Option<&mut Held> {
        let index = *self.by_partition.get(partition)?;
        self.at(index)
    }

    /// Takes an assignment out.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Held> {
        self.get(slot)?;
        let held = self.places[slot.index as usize].take()?;
        self.by_partition.remove(&held.partition);
        Some(held)
    }

    /// All assignments.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.places.iter().flatten()
    }

    /// All assignments, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.places.iter_mut().flatten()
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.by_partition.is_empty()
    }
}
