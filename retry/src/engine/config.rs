//! What the engine is told once, when it is made.

use crate::{ladder::Ladder, order::Order, order::RetryPolicy, start::StartAt};
use std::{sync::Arc, time::Duration};

/// Settings of the whole group. Durations by the process's clock.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The consumer group.
    pub group: String,
    /// The group's tiers.
    pub ladder: Ladder,
    /// The source topics, in the order of their [`TopicIndex`](crate::id::TopicIndex).
    pub topics: Vec<TopicConfig>,
    /// Attempts that may run at once in this process.
    pub service_limit: usize,
    /// How long the group waits for a silent member. Without an acknowledged commit for as long, nothing starts.
    pub session_timeout: Duration,
    /// When to commit.
    pub commit: CommitConfig,
    /// How long running attempts may go on when a partition is revoked.
    pub revoke_drain: Duration,
    /// Bytes of records that may be held in memory.
    pub memory: usize,
    /// Where to begin a partition that the group has never read.
    pub start_at: StartAt,
    /// Seed of the jitter of in-place tries.
    pub seed: u64,
}

/// When offsets are committed.
#[derive(Clone, Copy, Debug)]
pub struct CommitConfig {
    /// At the latest this long after something finished.
    pub interval: Duration,
    /// Sooner when this many records have finished since.
    pub early: usize,
    /// Bytes of metadata a second, on average.
    pub metadata_per_second: usize,
    /// The broker's `offset.metadata.max.bytes`, in bytes.
    pub metadata_limit: usize,
}

impl Default for CommitConfig {
    /// 1 s, 500 records, 64 KiB/s, 4096 bytes.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            early: 500,
            metadata_per_second: 64 * 1024,
            metadata_limit: crate::snapshot::LIMIT,
        }
    }
}

/// Settings of one source topic.
#[derive(Clone, Debug)]
pub struct TopicConfig {
    /// Its name.
    pub name: Arc<str>,
    /// Attempts that may run at once in this process.
    pub concurrency: usize,
    /// What must run in order.
    pub order: Order,
    /// What happens to an attempt that failed.
    pub retry: RetryPolicy,
}
