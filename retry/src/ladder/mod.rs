//! The tiers of a group, and how a wait is served by hopping over them.
//!
//! A wait is served from the longest tier that fits down to the shortest, so that what each hop is late is taken back
//! by the hops after it. Served exactly, 59 minutes would be 708 hops over the tiers 5s and 1h; so the wait is
//! rounded up to what few hops can serve, and the lateness says so.
//!
//! # Invariants
//! 1. Never early: the tiers of all hops together are at least the wait.
//! 2. A wait of up to [`MAX_HOPS`] times the longest tier ends after at most [`MAX_HOPS`] hops, however late each of
//!    them comes. A longer one begins with hops of the longest tier, and has at most [`MAX_HOPS`] after those.
//! 3. A wait `w` is rounded up by at most the first tier or `w/2`, whichever is more, if no tier is more than 12
//!    times the one before it. With a ratio `r` above 12 it is the most of these two and `w × (r − 8)/8`, which is
//!    why [`Ladder::warnings`] tells of such tiers.

use crate::naming::{DelayError, spell_delay};
use std::{fmt, time::Duration};

/// The most hops that one wait takes, unless the longest tier is shorter than an eighth of it.
///
/// Hops are numbered on from wait to wait until an attempt counts, so that no two forwards have the same number; the
/// first hop of a wait has a multiple of this as its number ([`new_wait`]).
pub const MAX_HOPS: u32 = 8;

/// Neighbouring tiers further apart than this are warned about.
pub const MAX_RATIO: u32 = 12;

/// The hop number at which the next wait begins when the last hop had the number given and no attempt was counted
/// since, as after a snooze. After a counted attempt it begins at zero.
#[must_use]
pub fn new_wait(hop: u32) -> u32 {
    hop.checked_next_multiple_of(MAX_HOPS).unwrap_or(hop)
}

/// Delays that people choose, in seconds: what a warning offers.
const ROUND_DELAYS: [u32; 24] = [
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600,
    604_800, 1_209_600, 2_592_000, 5_184_000,
];

/// Why delays make no ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LadderError {
    /// There is no tier.
    #[error("a retry ladder needs at least one tier")]
    Empty,
    /// A delay of zero is the way back in, which every group has anyhow.
    #[error("a tier waits at least a second")]
    Zero,
    /// A delay that no tier can have.
    #[error(transparent)]
    Delay(#[from] DelayError),
    /// Tiers must grow, each once.
    #[error("tier {tier} waits {delay:?}, not longer than the {before:?} of the tier before it")]
    NotIncreasing {
        /// Which, counted from one.
        tier: usize,
        /// Its delay.
        delay: Duration,
        /// That of the tier before it.
        before: Duration,
    },
}

/// The delays of a group's tiers, growing, without the way back in.
///
/// ```
/// use retrial_core::ladder::Ladder;
/// use std::time::Duration;
///
/// let seconds = Duration::from_secs;
/// let ladder = Ladder::new([5, 60, 600].map(seconds))?;
/// // 70 seconds are the tier 1m and two times 5s.
/// assert_eq!(ladder.route(seconds(70), 0), seconds(60));
/// assert_eq!(ladder.route(seconds(10), 1), seconds(5));
/// assert_eq!(ladder.hops(seconds(70)), 3);
/// // 45 would be nine times 5s: rounded up to the tier 1m.
/// assert_eq!(ladder.route(seconds(45), 0), seconds(60));
/// # Ok::<(), retrial_core::ladder::LadderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    delays: Vec<Duration>,
    /// The last of `delays`, which is never empty.
    longest: Duration,
}

impl Default for Ladder {
    /// 5 s, 1 min, 10 min, 1 h, 6 h.
    fn default() -> Self {
        let longest = Duration::from_secs(21_600);
        Self { delays: [5, 60, 600, 3600].map(Duration::from_secs).into_iter().chain([longest]).collect(), longest }
    }
}

impl Ladder {
    /// A ladder of tiers with these delays: whole seconds, from one second to 365 days, each longer than the one
    /// before it.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn new(delays: impl IntoIterator<Item = Duration>) -> Result<Self, LadderError> {
        let delays: Vec<Duration> = delays.into_iter().collect();
        for &delay in &delays {
            spell_delay(delay)?;
        }
        if delays.first().is_some_and(Duration::is_zero) {
            return Err(LadderError::Zero);
        }
        match delays.windows(2).position(|pair| pair[0] >= pair[1]) {
            Some(at) => Err(LadderError::NotIncreasing { tier: at + 2, delay: delays[at + 1], before: delays[at] }),
            None => delays.last().copied().map(|longest| Self { delays, longest }).ok_or(LadderError::Empty),
        }
    }

    /// The tiers' delays, growing.
    #[must_use]
    pub fn delays(&self) -> &[Duration] {
        &self.delays
    }

    /// The tier to take next when so much of a wait remains and `hop` is the number of hops made, counted on from
    /// [`new_wait`]. With nothing remaining it is the first tier.
    #[must_use]
    pub fn route(&self, remaining: Duration, hop: u32) -> Duration {
        match self.neighbours(remaining) {
            (Some(down), Some(up)) if self.below(remaining, down, hop) < up => down,
            (_, up) => up.unwrap_or(self.longest),
        }
    }

    /// How many hops serve a wait from its beginning, if each comes on time.
    #[must_use]
    pub fn hops(&self, wait: Duration) -> u32 {
        let (mut hop, mut remaining) = self.rounds(wait);
        loop {
            remaining = remaining.saturating_sub(self.route(remaining, hop));
            hop = hop.saturating_add(1);
            if remaining.is_zero() {
                return hop;
            }
        }
    }

    /// How long a wait becomes when it is rounded up to what the tiers serve, if each hop comes on time.
    #[must_use]
    pub fn rounded_up(&self, wait: Duration) -> Duration {
        if wait.is_zero() { self.delays[0] } else { self.served(wait, 0) }
    }

    /// Neighbouring tiers so far apart that waits between them come late by more than half of themselves.
    #[must_use]
    pub fn warnings(&self) -> Vec<Gap> {
        let apart = |pair: &&[Duration]| pair[1] > pair[0].saturating_mul(MAX_RATIO);
        self.delays.windows(2).filter(apart).map(|pair| Gap::between(pair[0], pair[1])).collect()
    }

    /// The longest tier that is shorter than the wait, and the shortest that is not.
    fn neighbours(&self, wait: Duration) -> (Option<Duration>, Option<Duration>) {
        let at = self.delays.partition_point(|&delay| delay < wait);
        (at.checked_sub(1).map(|below| self.delays[below]), self.delays.get(at).copied())
    }

    /// How many hops of the longest tier come first, and what they leave: at most one more of it.
    fn rounds(&self, wait: Duration) -> (u32, Duration) {
        let (wait, longest) = (wait.as_nanos(), self.longest.as_nanos());
        let rounds = wait.div_ceil(longest).saturating_sub(1);
        let left = u64::try_from(wait - rounds * longest).expect("at most a tier's delay, a year");
        (u32::try_from(rounds).unwrap_or(u32::MAX), Duration::from_nanos(left))
    }

    /// What the rest of a wait is rounded up to after `hop` hops. Monotone in the rest, so a hop that comes late never
    /// makes the end later than by that. The recursion ends with the hops.
    fn served(&self, rest: Duration, hop: u32) -> Duration {
        match self.neighbours(rest) {
            _ if rest.is_zero() => rest,
            (None, Some(up)) => up,
            (Some(down), Some(up)) => self.below(rest, down, hop).min(up),
            (_, None) => {
                let (rounds, left) = self.rounds(rest);
                (rest - left).saturating_add(self.served(left, hop.wrapping_add(rounds)))
            }
        }
    }

    /// What the rest of a wait is rounded up to if it goes on with a shorter tier; for ever if this is its last hop.
    fn below(&self, rest: Duration, shorter: Duration, hop: u32) -> Duration {
        match hop % MAX_HOPS {
            hop if hop + 1 == MAX_HOPS => Duration::MAX,
            hop => shorter.saturating_add(self.served(rest.saturating_sub(shorter), hop + 1)),
        }
    }
}

/// Two neighbouring tiers that are too far apart, with tiers that would fill the gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The shorter tier.
    pub below: Duration,
    /// The longer tier.
    pub above: Duration,
    /// As few tiers between them as leave no gap.
    pub offered: Vec<Duration>,
}

impl Gap {
    fn between(below: Duration, above: Duration) -> Self {
        let further = |last: &Duration| {
            let reach = last.saturating_mul(MAX_RATIO);
            let round = ROUND_DELAYS.map(|seconds| Duration::from_secs(seconds.into()));
            round.into_iter().rfind(|delay| delay <= &reach && delay > last).filter(|_| reach < above)
        };
        Self { below, above, offered: std::iter::successors(further(&below), further).collect() }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spell = |&delay: &Duration| spell_delay(delay).unwrap_or_else(|_| format!("{delay:?}"));
        let offered: Vec<_> = self.offered.iter().map(spell).collect();
        let (below, above, offered) = (spell(&self.below), spell(&self.above), offered.join(" "));
        write!(f, "tiers {below} and {above} are far apart, and waits between them will be late; add {offered}")
    }
}

#[cfg(test)]
mod tests;
