//! When to commit offsets: often enough that little runs twice, seldom enough that the coordinator stays calm.
//!
//! A commit goes when the interval is over and something changed, at once when much was finished or a forward was
//! acknowledged (RULES 16), and for a partition where nothing happens at each third of a session all the same: that
//! is the owner's lease, and it writes over whatever a former owner still had on the wire (RULES 17).
//!
//! # Invariants
//! 1. One commit is outstanding at a time.
//! 2. Two are never closer than the floor: 50 ms or ten usual round trips (the median of five), whichever is longer. The floor
//!    gives way to the lease: it is never more than half of a lease third.
//! 3. Metadata bytes stay within the rate, spread by the size of the last commit (RULES 9). They, too, give way to
//!    the lease.
//! 4. While anything is owned, each partition's turn comes before its lease third is over, or as soon as 1 and 2 allow.

use crate::time::Timestamp;
use std::{collections::VecDeque, ops::Range, time::Duration};

/// Largest commit request, in bytes by [`entry_bytes`]: the broker writes each as one batch, and refuses one above its
/// `message.max.bytes` (about 1 MiB) as a whole.
pub const REQUEST_BYTES: usize = 256 * 1024;

/// How many round trips the usual one is taken from.
const REMEMBERED: usize = 5;

/// How often to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceConfig {
    /// Time between commits while records are finished. Default 1 s.
    pub interval: Duration,
    /// Records finished since the last commit that make the next one due at once. Default 500.
    pub early: usize,
    /// Least time between two commits. Default 50 ms.
    pub floor: Duration,
    /// And so many usual round trips, if that is longer. Default 10.
    pub round_trips: u32,
    /// Bytes per second, of whatever [`Pace::sent`] is told (the engine tells it metadata alone). Default 64 KiB; zero
    /// counts as one.
    pub bytes_per_second: usize,
    /// How long a partition may go without a commit: a third of the session timeout. Default 15 s.
    pub lease: Duration,
}

impl Default for PaceConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            early: 500,
            floor: Duration::from_millis(50),
            round_trips: 10,
            bytes_per_second: 64 * 1024,
            lease: Duration::from_secs(15),
        }
    }
}

impl PaceConfig {
    /// The defaults, for a group with this session timeout.
    #[must_use]
    pub fn for_session(session_timeout: Duration) -> Self {
        Self { lease: session_timeout / 3, ..Self::default() }
    }
}

/// What a commit would have to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsaid {
    /// Records finished since they were last covered by a commit that was sent.
    pub finished: usize,
    /// Whether any partition's offset or map differs from what was last sent for it.
    pub changed: bool,
    /// Of the partitions owned, the longest time ago that one was assigned or last sent; `None` when none is owned.
    /// Where a commit does not fit one request, the oldest go first, or this never gets younger.
    pub oldest: Option<Timestamp>,
}

/// Decides when the next commit goes.
///
/// ```
/// use retrial_core::{pace::{Pace, PaceConfig, Unsaid}, time::Timestamp};
///
/// let at = Timestamp::from_millis;
/// let mut pace = Pace::new(PaceConfig::default());
/// let some = Unsaid { finished: 3, changed: true, oldest: Some(at(0)) };
/// assert_eq!(pace.next(some, at(10)), Some(at(10))); // nothing was sent for an interval
/// pace.sent(at(10), 200);
/// assert_eq!(pace.next(some, at(11)), None); // one at a time
/// pace.answered(at(14), true);
/// assert_eq!(pace.next(some, at(14)), Some(at(1_010)));
/// pace.hasten();
/// assert_eq!(pace.next(some, at(14)), Some(at(60))); // the floor: 50 ms
/// ```
#[derive(Clone, Debug)]
pub struct Pace {
    config: PaceConfig,
    outstanding: bool,
    hastened: bool,
    refused: bool,
    last: Option<Timestamp>,
    round_trips: VecDeque<Duration>,
    /// The median of those: one slow answer must not leave ten times its length uncommitted.
    usual: Duration,
    bytes_free: Timestamp,
    confirmed: Option<Timestamp>,
}

impl Pace {
    /// Nothing was sent yet.
    #[must_use]
    pub fn new(config: PaceConfig) -> Self {
        Self {
            config,
            outstanding: false,
            hastened: false,
            refused: false,
            last: None,
            round_trips: VecDeque::new(),
            usual: Duration::ZERO,
            bytes_free: Timestamp::from_millis(i64::MIN),
            confirmed: None,
        }
    }

    /// A commit of so many bytes, as the rate counts them, was handed to the client.
    pub fn sent(&mut self, now: Timestamp, bytes: usize) {
        self.outstanding = true;
        self.hastened = false;
        self.last = Some(now);
        let (bytes, rate) = (bytes as u64, self.config.bytes_per_second.max(1) as u64);
        self.bytes_free = now.after(Duration::from_millis(bytes.saturating_mul(1000).div_ceil(rate)));
    }

    /// Its result came. One that was not accepted is tried again after the interval, or at [`Pace::retry`].
    pub fn answered(&mut self, now: Timestamp, accepted: bool) {
        let Some(sent) = self.last.filter(|_| self.outstanding) else { return };
        self.outstanding = false;
        self.refused = !accepted;
        if accepted {
            self.round_trips.push_back(now.since(sent));
            if self.round_trips.len() > REMEMBERED {
                self.round_trips.pop_front();
            }
            self.usual = median(&self.round_trips);
            self.confirmed = Some(sent);
        }
    }

    /// A forward was acknowledged: the next commit goes as soon as the floor and the rate allow (after a refusal,
    /// when it is tried again).
    pub fn hasten(&mut self) {
        self.hastened = true;
    }

    /// What had refused a commit is over: a rebalance ended and the group takes commits again. As [`Pace::hasten`], and
    /// without the wait that follows a refusal.
    pub fn retry(&mut self) {
        self.hastened = true;
        self.refused = false;
    }

    /// When the next commit goes, `now` if it is due; `None` while one is outstanding, and when there is nothing to
    /// say.
    #[must_use]
    pub fn next(&self, unsaid: Unsaid, now: Timestamp) -> Option<Timestamp> {
        if self.outstanding {
            return None;
        }
        let since_last = |wait: Duration| self.last.map_or(now, |last| last.after(wait));
        let lease = unsaid.oldest.map(|oldest| oldest.after(self.config.lease));
        let changes = unsaid.changed.then(|| {
            let soon = (self.hastened || unsaid.finished >= self.config.early) && !self.refused;
            let wish = if soon { now } else { since_last(self.config.interval) };
            wish.max(self.bytes_free)
        });
        // A lease that cannot be renewed, too, is tried once an interval and not at the floor.
        let renewal = lease.map(|lease| if self.refused { lease.max(since_last(self.retry_wait())) } else { lease });
        let due = [changes, renewal].into_iter().flatten().min()?;
        Some(due.max(since_last(self.floor())).max(now))
    }

    /// Least time between two commits at present.
    #[must_use]
    pub fn floor(&self) -> Duration {
        self.config.floor.max(self.usual * self.config.round_trips).min(self.config.lease / 2)
    }

    /// When the last commit that was accepted had been sent: the owner's lease counts from there.
    #[must_use]
    pub const fn confirmed(&self) -> Option<Timestamp> {
        self.confirmed
    }

    /// Whether a commit was sent whose result has not come.
    #[must_use]
    pub const fn is_outstanding(&self) -> bool {
        self.outstanding
    }

    fn retry_wait(&self) -> Duration {
        self.config.interval.min(self.config.lease / 2)
    }
}

fn median(times: &VecDeque<Duration>) -> Duration {
    let mut sorted: Vec<Duration> = times.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Bytes that one partition's entry adds to a commit request and to the offsets topic: its names, its metadata, and
/// 64 for the numbers and lengths around them.
#[must_use]
pub const fn entry_bytes(group: &str, topic: &str, metadata: &str) -> usize {
    group.len() + topic.len() + metadata.len() + 64
}

/// Splits a commit into requests of at most [`REQUEST_BYTES`], in order. An entry that is larger by itself goes alone.
///
/// ```
/// use retrial_core::pace::split;
///
/// assert_eq!(split([100_000, 100_000, 100_000]).collect::<Vec<_>>(), [0..2, 2..3]);
/// ```
pub fn split<S: IntoIterator<Item = usize>>(sizes: S) -> impl Iterator<Item = Range<usize>> {
    let mut sizes = sizes.into_iter().peekable();
    let mut from = 0;
    std::iter::from_fn(move || {
        let (mut bytes, mut to) = (sizes.next()?, from + 1);
        while let Some(size) = sizes.next_if(|&size| bytes.saturating_add(size) <= REQUEST_BYTES) {
            (bytes, to) = (bytes + size, to + 1);
        }
        let range = from..to;
        from = to;
        Some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn unsaid(finished: usize) -> Unsaid {
        Unsaid { finished, changed: finished > 0, oldest: Some(at(0)) }
    }

    /// A pace that sent a small commit at 0 and had it accepted after `round_trip` ms.
    fn after_one(round_trip: i64, bytes: usize) -> Pace {
        let mut pace = Pace::new(PaceConfig::default());
        pace.sent(at(0), bytes);
        pace.answered(at(round_trip), true);
        pace
    }

    #[test]
    fn what_makes_a_commit_due() {
        let (hastened, mut pace) = (true, after_one(2, 100));
        for (finished, hasten, due) in [
            (0, false, 15_000),
            (0, hastened, 15_000),
            (1, false, 1_000),
            (499, false, 1_000),
            (500, false, 50),
            (1, hastened, 50),
        ] {
            pace.hastened = hasten;
            assert_eq!(pace.next(unsaid(finished), at(2)), Some(at(due)), "{finished} {hasten}");
        }
        assert_eq!(pace.next(Unsaid { oldest: None, ..unsaid(0) }, at(2)), None, "nothing owned, nothing to say");
        assert_eq!(pace.next(unsaid(1), at(99_000)), Some(at(99_000)), "late is now");
    }

    #[test]
    fn a_slow_coordinator_is_asked_seldom_but_never_so_seldom_that_the_lease_ends() {
        assert_eq!(after_one(40, 100).next(unsaid(500), at(41)), Some(at(400)));
        assert_eq!(after_one(5_000, 100).next(unsaid(500), at(5_001)), Some(at(7_500)));
    }

    #[test]
    fn large_metadata_spaces_commits_but_yields_to_the_lease() {
        assert_eq!(after_one(2, 128 * 1024).next(unsaid(500), at(2)), Some(at(2_000)));
        assert_eq!(after_one(2, 100 * 64 * 1024).next(unsaid(500), at(2)), Some(at(15_000)));
    }

    #[test]
    fn a_refused_commit_is_tried_again_at_the_interval_or_when_the_rebalance_is_over() {
        let mut pace = Pace::new(PaceConfig::default());
        pace.sent(at(0), 100);
        pace.answered(at(2), false);
        assert_eq!(pace.next(unsaid(500), at(3)), Some(at(1_000)));
        pace.hasten();
        assert_eq!(pace.next(unsaid(500), at(3)), Some(at(1_000)), "forwards do not hammer a broken coordinator");
        pace.retry();
        assert_eq!((pace.next(unsaid(500), at(3)), pace.confirmed()), (Some(at(50)), None));
        pace.sent(at(20_000), 100);
        pace.answered(at(20_001), false);
        let overdue = Unsaid { finished: 0, changed: false, oldest: Some(at(0)) };
        assert_eq!(pace.next(overdue, at(20_002)), Some(at(21_000)), "an overdue lease does not either");
    }

    #[test]
    fn a_lease_that_is_refused_is_tried_again_after_half_of_itself_if_that_is_sooner() {
        let mut pace = Pace::new(PaceConfig { lease: Duration::from_millis(1_200), ..PaceConfig::default() });
        pace.sent(at(0), 0);
        assert!(pace.is_outstanding());
        pace.answered(at(1), false);
        assert!(!pace.is_outstanding());
        let unchanged = Unsaid { oldest: Some(at(-5_000)), ..Unsaid::default() };
        assert_eq!(pace.next(unchanged, at(2)), Some(at(600)));
    }

    #[test]
    fn an_acknowledged_forward_makes_a_commit_due_at_the_floor() {
        let mut pace = after_one(1, 0);
        let interval = pace.next(unsaid(1), at(1));
        pace.hasten();
        assert_eq!((interval, pace.next(unsaid(1), at(1))), (Some(at(1_000)), Some(at(50))));
    }

    #[test]
    fn an_entry_is_as_long_as_its_texts_and_64_bytes() {
        assert_eq!(entry_bytes("gr", "topic", "metadata"), 2 + 5 + 8 + 64);
    }

    #[test]
    fn a_result_nobody_waits_for_changes_nothing() {
        let mut pace = after_one(2, 100);
        pace.answered(at(9_000), true);
        assert_eq!((pace.floor(), pace.confirmed()), (Duration::from_millis(50), Some(at(0))));
    }

    #[test]
    fn the_defaults_of_a_group_follow_its_session() {
        assert_eq!(PaceConfig::for_session(Duration::from_secs(45)), PaceConfig::default());
        assert_eq!(PaceConfig::for_session(Duration::from_secs(6)).lease, Duration::from_secs(2));
    }

    #[derive(Clone, Debug)]
    struct Load {
        partitions: usize,
        metadata: usize,
        round_trips: Vec<i64>,
        finishing: Vec<usize>,
        forwards_each: i64,
        refused_each: usize,
    }

    fn load() -> impl Strategy<Value = Load> {
        let rates = proptest::collection::vec(prop_oneof![Just(0usize), 0..3usize, 0..1_000usize], 1..12);
        (
            1..6usize,
            0..4_000usize,
            proptest::collection::vec(prop_oneof![4 => 0..30i64, 1 => 60..200i64], 1..6),
            rates,
            1..5_000i64,
            2..9usize,
        )
            .prop_map(|(partitions, metadata, round_trips, finishing, forwards_each, refused_each)| Load {
                partitions,
                metadata,
                round_trips,
                finishing,
                forwards_each,
                refused_each,
            })
    }

    /// A commit as it was seen from outside.
    struct Seen {
        time: i64,
        bytes: usize,
        by_lease: bool,
    }

    /// Runs a group member through virtual milliseconds and checks every commit from outside.
    fn run(load: &Load) -> Result<Vec<Seen>, TestCaseError> {
        let config = PaceConfig { lease: Duration::from_secs(3), ..PaceConfig::default() };
        let (mut pace, mut commits) = (Pace::new(config), Vec::<Seen>::new());
        let mut last_sent = vec![0i64; load.partitions];
        let mut changed = vec![false; load.partitions];
        let (mut finished, mut floor, mut waits_since) = (0usize, 50i64, None);
        let mut answer: Option<(i64, bool)> = None;
        let mut trips: Vec<i64> = Vec::new();
        let slowest = load.round_trips.iter().copied().max().unwrap_or(0);
        for now in 0..12_000i64 {
            let done = load.finishing[now as usize / 1_000 % load.finishing.len()] * usize::from(now % 100 == 0);
            finished += done;
            if done > 0 {
                changed[now as usize % load.partitions] = true;
            }
            if now % load.forwards_each == 0 {
                (changed[0], finished) = (true, finished + 1);
                pace.hasten();
            }
            if let Some((sent, accepted)) = answer.take_if(|(sent, _)| now >= *sent + trip(load, commits.len())) {
                pace.answered(at(now), accepted);
                if accepted {
                    trips.push(now - sent);
                    let mut last: Vec<i64> = trips.iter().rev().take(REMEMBERED).copied().collect();
                    last.sort_unstable();
                    floor = (10 * last[(last.len() - 1) / 2]).clamp(50, 1_500);
                }
            }
            let oldest = last_sent.iter().copied().min().unwrap_or(0);
            let any = changed.contains(&true);
            waits_since = if any { waits_since.or(Some(now)) } else { None };
            let unsaid = Unsaid { finished, changed: any, oldest: Some(at(oldest)) };
            if pace.next(unsaid, at(now)) == Some(at(now)) {
                prop_assert!(answer.is_none(), "two commits outstanding at {now}");
                let by_lease = now - oldest >= 3_000;
                if let Some(last) = commits.last() {
                    prop_assert!(now - last.time >= floor, "{now}: {} after the last, floor {floor}", now - last.time);
                    let spacing = (last.bytes * 1_000 / 65_536) as i64;
                    prop_assert!(by_lease || now - last.time >= spacing, "{now}: faster than the rate");
                }
                prop_assert!(any || by_lease, "nothing to say at {now}");
                let take = |index: usize| changed[index] || now - last_sent[index] >= 2_000;
                let entries: Vec<usize> = (0..load.partitions).filter(|&index| take(index)).collect();
                let bytes = entries.len() * (load.metadata + 80);
                entries.iter().for_each(|&index| (last_sent[index], changed[index]) = (now, false));
                let accepted = (commits.len() + 1) % load.refused_each != 0;
                pace.sent(at(now), bytes);
                commits.push(Seen { time: now, bytes, by_lease });
                (answer, finished, waits_since) = (Some((now, accepted)), 0, None);
            }
            let slack = slowest + (10 * slowest).clamp(50, 1_500);
            let refused = 1_000;
            prop_assert!(now - oldest <= 3_000 + slack + refused, "{now}: the lease of a partition ran out");
            let spacing = commits.last().map_or(0, |last| (last.bytes * 1_000 / 65_536) as i64);
            let waited = waits_since.map_or(0, |since| now - since);
            prop_assert!(waited <= 1_000 + slack + spacing, "{now}: changes wait since {waited} ms");
        }
        Ok(commits)
    }

    fn trip(load: &Load, number: usize) -> i64 {
        load.round_trips[number % load.round_trips.len()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn commits_keep_the_floor_the_rate_and_the_lease(load in load()) {
            let commits = run(&load)?;
            let paced: usize = commits.iter().filter(|commit| !commit.by_lease).map(|commit| commit.bytes).sum();
            let largest = commits.iter().map(|commit| commit.bytes).max().unwrap_or(0);
            prop_assert!(paced <= 12 * 65_536 + largest, "{paced} bytes in 12 s");
            prop_assert!(commits.len() >= 3, "{} commits", commits.len());
        }

        #[test]
        fn requests_are_full_and_none_is_too_large(sizes in proptest::collection::vec(0usize..300_000, 0..60)) {
            let requests: Vec<_> = split(sizes.iter().copied()).collect();
            let bytes = |range: &Range<usize>| sizes[range.clone()].iter().sum::<usize>();
            prop_assert!(requests.iter().cloned().flatten().eq(0..sizes.len()));
            for request in &requests {
                prop_assert!(!request.is_empty() && (bytes(request) <= REQUEST_BYTES || request.len() == 1));
            }
            for pair in requests.windows(2) {
                prop_assert!(bytes(&pair[0]) + sizes[pair[1].start] > REQUEST_BYTES, "split without need");
            }
        }
    }
}
