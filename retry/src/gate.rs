//! When a tier's head may run: by the clock of the broker that stamped it (RULES 12).
//!
//! A record of a tier is due at its append time plus the tier's delay. Both are the broker's, so the local clock may
//! be hours off and still no retry runs early. [`BrokerClock`] answers the one question left: what the broker's clock
//! shows at least by now. It learns from produce acknowledgements: a record sent at `s`, appended at `b` by the
//! broker's clock and acknowledged at `a` means that the broker is ahead of us by `b − a` at least and by `b − s` at
//! most.
//!
//! # Invariants
//! 1. With acknowledgements at hand, [`BrokerClock::broker_now`] is never ahead of the broker's clock, and behind it by
//!    no more than the shortest round trip of the last half minute or more (and 1 ms for the parts of milliseconds).
//! 2. Samples that contradict each other mean a jump, or brokers that disagree: the lower ones count. So a clock set
//!    back heals at the next acknowledgement, one set forward when the old samples are forgotten, after [`MEMORY`] at
//!    most. (A clock that is set back by less than a round trip contradicts nothing, and is found out after
//!    [`MEMORY`] too.)
//!
//! Before the first acknowledgement nothing is known for certain but that the broker's clock is not behind the
//! records that were read. A service that only reads would then wait a whole delay again after each restart. So it
//! should write something when it starts (the marker of RULES 6 serves); if there was no acknowledgement [`PATIENCE`]
//! after the first record of a tier, the two clocks are taken to agree, as clocks under NTP do.
//!
//! `local` must be a clock that is never set: one read of the wall clock at the start, carried on by a monotonic one.
//! Drift between samples is not modelled.

use crate::time::Timestamp;
use std::time::Duration;

/// How long an acknowledgement counts while newer ones come. The last ones count until there are newer ones.
pub const MEMORY: Duration = Duration::from_millis((BINS * BIN_MILLIS) as u64);

/// How long gates wait for a first acknowledgement before the local clock is believed.
pub const PATIENCE: Duration = Duration::from_secs(30);

const BINS: i64 = 8;
const BIN_MILLIS: i64 = 8_000;

/// The broker's time from which on a tier's record may run, or hop on. A delay of zero is open at once.
#[must_use]
pub fn open_at(appended: Timestamp, delay: Duration) -> Timestamp {
    if delay.is_zero() { Timestamp::from_millis(i64::MIN) } else { appended.after(delay) }
}

/// How far the broker's clock is ahead of the local one, in milliseconds: no less than `least`, no more than `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lead {
    least: i64,
    most: i64,
}

impl Lead {
    /// What both say; where they contradict each other, the one that puts the broker's clock lower.
    fn and(self, other: Self) -> Self {
        if other.most < self.least {
            other
        } else if other.least > self.most {
            self
        } else {
            Self { least: self.least.max(other.least), most: self.most.min(other.most) }
        }
    }
}

/// What the broker's clock shows, as far as can be known from here.
///
/// ```
/// use retrial_core::{gate::{BrokerClock, open_at}, time::Timestamp};
/// use std::time::Duration;
///
/// let at = Timestamp::from_millis;
/// let mut clock = BrokerClock::new();
/// // Sent at 1,000, acknowledged at 1,006; the broker, whose clock is 7,200,000 ms ahead, appended it at 1,004.
/// clock.acknowledged(at(1_000), at(1_006), at(7_201_004));
/// let gate = open_at(at(7_201_004), Duration::from_secs(5));
/// assert_eq!(clock.local_when(gate), at(6_007)); // exactly five seconds would be 6,004: late by 3 ms, never early
/// ```
#[derive(Clone, Debug, Default)]
pub struct BrokerClock {
    bins: [Option<(i64, Lead)>; BINS as usize],
    newest: i64,
    lead: Option<Lead>,
    glimpse: Option<Glimpse>,
}

/// What is known before the first acknowledgement.
#[derive(Clone, Copy, Debug)]
struct Glimpse {
    /// How far the broker's clock is ahead at least.
    least: i64,
    /// When the first record of a tier was read.
    since: Timestamp,
}

impl BrokerClock {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns from a write: sent and acknowledged by the local clock, appended by the broker's.
    pub fn acknowledged(&mut self, sent: Timestamp, acknowledged: Timestamp, appended: Timestamp) {
        if acknowledged < sent {
            return; // The local clock was set back on the way.
        }
        // Both clocks show whole milliseconds: the true times are up to one later.
        let least = appended.as_millis().saturating_sub(acknowledged.as_millis()).saturating_sub(1);
        let most = appended.as_millis().saturating_sub(sent.as_millis()).saturating_add(1);
        self.remember(acknowledged.as_millis().div_euclid(BIN_MILLIS), Lead { least, most });
    }

    /// Learns from a record of a tier that was read at a local time: the broker's clock had reached its append time.
    /// Counts only until the first acknowledgement, since it never says how wrong it is.
    pub fn seen(&mut self, at: Timestamp, appended: Timestamp) {
        let least = appended.as_millis().saturating_sub(at.as_millis()).saturating_sub(1);
        let glimpse = self.glimpse.get_or_insert(Glimpse { least, since: at });
        glimpse.least = glimpse.least.max(least);
    }

    /// What the broker's clock shows at least: for opening gates.
    #[must_use]
    pub fn broker_now(&self, local: Timestamp) -> Timestamp {
        match (self.lead, self.glimpse) {
            (Some(lead), _) => local.shifted(lead.least),
            (None, Some(glimpse)) if local < glimpse.since.after(PATIENCE) => local.shifted(glimpse.least),
            _ => self.broker_about(local),
        }
    }

    /// What the broker's clock shows, as well as can be told without waiting for an acknowledgement: for stamping
    /// due times. The same as [`BrokerClock::broker_now`] as soon as there was one.
    ///
    /// A lower bound is right here too: a due time stamped a little high would lie beyond the gate of the very tier
    /// it was meant for, and cost one more hop.
    #[must_use]
    pub fn broker_about(&self, local: Timestamp) -> Timestamp {
        let ahead = self.glimpse.map_or(0, |glimpse| glimpse.least.max(0));
        local.shifted(self.lead.map_or(ahead, |lead| lead.least))
    }

    /// The earliest local time at which [`BrokerClock::broker_now`] reaches a broker's time, as far as is known now.
    #[must_use]
    pub fn local_when(&self, broker: Timestamp) -> Timestamp {
        if broker == Timestamp::MAX {
            return broker;
        }
        let back = |lead: i64| broker.shifted(lead.saturating_neg());
        match (self.lead, self.glimpse) {
            (Some(lead), _) => back(lead.least),
            (None, Some(glimpse)) => {
                let believed = back(glimpse.least.max(0)).max(glimpse.since.after(PATIENCE));
                back(glimpse.least).min(believed)
            }
            (None, None) => broker,
        }
    }

    /// Whether an acknowledgement was seen, so that the invariants hold.
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        self.lead.is_some()
    }

    /// How far [`BrokerClock::broker_now`] may be behind the broker's clock; `None` before the first acknowledgement.
    #[must_use]
    pub fn uncertainty(&self) -> Option<Duration> {
        let millis = |lead: Lead| u64::try_from(lead.most.saturating_sub(lead.least)).unwrap_or(0);
        self.lead.map(|lead| Duration::from_millis(millis(lead)))
    }

    fn remember(&mut self, number: i64, sample: Lead) {
        if self.lead.is_none() || number <= self.newest - BINS {
            // The first sample, or a local clock that was set back after all: nothing older can be compared with it.
            (self.bins, self.newest) = (Default::default(), number);
        }
        self.newest = self.newest.max(number);
        // `rem_euclid` keeps the index below `BINS`.
        let bin = &mut self.bins[number.rem_euclid(BINS) as usize];
        *bin = match *bin {
            Some((same, lead)) if same == number => Some((number, lead.and(sample))),
            _ => Some((number, sample)),
        };
        let oldest = self.newest - BINS;
        let recent = self.bins.iter().flatten().filter(|(number, _)| *number > oldest).map(|(_, lead)| *lead);
        self.lead = recent.reduce(Lead::and);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn acknowledge(clock: &mut BrokerClock, lead: i64, sent: i64, out: i64, back: i64) {
        clock.acknowledged(at(sent), at(sent + out + back), at(sent + out + lead));
    }

    #[test]
    fn a_clock_set_back_heals_at_once_and_one_set_forward_when_the_past_is_forgotten() {
        let mut clock = BrokerClock::new();
        acknowledge(&mut clock, HOUR, 0, 1, 1);
        acknowledge(&mut clock, 0, 1_000, 1, 1);
        assert_eq!(clock.broker_now(at(1_002)), at(1_000));
        for second in 2..=70 {
            acknowledge(&mut clock, HOUR, second * 1_000, 1, 1);
            let now = second * 1_000 + 2;
            let behind = now + HOUR - clock.broker_now(at(now)).as_millis();
            assert!(behind >= 0 && (behind <= 2 || second <= 65), "{second} s: {behind}");
        }
    }

    #[test]
    fn brokers_that_disagree_are_served_by_the_slower_clock() {
        let mut clock = BrokerClock::new();
        for second in 0..200 {
            acknowledge(&mut clock, if second % 7 == 3 { -HOUR } else { 0 }, second * 1_000, 2, 3);
            let lead = clock.broker_now(at(0)).as_millis();
            assert!(second < 3 || (-HOUR - 6..=-HOUR).contains(&lead), "{second} s: {lead}");
        }
    }

    #[test]
    fn the_last_sample_counts_while_nothing_is_written() {
        let mut clock = BrokerClock::new();
        acknowledge(&mut clock, -5, 0, 0, 0);
        clock.seen(at(10 * HOUR), at(0));
        assert_eq!(clock.broker_now(at(10 * HOUR)), at(10 * HOUR - 6));
    }

    #[test]
    fn a_local_clock_that_was_set_back_hours_starts_anew() {
        let mut clock = BrokerClock::new();
        acknowledge(&mut clock, 0, 5 * HOUR, 1, 1);
        acknowledge(&mut clock, 5 * HOUR, 0, 1, 1);
        assert_eq!(clock.broker_now(at(2)), at(5 * HOUR));
        clock.acknowledged(at(10), at(9), at(0));
        assert_eq!(clock.broker_now(at(2)), at(5 * HOUR), "a sample that ends before it starts says nothing");
    }

    #[test]
    fn before_the_first_acknowledgement_a_gate_waits_a_while_and_then_believes_the_local_clock() {
        let (mut clock, delay) = (BrokerClock::new(), Duration::from_secs(3600));
        assert_eq!(clock.broker_now(at(77)), at(77));
        // After a restart: the head was appended 59 minutes ago, so far as the local clock is right.
        let (restarted, appended) = (at(59 * 60_000), at(0));
        clock.seen(restarted, appended);
        assert!(clock.broker_now(restarted.after(Duration::from_secs(29))) < at(60_000));
        assert_eq!(clock.broker_about(restarted), restarted);
        assert_eq!(clock.local_when(open_at(appended, delay)), at(HOUR));
        let late = at(59 * 60_000 + 50_000);
        clock = BrokerClock::new();
        clock.seen(late, appended);
        assert_eq!(clock.local_when(open_at(appended, delay)), late.after(PATIENCE));
        // The broker is known to be ahead: its clock is not taken to be ours.
        clock.seen(late, at(5 * HOUR));
        assert_eq!(clock.local_when(open_at(appended, delay)).as_millis(), late.as_millis() - 4 * HOUR + 1);
        // Not so if it turns out to be behind.
        clock = BrokerClock::new();
        clock.seen(late, appended);
        acknowledge(&mut clock, -2 * HOUR, late.as_millis(), 1, 1);
        assert_eq!(clock.local_when(open_at(appended, delay)).as_millis(), 3 * HOUR + 2);
    }

    #[test]
    fn the_way_back_is_open_always_and_no_extreme_overflows() {
        let mut clock = BrokerClock::new();
        let open = open_at(at(5), Duration::ZERO);
        assert!(clock.broker_now(at(0)) >= open);
        for extreme in [i64::MIN, -1, 0, i64::MAX] {
            for other in [i64::MIN, 0, i64::MAX] {
                clock.seen(at(extreme), at(other));
                let _ = (clock.local_when(at(other)), clock.broker_now(at(extreme)));
                clock.acknowledged(at(extreme), at(i64::MAX), at(other));
                let _ = (clock.local_when(at(extreme)), clock.broker_about(at(other)), clock.uncertainty());
            }
        }
    }

    #[test]
    fn samples_that_touch_agree_and_the_clock_is_then_known_exactly() {
        let lead = |least, most| Lead { least, most };
        assert_eq!(lead(1, 5).and(lead(-3, 1)), lead(1, 1));
        assert_eq!(lead(-3, 1).and(lead(1, 5)), lead(1, 1));
        assert_eq!(lead(1, 5).and(lead(-3, 0)), lead(-3, 0));
        assert_eq!(lead(-3, 0).and(lead(1, 5)), lead(-3, 0));
    }

    #[test]
    fn a_clock_is_measured_by_its_first_acknowledgement_and_uncertain_by_the_round_trip() {
        let mut clock = BrokerClock::new();
        clock.seen(at(0), at(0));
        assert_eq!((clock.is_measured(), clock.uncertainty()), (false, None));
        acknowledge(&mut clock, HOUR, 0, 3, 4);
        assert_eq!((clock.is_measured(), clock.uncertainty()), (true, Some(Duration::from_millis(9))));
    }

    #[test]
    fn the_local_clock_is_believed_from_the_end_of_the_patience_on() {
        let mut clock = BrokerClock::new();
        clock.seen(at(1_000), at(0));
        let believed = at(1_000).after(PATIENCE);
        assert_eq!(clock.broker_now(believed), believed);
        assert_eq!(clock.broker_now(believed.shifted(-1)), believed.shifted(-1_002));
    }

    /// A stretch of time with one true lead, and the round trips within it: gap before, way out, way back; in
    /// microseconds.
    type Stretch = (i64, Vec<(u64, u64, u64)>);

    fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
        let trip = (0u64..20_000_000, 0u64..2_000_000, 0u64..2_000_000);
        // Leads lie at least 10 s apart or are equal: farther than any round trip here.
        let lead = (-1_000i64..1_000).prop_map(|tens| tens * 10_000_000);
        proptest::collection::vec((lead, proptest::collection::vec(trip, 1..20)), 1..6)
    }

    proptest! {
        /// A simulated broker whose true clock is read to the microsecond, and seen in whole milliseconds.
        #[test]
        fn never_early_and_late_by_the_best_round_trip_at_most(stretches in stretches()) {
            let (mut clock, mut now, mut samples) = (BrokerClock::new(), 1_000_000_000i64, Vec::new());
            for (lead, trips) in stretches {
                for (gap, out, back) in trips {
                    let sent = now + gap as i64;
                    let (appended, end) = (sent + out as i64 + lead, sent + (out + back) as i64);
                    let shows = |micros: i64| at(micros.div_euclid(1000));
                    clock.acknowledged(shows(sent), shows(end), shows(appended));
                    now = end;
                    samples.push((now, lead, out + back));
                    let local = at(now.div_euclid(1000));
                    let (shown, truth) = (clock.broker_now(local).as_millis(), (now + lead).div_euclid(1000));
                    prop_assert!(shown <= truth, "early by {} ms", shown - truth);
                    let memory = MEMORY.as_micros() as i64;
                    let settled = samples.iter().all(|&(time, old, _)| old == lead || now - time > memory);
                    let best = samples.iter().filter(|&&(time, _, _)| now - time < memory - 8_000_000);
                    let best = best.map(|&(_, _, trip)| trip as i64).min().unwrap_or(0);
                    let late = truth - shown;
                    prop_assert!(!settled || late <= best / 1000 + 3, "late by {late} ms, best {best}");
                }
            }
        }

        #[test]
        fn the_local_time_of_a_gate_is_the_first_at_which_it_is_open(
            acks in proptest::collection::vec((0i64..100_000, 0i64..50, 0i64..50), 0..4),
            seen in proptest::collection::vec((0i64..100_000, -200_000i64..200_000), 0..4),
            lead in -HOUR..HOUR, broker in -HOUR..2 * HOUR,
        ) {
            let mut clock = BrokerClock::new();
            for (time, appended) in seen {
                clock.seen(at(time), at(appended));
            }
            for (sent, out, back) in acks {
                acknowledge(&mut clock, lead, sent, out, back);
            }
            let local = clock.local_when(at(broker));
            prop_assert!(clock.broker_now(local) >= at(broker));
            prop_assert!(clock.broker_now(local.shifted(-1)) < at(broker));
        }
    }
}
