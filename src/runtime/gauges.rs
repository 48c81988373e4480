//! The levels: what is set about once a second, from a picture of the engine, and shown on the board.

use super::board::{Board, Shown, ShownPartition};
use crate::{
    metrics::{
        reference::{NEXT_DUE, OLDEST_UNFINISHED, PARTITIONS},
        seconds, tier_label,
    },
    record::Batch,
};
use metrics::Gauge;
use retrial_core::{
    engine::{PartitionStanding, Standing},
    event::HoldReason,
    id::Slot,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How often levels are set.
const EVERY: Duration = Duration::from_secs(1);

/// Batches whose first record is remembered, per partition. Beyond, every second one is forgotten.
const REMEMBERED: usize = 512;

/// Sets the levels of one group member.
pub(super) struct Gauges {
    board: Arc<Board>,
    next: Timestamp,
    held: HashMap<Slot, Seen>,
    tiers: BTreeMap<Duration, Gauge>,
    topics: BTreeMap<Arc<str>, Gauge>,
}

/// What is known of one assigned partition besides the engine's picture.
struct Seen {
    topic: Arc<str>,
    partition: i32,
    /// First offset of batches that were read, with its timestamp, in order.
    batches: VecDeque<(i64, Timestamp)>,
    oldest: Option<Gauge>,
}

impl Seen {
    /// The timestamp of the batch in which the watermark is; `None` where all that was read is finished.
    fn oldest(&mut self, standing: &PartitionStanding) -> Option<Timestamp> {
        while self.batches.get(1).is_some_and(|(first, _)| *first <= standing.watermark) {
            self.batches.pop_front();
        }
        self.batches.front().filter(|_| standing.unfinished > 0).map(|(_, time)| *time)
    }
}

impl Gauges {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            next: Timestamp::default(),
            held: HashMap::new(),
            tiers: BTreeMap::new(),
            topics: BTreeMap::new(),
        }
    }

    /// A partition was assigned.
    pub(super) fn owned(&mut self, slot: Slot, topic: &Arc<str>, partition: i32, is_source: bool) {
        let oldest = is_source.then(|| OLDEST_UNFINISHED.gauge([topic, &partition.to_string()]));
        self.held.insert(slot, Seen { topic: Arc::clone(topic), partition, batches: VecDeque::new(), oldest });
    }

    /// Records of a partition were read.
    pub(super) fn arrived(&mut self, slot: Slot, batch: &Arc<Batch>) {
        let (Some(seen), Some(first)) = (self.held.get_mut(&slot), batch.records().next()) else { return };
        if seen.batches.back().is_some_and(|(last, _)| *last >= first.offset()) {
            // Begun again at an earlier place.
            seen.batches.clear();
        }
        if seen.batches.len() >= REMEMBERED {
            let mut keep = false;
            seen.batches.retain(|_| {
                keep = !keep;
                keep
            });
        }
        seen.batches.push_back((first.offset(), first.timestamp()));
    }

    /// A partition was given up: its levels are somebody else's now.
    pub(super) fn released(&mut self, slot: Slot) {
        if let Some(Seen { oldest: Some(oldest), .. }) = self.held.remove(&slot) {
            oldest.set(f64::NAN);
        }
    }

    /// The loop turned. True if it is time for the levels.
    pub(super) fn turned(&mut self, now: Timestamp) -> bool {
        self.board.turned(now);
        let due = now >= self.next;
        if due {
            self.next = now.after(EVERY);
        }
        due
    }

    /// Sets levels, and shows where everything stands.
    pub(super) fn set(&mut self, now: Timestamp, standing: Standing, held: &[(Slot, HoldReason)], rest: Shown) {
        let (mut due, mut counts) =
            (BTreeMap::<Duration, Option<Timestamp>>::new(), BTreeMap::<Arc<str>, usize>::new());
        let mut partitions = Vec::with_capacity(standing.partitions.len());
        for standing in standing.partitions {
            let Some(seen) = self.held.get_mut(&standing.slot) else { continue };
            let oldest = seen.oldest(&standing);
            // Of what waits unread nothing is known: its age grows from when it was last known.
            if let Some(gauge) =
                seen.oldest.as_ref().filter(|_| oldest.is_some() || !self.board.is_behind(&seen.topic, seen.partition))
            {
                gauge.set(seconds(oldest.unwrap_or(now)));
            }
            if let Some(tier) = standing.tier {
                let next = due.entry(tier).or_default();
                *next = [*next, standing.opens].into_iter().flatten().min();
            }
            *counts.entry(Arc::clone(&seen.topic)).or_default() += 1;
            let why = held.iter().filter(|(slot, _)| *slot == standing.slot).map(|(_, why)| *why).collect();
            let (topic, partition) = (Arc::clone(&seen.topic), seen.partition);
            partitions.push(ShownPartition { topic, partition, standing, oldest, held: why });
        }
        for (tier, next) in due {
            let gauge = self.tiers.entry(tier).or_insert_with(|| NEXT_DUE.gauge([&tier_label(tier)]));
            gauge.set(next.map_or(f64::NAN, seconds));
        }
        for (topic, gauge) in &self.topics {
            gauge.set(counts.remove(topic).unwrap_or_default() as f64);
        }
        for (topic, count) in counts {
            let gauge = PARTITIONS.gauge([&topic]);
            gauge.set(count as f64);
            self.topics.insert(topic, gauge);
        }
        self.board.show(Shown { at: now, partitions, leased: standing.leased, ..rest });
    }
}

impl Drop for Gauges {
    fn drop(&mut self) {
        self.held.values().filter_map(|seen| seen.oldest.as_ref()).for_each(|gauge| gauge.set(f64::NAN));
        self.tiers.values().for_each(|gauge| gauge.set(f64::NAN));
        self.topics.values().for_each(|gauge| gauge.set(0.0));
        self.board.show(Shown::default());
    }
}
