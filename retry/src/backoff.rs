//! Pauses between the in-place tries of one attempt.

use std::time::Duration;

/// Exponential pauses with full jitter: a random part of a bound that doubles from try to try.
///
/// All of the bound is random, so that records which failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first pause.
    pub min: Duration,
    /// Bound that no pause exceeds.
    pub max: Duration,
}

impl Default for Backoff {
    /// 50 ms to 1 s.
    fn default() -> Self {
        Self { min: Duration::from_millis(50), max: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// The pause after try number `attempt`, counted from zero: somewhere from zero to
    /// [`bound`](Self::bound), as `random` says, which must be spread evenly over all of `u64`.
    ///
    /// ```
    /// use retrial_core::backoff::Backoff;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::default();
    /// assert_eq!(backoff.delay(0, u64::MAX), Duration::from_millis(50));
    /// assert_eq!(backoff.delay(1, u64::MAX / 2), Duration::from_millis(50));
    /// assert_eq!(backoff.delay(2, 0), Duration::ZERO);
    /// assert_eq!(backoff.delay(60, u64::MAX), Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        let bound = u64::try_from(self.bound(attempt).as_nanos()).unwrap_or(u64::MAX);
        let scaled = ((u128::from(bound) + 1) * u128::from(random)) >> 64;
        // At most `bound`, since `random` is below 2^64.
        Duration::from_nanos(scaled as u64)
    }

    /// The longest pause after try number `attempt`, counted from zero: `min × 2^attempt`, at most `max`.
    #[must_use]
    pub fn bound(&self, attempt: u32) -> Duration {
        let doubled = 1u32.checked_shl(attempt).and_then(|factor| self.min.checked_mul(factor));
        let unlimited = if self.min.is_zero() { Duration::ZERO } else { Duration::MAX };
        doubled.unwrap_or(unlimited).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bound_doubles_up_to_the_maximum() {
        let bounds: Vec<_> = (0..7).map(|attempt| Backoff::default().bound(attempt).as_millis()).collect();
        assert_eq!(bounds, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(Backoff::default().bound(u32::MAX), Duration::from_secs(1));
    }

    #[test]
    fn no_minimum_is_no_pause() {
        let backoff = Backoff { min: Duration::ZERO, max: Duration::MAX };
        assert!((0..100).all(|attempt| backoff.delay(attempt, u64::MAX).is_zero()));
    }

    proptest! {
        #[test]
        fn a_pause_lies_between_nothing_and_its_bound(
            min in any::<Duration>(), max in any::<Duration>(), attempt in any::<u32>(), random in any::<u64>(),
        ) {
            let backoff = Backoff { min, max };
            prop_assert!(backoff.delay(attempt, random) <= backoff.bound(attempt));
            prop_assert!(backoff.bound(attempt) <= max);
            prop_assert!(backoff.bound(attempt) <= backoff.bound(attempt.saturating_add(1)));
            prop_assert_eq!(backoff.delay(attempt, 0), Duration::ZERO);
            let whole = Duration::from_nanos(u64::try_from(backoff.bound(attempt).as_nanos()).unwrap_or(u64::MAX));
            prop_assert_eq!(backoff.delay(attempt, u64::MAX), whole);
        }

        #[test]
        fn pauses_are_spread_evenly(attempt in 0u32..8, share in 0u64..=100) {
            let backoff = Backoff::default();
            let expected = backoff.bound(attempt).mul_f64(share as f64 / 100.0);
            let delay = backoff.delay(attempt, u64::MAX / 100 * share);
            prop_assert!(delay.abs_diff(expected) < Duration::from_micros(1));
        }
    }
}
