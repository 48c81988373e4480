//! How often and when a topic's records are tried again.

use retrial_core::{backoff::Backoff, order::RetryPolicy, schedule::Schedule};
use std::time::Duration;

/// How often and when a topic's records are tried again.
///
/// The default is two quick in-place tries, then 5 s, 1 min, 10 min, 1 h and eleven times 6 h: just under three days.
///
/// Delays belong to a topic; the tiers that serve them belong to the app. A delay that is no tier's is served by
/// hopping over those that exist, and rounded up where that would take more than eight hops.
///
/// ```
/// use retrial::{Retry, hours, mins, secs};
///
/// // At once (twice), after half a minute, after five minutes, then every hour for a day, then the dead letters.
/// let retry = Retry::delays([secs(30), mins(5)]).then(hours(1), 24).in_place(2);
/// # let _ = retry;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Retry(RetryPolicy);

impl Retry {
    /// One further attempt after each of these delays, then the dead letters.
    #[must_use]
    pub fn delays(delays: impl IntoIterator<Item = Duration>) -> Self {
        Self::default().scheduled(Schedule::delays(delays))
    }

    /// The first failure is final: no in-place tries and no delays.
    #[must_use]
    pub fn never() -> Self {
        Self::delays([]).in_place(0)
    }

    /// The same delay before each of the next `times` attempts.
    #[must_use]
    pub fn then(self, delay: Duration, times: u32) -> Self {
        let schedule = self.0.schedule.clone().then(delay, times);
        self.scheduled(schedule)
    }

    /// How often an attempt that failed is repeated at once, in the same process, before it counts as failed. Default 2,
    /// 0 for never.
    ///
    /// Such tries are not remembered: after a crash or a rebalance in between they happen again. After a timeout or a
    /// panic there are none, nor while over half of the topic's attempts fail.
    #[must_use]
    pub fn in_place(mut self, tries: u16) -> Self {
        self.0.in_place = tries;
        self
    }

    /// The pauses before in-place tries: a random part of `min`, doubled with each try up to `max`. Default 50 ms to 1 s.
    #[must_use]
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.0.backoff = Backoff { min, max };
        self
    }

    fn scheduled(mut self, schedule: Schedule) -> Self {
        self.0.schedule = schedule;
        self
    }

    /// What the planner goes by.
    pub(crate) fn into_policy(self) -> RetryPolicy {
        self.0
    }
}

/// So many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many minutes.
#[must_use]
pub const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes.saturating_mul(60))
}

/// So many hours.
#[must_use]
pub const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours.saturating_mul(3600))
}
