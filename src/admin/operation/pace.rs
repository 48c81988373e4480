//! So many records a second, waited for between batches.

use std::time::{Duration, Instant};

/// A rate. The waits follow from all that was sent, so that a late batch is caught up with, by one second's worth at most.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<u32>,
    /// When the next batch may begin.
    free: Instant,
}

impl Pace {
    /// `None` is without limit.
    pub(super) fn new(rate: Option<u32>) -> Self {
        Self { rate, free: Instant::now() }
    }

    /// How many records a batch may have, of at most so many: where few are wanted a second, they come in small batches.
    pub(super) fn batch(&self, most: usize) -> usize {
        self.rate.map_or(most, |rate| (rate as usize / 5).clamp(1, most))
    }

    /// Notes a batch that was sent now, and returns how long to wait before the next.
    pub(super) fn sent(&mut self, records: usize, now: Instant) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let earliest = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        self.free = self.free.max(earliest) + Duration::from_secs_f64(records as f64 / f64::from(rate.max(1)));
        self.free.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_holds_over_any_number_of_batches() {
        let begin = Instant::now();
        let (mut pace, mut now, mut sent) = (Pace { rate: Some(50), free: begin }, begin, 0);
        while sent < 500 {
            let batch = pace.batch(1000);
            assert_eq!(batch, 10);
            now += pace.sent(batch, now);
            sent += batch;
        }
        assert_eq!((now - begin).as_millis(), 10_000);
    }

    #[test]
    fn without_a_rate_nothing_waits_and_batches_are_full() {
        let mut pace = Pace::new(None);
        assert_eq!((pace.batch(1000), pace.sent(1_000_000, Instant::now())), (1000, Duration::ZERO));
    }

    #[test]
    fn a_long_pause_is_not_caught_up_with_at_once() {
        let begin = Instant::now();
        let mut pace = Pace { rate: Some(10), free: begin };
        let late = begin + Duration::from_secs(3600);
        let waits: Vec<u128> = (0..3).map(|_| pace.sent(10, late).as_millis()).collect();
        assert_eq!(waits, [0, 1000, 2000]);
    }
}
