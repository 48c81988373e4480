//! What goes wrong: how often, and how often it did.
//!
//! A fault is counted where it changes what happens next, not where it was drawn: one that finds nothing to break
//! is no evidence. Chances are per 10,000 occasions.

use super::random::Random;
use std::{collections::BTreeMap, ops::RangeInclusive};

/// A kind of thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A process dies at a call of a port; what it sent before is still on the wire.
    Crash,
    /// A client is fatally broken.
    Fatal,
    /// A process stops for a while, its threads included, and goes on as if nothing had been.
    Freeze,
    /// A member is cut off from the coordinator for a while and works on.
    CutOff,
    /// A round of the group begins without a change of members.
    Rebalance,
    /// A process's clock is up to twenty seconds wrong, all its life.
    ClockWrong,
    /// A process's clock stands still for up to a minute, as monotonic clocks do while a machine is suspended; forward
    /// it never jumps.
    ClockStood,
    /// A commit request never arrives.
    CommitLost,
    /// A commit is stored and its answer never arrives.
    CommitUnanswered,
    /// The answer of a commit takes long.
    CommitLate,
    /// A client parks a commit while the coordinator is away, and sends it later with the generation of then.
    CommitParked,
    /// A request of a commit that was stored is stored again, later.
    CommitRepeated,
    /// One partition of a commit is refused.
    CommitEntryRefused,
    /// A commit is too large for the coordinator.
    CommitTooLarge,
    /// Committed offsets cannot be read at first.
    OffsetsUnreadable,
    /// Commit metadata comes back cut off.
    MetadataCut,
    /// Commit metadata comes back as somebody else's text.
    MetadataForeign,
    /// A write is refused for now; the client tries again.
    ProduceRetried,
    /// A write is refused.
    ProduceRefused,
    /// A write takes long.
    ProduceLate,
    /// A write lands, its acknowledgement is lost, and the client sends it again within its session.
    ProduceUnanswered,
    /// The producer is replaced; writes that landed without an acknowledgement land again.
    ProducerReplaced,
    /// A write is larger than its topic takes.
    TooLarge,
    /// DeleteRecords fails.
    TrimFailed,
    /// Offsets are used up without a record.
    Marker,
    /// A record is compacted away.
    Compacted,
    /// Retention deletes records, read or not.
    Retention,
    /// A leader without the newest records takes over.
    UncleanElection,
    /// A topic is deleted and made anew.
    TopicRecreated,
}

impl Fault {
    /// Every kind.
    pub(crate) const ALL: [Self; 29] = [
        Self::Crash,
        Self::Fatal,
        Self::Freeze,
        Self::CutOff,
        Self::Rebalance,
        Self::ClockWrong,
        Self::ClockStood,
        Self::CommitLost,
        Self::CommitUnanswered,
        Self::CommitLate,
        Self::CommitParked,
        Self::CommitRepeated,
        Self::CommitEntryRefused,
        Self::CommitTooLarge,
        Self::OffsetsUnreadable,
        Self::MetadataCut,
        Self::MetadataForeign,
        Self::ProduceRetried,
        Self::ProduceRefused,
        Self::ProduceLate,
        Self::ProduceUnanswered,
        Self::ProducerReplaced,
        Self::TooLarge,
        Self::TrimFailed,
        Self::Marker,
        Self::Compacted,
        Self::Retention,
        Self::UncleanElection,
        Self::TopicRecreated,
    ];

    /// Those that come by themselves from time to time; the others wait for an occasion.
    pub(crate) const TIMED: [Self; 9] = [
        Self::Freeze,
        Self::CutOff,
        Self::Rebalance,
        Self::ClockStood,
        Self::Marker,
        Self::Compacted,
        Self::Retention,
        Self::UncleanElection,
        Self::TopicRecreated,
    ];

    /// Whether records that nobody finished are gone after it: what no consumer can save.
    pub(crate) const fn destroys(self) -> bool {
        matches!(self, Self::Retention | Self::UncleanElection | Self::TopicRecreated)
    }

    /// Per 10,000 occasions, where a drawn plan has this fault. Crashes are drawn at every call of a port.
    const fn usual(self) -> RangeInclusive<u64> {
        match self {
            Self::Crash => 1..=20,
            Self::Fatal => 1..=5,
            _ => 50..=2_000,
        }
    }
}

/// Which faults a run has, and which of them it has had.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    chances: BTreeMap<Fault, u32>,
    counts: BTreeMap<Fault, u64>,
    /// Milliseconds between two of [`Fault::TIMED`]; none come where it is empty or no timed fault has a chance.
    pub(crate) every: Option<RangeInclusive<u64>>,
}

impl Faults {
    /// Nothing goes wrong.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// This fault alone besides what was there, in `chance` of 10,000 occasions.
    #[must_use]
    pub(crate) fn with(mut self, fault: Fault, chance: u32) -> Self {
        self.chances.insert(fault, chance);
        if Fault::TIMED.contains(&fault) && self.every.is_none() {
            self.every = Some(500..=5_000);
        }
        self
    }

    /// About a third of all kinds, each as often as this seed says. Those that destroy records only if asked for.
    pub(crate) fn drawn(random: &mut Random, destructive: bool) -> Self {
        let mut faults = Self::none();
        for fault in Fault::ALL {
            let (taken, chance) = (random.happens(3_333), random.between(&fault.usual()));
            if taken && (destructive || !fault.destroys()) {
                faults = faults.with(fault, chance as u32);
            }
        }
        faults
    }

    /// Nothing goes wrong from now on. The counts stay.
    pub(crate) fn cease(&mut self) {
        self.chances.clear();
        self.every = None;
    }

    /// How often this occasion goes wrong, of 10,000.
    pub(crate) fn chance(&self, fault: Fault) -> u32 {
        self.chances.get(&fault).copied().unwrap_or(0)
    }

    /// The timed faults that this run has.
    pub(crate) fn timed(&self) -> Vec<Fault> {
        Fault::TIMED.into_iter().filter(|&fault| self.chance(fault) > 0).collect()
    }

    pub(super) fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault).or_default() += 1;
    }

    /// How often it changed what happened.
    pub(crate) fn counted(&self, fault: Fault) -> u64 {
        self.counts.get(&fault).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_drawn_from_its_seed_and_destroys_only_when_asked() {
        let plan = |seed, destructive| Faults::drawn(&mut Random::new(seed), destructive).chances;
        assert_eq!(plan(3, true), plan(3, true));
        assert!((0..50).all(|seed| !plan(seed, false).keys().any(|fault| fault.destroys())));
        assert!(Fault::ALL.into_iter().all(|fault| (0..50).any(|seed| plan(seed, true).contains_key(&fault))));
    }
}
