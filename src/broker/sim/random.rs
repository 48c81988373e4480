//! Every decision of chance in the simulator, from one seed.
//!
//! splitmix64 (Steele, Lea, Flood, 2014): one addition and three mixes per number, no state but the counter, so
//! that a run is its seed and nothing else.

use std::{ops::RangeInclusive, time::Duration};

/// A stream of numbers that only its seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero to before `bound`; zero if `bound` is zero.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.number() as u128 * bound as u128) >> 64) as u64
    }

    /// A number of the range.
    pub(crate) const fn between(&mut self, range: &RangeInclusive<u64>) -> u64 {
        *range.start() + self.below(*range.end() - *range.start() + 1)
    }

    /// A duration of the range, in milliseconds.
    pub(crate) const fn millis(&mut self, range: &RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.between(range))
    }

    /// True in `chance` of 10,000 cases. Nothing is drawn for zero, so a fault that is off leaves the run as it is.
    pub(crate) const fn happens(&mut self, chance: u32) -> bool {
        chance > 0 && self.below(10_000) < chance as u64
    }

    /// One of these, if there are any.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len() as u64) as usize)
    }

    /// A stream of its own, so that what is drawn from it does not shift what is drawn here.
    pub(crate) const fn fork(&mut self) -> Self {
        Self(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_the_published_algorithm() {
        let mut random = Random::new(1_234_567);
        let first: [u64; 3] = std::array::from_fn(|_| random.number());
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn chances_come_true_as_often_as_they_say() {
        let mut random = Random::new(7);
        let hits = (0..100_000).filter(|_| random.happens(2_500)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| (3..=5).contains(&random.between(&(3..=5)))));
    }
}
