//! Who was handled, and how often: the check that all clients do for each record.
//!
//! A bit for each record; and sums, which every thread keeps in a cache line of its own.

use crate::body;
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

const SHARDS: usize = 64;

/// See the module's header.
pub(crate) struct Tally {
    records: u64,
    seen: Box<[AtomicU64]>,
    shards: [Shard; SHARDS],
}

/// Written by one thread only, so that it needs no locked instruction.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    first: AtomicU64,
    again: AtomicU64,
    foreign: AtomicU64,
    warm: AtomicU64,
    sum: AtomicU64,
}

fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}

impl Tally {
    /// For the numbers below `records`. It lives as long as its process, which has no other.
    pub(crate) fn of(records: u64) -> &'static Self {
        let words = usize::try_from(records.div_ceil(64)).expect("as many records as fit into memory");
        let seen = (0..words).map(|_| AtomicU64::new(0)).collect();
        Box::leak(Box::new(Self { records, seen, shards: std::array::from_fn(|_| Shard::default()) }))
    }

    /// Reads a body and ticks its number off.
    pub(crate) fn handle(&self, body: &[u8]) {
        let number = body::number(body).unwrap_or(self.records);
        self.tick(number, body::checksum(body));
    }

    /// Ticks a number off whose body had this checksum.
    pub(crate) fn tick(&self, number: u64, checksum: u64) {
        let shard = &self.shards[shard()];
        if number >= self.records {
            return add(if number == body::WARM_UP { &shard.warm } else { &shard.foreign }, 1);
        }
        let bit = 1 << (number % 64);
        let before = self.seen[(number / 64) as usize].fetch_or(bit, Relaxed);
        add(&shard.sum, checksum);
        add(if before & bit == 0 { &shard.first } else { &shard.again }, 1);
    }

    fn sum(&self, of: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        self.shards.iter().map(|shard| of(shard).load(Relaxed)).fold(0, u64::wrapping_add)
    }

    /// Records handled until now, each counted once.
    pub(crate) fn handled(&self) -> u64 {
        self.sum(|shard| &shard.first)
    }

    /// Whether any record was handled, also one that only wakes up.
    pub(crate) fn is_awake(&self) -> bool {
        self.handled() + self.sum(|shard| &shard.warm) > 0
    }

    /// Times that a record was handled after the first.
    pub(crate) fn repeated(&self) -> u64 {
        self.sum(|shard| &shard.again) + self.sum(|shard| &shard.foreign)
    }

    /// Records that were not handled.
    pub(crate) fn missing(&self) -> u64 {
        self.records - self.seen.iter().map(|word| u64::from(word.load(Relaxed).count_ones())).sum::<u64>()
    }

    /// All bodies' checksums together.
    pub(crate) fn checksum(&self) -> u64 {
        self.sum(|shard| &shard.sum)
    }
}

/// The shard of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: Cell<usize> = const { Cell::new(usize::MAX) });
    OWN.with(|own| {
        if own.get() == usize::MAX {
            own.set(NEXT.fetch_add(1, Relaxed));
            assert!(own.get() < SHARDS, "a client with more than {SHARDS} threads");
        }
        own.get()
    })
}
