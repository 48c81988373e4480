//! How long to wait before each further attempt.
//!
//! A schedule is what a topic or an error asks for; the ladder's tiers are what the group has. A delay that is no
//! tier's is served by hopping.

use std::time::Duration;

/// Waits before the second, third, … attempt. When it ends, the record is out of attempts.
///
/// The default is 5 s, 1 min, 10 min, 1 h and then eleven times 6 h: sixteen attempts over just under three days,
/// so that it outlives a weekend.
///
/// ```
/// use retrial_core::schedule::Schedule;
/// use std::time::Duration;
///
/// let minute = Duration::from_secs(60);
/// let schedule = Schedule::delays([minute, 5 * minute]).then(60 * minute, 10);
/// assert_eq!(schedule.steps(), 12);
/// assert_eq!(schedule.delay(1), Some(5 * minute));
/// assert_eq!(schedule.delay(11), Some(60 * minute));
/// assert_eq!(schedule.delay(12), None);
/// assert_eq!(schedule.total(), 606 * minute);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    runs: Vec<Run>,
}

/// The same delay a number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    delay: Duration,
    times: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        let hour = 3600;
        Self::delays([5, 60, 600, hour].map(Duration::from_secs)).then(Duration::from_secs(6 * hour), 11)
    }
}

impl Schedule {
    /// One further attempt after each of these delays. None at all means that the first failure is final.
    #[must_use]
    pub fn delays(delays: impl IntoIterator<Item = Duration>) -> Self {
        delays.into_iter().fold(Self { runs: Vec::new() }, |schedule, delay| schedule.then(delay, 1))
    }

    /// The same delay before each of the next `times` attempts.
    #[must_use]
    pub fn then(mut self, delay: Duration, times: u32) -> Self {
        match self.runs.last_mut() {
            Some(last) if last.delay == delay => last.times = last.times.saturating_add(times),
            _ if times == 0 => {}
            _ => self.runs.push(Run { delay, times }),
        }
        self
    }

    /// The wait at a step, counted from zero; `None` when the schedule is over.
    #[must_use]
    pub fn delay(&self, step: u32) -> Option<Duration> {
        let mut left = step;
        for run in &self.runs {
            match left.checked_sub(run.times) {
                Some(beyond) => left = beyond,
                None => return Some(run.delay),
            }
        }
        None
    }

    /// How many waits there are: one less than the attempts.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.runs.iter().fold(0, |steps, run| steps.saturating_add(run.times))
    }

    /// All waits together, without the time that attempts take.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.runs.iter().fold(Duration::ZERO, |total, run| total.saturating_add(run.delay.saturating_mul(run.times)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_outlives_a_weekend() {
        let (schedule, day) = (Schedule::default(), Duration::from_secs(24 * 3600));
        assert_eq!(schedule.steps(), 15);
        assert_eq!(schedule.total(), Duration::from_secs(5 + 60 + 600 + 3600 + 11 * 6 * 3600));
        assert!(schedule.total() > 5 * day / 2 && schedule.total() < 3 * day);
        let seconds: Vec<_> = (0..16).map_while(|step| schedule.delay(step)).map(|delay| delay.as_secs()).collect();
        assert_eq!(seconds[..5], [5, 60, 600, 3600, 21_600]);
        assert_eq!((seconds.len(), seconds[14]), (15, 21_600));
    }

    #[test]
    fn without_delays_the_first_failure_is_final() {
        let none = Schedule::delays([]);
        assert_eq!((none.steps(), none.delay(0), none.total()), (0, None, Duration::ZERO));
        assert_eq!(Schedule::delays([]).then(Duration::MAX, 0), none);
    }

    #[test]
    fn sums_stop_at_the_end_of_the_range() {
        let endless = Schedule::delays([Duration::from_secs(1)]).then(Duration::MAX, u32::MAX);
        assert_eq!((endless.steps(), endless.total()), (u32::MAX, Duration::MAX));
        assert_eq!(endless.delay(u32::MAX), Some(Duration::MAX));
    }

    proptest! {
        #[test]
        fn it_is_the_list_of_its_delays(runs in prop::collection::vec((0u64..4, 0u32..5), 0..6)) {
            let runs: Vec<_> = runs.into_iter().map(|(seconds, times)| (Duration::from_secs(seconds), times)).collect();
            let schedule = runs.iter().fold(Schedule::delays([]), |schedule, &(delay, times)| schedule.then(delay, times));
            let list: Vec<_> = runs.iter().flat_map(|&(delay, times)| vec![delay; times as usize]).collect();
            prop_assert_eq!(schedule.steps() as usize, list.len());
            prop_assert_eq!(schedule.total(), list.iter().sum());
            for step in 0..list.len() + 2 {
                prop_assert_eq!(schedule.delay(step as u32), list.get(step).copied());
            }
            prop_assert_eq!(schedule, Schedule::delays(list));
        }
    }
}
