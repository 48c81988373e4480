//! How long things take in the simulated cluster. All of it is virtual time.

use std::{ops::RangeInclusive, time::Duration};

/// Latencies and limits of the cluster and of its clients. Ranges are milliseconds, drawn per message.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    /// After this long without a sign of life the coordinator expels a member (`session.timeout.ms`).
    pub(crate) session: Duration,
    /// How often a client shows a sign of life (`heartbeat.interval.ms`).
    pub(crate) heartbeat: Duration,
    /// How long a round waits for members that are alive but do not rejoin (`max.poll.interval.ms`, as in Kafka);
    /// a client whose owner does not poll for so long leaves the group by itself.
    pub(crate) max_poll: Duration,
    /// One way of any message.
    pub(crate) network: RangeInclusive<u64>,
    /// From a fetch to its records.
    pub(crate) fetch: RangeInclusive<u64>,
    /// From the creation or deletion of a topic until a client knows.
    pub(crate) metadata: RangeInclusive<u64>,
    /// From the first queued write to its request (`linger.ms`).
    pub(crate) linger: RangeInclusive<u64>,
    /// How long a client waits for an answer before it counts the request as failed.
    pub(crate) request_timeout: Duration,
    /// How long a client waits before it tries again.
    pub(crate) retry_backoff: Duration,
    /// How many records of one partition a client fetches ahead.
    pub(crate) prefetch: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            session: Duration::from_secs(6),
            heartbeat: Duration::from_secs(1),
            max_poll: Duration::from_secs(60),
            network: 0..=3,
            fetch: 0..=8,
            metadata: 5..=200,
            linger: 0..=5,
            request_timeout: Duration::from_secs(5),
            retry_backoff: Duration::from_millis(100),
            prefetch: 500,
        }
    }
}
