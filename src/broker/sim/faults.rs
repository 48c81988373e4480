//! What goes wrong: how often, and how often it did.
//!
//! A fault is counted where it changes what happens next, not where it was drawn: one that finds nothing to break
//! is no evidence. Chances are per 10,000 occasions.
//!
//! Each kind has numbered occasions and dice of its own, so that a run in which "the 3rd and the 17th commit are lost"
//! is the run in which chance said so; and one kind can be taken out without another falling otherwise.

use super::random::Random;
use std::ops::RangeInclusive;

/// A kind of thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A process dies at a call of a port; what it sent before is still on the wire.
    Crash,
    /// A client is fatally broken.
    Fatal,
    /// A process stops for a while, its threads included, and goes on as if nothing had been.
    Freeze,
    /// The threads that run a process's handlers get no turn for a while; the one that speaks to the broker goes on.
    Starved,
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
    pub(crate) const ALL: [Self; 30] = [
        Self::Crash,
        Self::Fatal,
        Self::Freeze,
        Self::Starved,
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

    /// Its name in scripts and tables, such as `commit-lost`.
    pub(crate) fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// Those that come by themselves from time to time; the others wait for an occasion.
    pub(crate) const TIMED: [Self; 10] = [
        Self::Freeze,
        Self::Starved,
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
    pub(crate) const fn usual(self) -> RangeInclusive<u64> {
        match self {
            Self::Crash => 1..=20,
            Self::Fatal => 1..=5,
            // A tier is trimmed once a minute.
            Self::TrimFailed => 5_000..=10_000,
            // Every try of a write is an occasion, and every write that fails brings another.
            Self::ProduceRetried | Self::ProduceRefused | Self::TooLarge => 50..=1_000,
            _ => 50..=2_000,
        }
    }
}

/// When a kind of fault happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    /// At no occasion.
    #[default]
    Never,
    /// At so many of 10,000.
    Chance(u32),
    /// At these, counted from 1, in order.
    At(Vec<u64>),
}

/// What is known of one kind.
#[derive(Clone, Debug)]
struct Kind {
    plan: Plan,
    dice: Random,
    occasions: u64,
    /// Occasions that went wrong.
    fell: Vec<u64>,
    /// The number of the last one, or the time at which it came by itself.
    last: u64,
    /// How often that changed what happened.
    counted: u64,
}

/// Which faults a run has, and which of them it has had.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    kinds: Vec<Kind>,
    seed: u64,
    /// Milliseconds between two of [`Fault::TIMED`]; none come where it is empty or no timed fault has a chance.
    pub(crate) every: Option<RangeInclusive<u64>>,
    /// Faults that come by themselves, and when, in milliseconds from the start.
    pub(crate) scheduled: Vec<(u64, Fault)>,
}

impl Default for Faults {
    fn default() -> Self {
        let kind =
            Kind { plan: Plan::Never, dice: Random::new(0), occasions: 0, fell: Vec::new(), last: 0, counted: 0 };
        Self { kinds: vec![kind; Fault::ALL.len()], seed: 0, every: None, scheduled: Vec::new() }
    }
}

impl Faults {
    /// Nothing goes wrong.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// This fault alone besides what was there, in `chance` of 10,000 occasions.
    #[must_use]
    pub(crate) fn with(mut self, fault: Fault, chance: u32) -> Self {
        if Fault::TIMED.contains(&fault) && self.every.is_none() {
            self.every = Some(500..=5_000);
        }
        self.planned(fault, Plan::Chance(chance))
    }

    /// This fault as planned besides what was there.
    #[must_use]
    pub(crate) fn planned(mut self, fault: Fault, plan: Plan) -> Self {
        self.kinds[fault as usize].plan = plan;
        self
    }

    /// About a third of all kinds, each as often as this seed says. Those that destroy records only if asked for.
    #[cfg(test)]
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

    /// Has this seed throw all dice.
    pub(super) fn seed(&mut self, seed: u64) {
        self.seed = seed;
        for (index, kind) in (1..).zip(&mut self.kinds) {
            kind.dice = Random::new(Random::new(seed.wrapping_add(index)).number());
        }
    }

    /// Nothing goes wrong from now on. The counts stay.
    pub(crate) fn cease(&mut self) {
        self.kinds.iter_mut().for_each(|kind| kind.plan = Plan::Never);
        self.every = None;
    }

    /// How often this occasion goes wrong, of 10,000.
    pub(crate) fn chance(&self, fault: Fault) -> u32 {
        if let Plan::Chance(chance) = self.kinds[fault as usize].plan { chance } else { 0 }
    }

    /// The timed faults that this run has.
    pub(crate) fn timed(&self) -> Vec<Fault> {
        Fault::TIMED.into_iter().filter(|&fault| self.chance(fault) > 0).collect()
    }

    /// Whether this occasion goes wrong.
    pub(super) fn befalls(&mut self, fault: Fault) -> bool {
        let kind = &mut self.kinds[fault as usize];
        let befalls = match &kind.plan {
            Plan::Never => return false,
            Plan::Chance(chance) => kind.dice.happens(*chance),
            Plan::At(occasions) => occasions.binary_search(&(kind.occasions + 1)).is_ok(),
        };
        kind.occasions += 1;
        if befalls {
            kind.fell.push(kind.occasions);
            kind.last = kind.occasions;
        }
        befalls
    }

    /// Dice for how the last one of a kind turns out: of its number only, not of what else was thrown.
    pub(super) fn dice(&self, fault: Fault) -> Random {
        let own = Random::new(self.seed ^ ((fault as u64 + 1) << 32)).number();
        Random::new(own.wrapping_add(self.kinds[fault as usize].last))
    }

    /// Notes that a fault came by itself, so that it has dice.
    pub(super) fn came(&mut self, fault: Fault, millis: u64) {
        self.kinds[fault as usize].last = millis;
    }

    pub(super) fn count(&mut self, fault: Fault) {
        self.kinds[fault as usize].counted += 1;
    }

    /// How often it changed what happened.
    pub(crate) fn counted(&self, fault: Fault) -> u64 {
        self.kinds[fault as usize].counted
    }

    /// The occasions at which a kind befell the run.
    pub(crate) fn fell(&self, fault: Fault) -> &[u64] {
        &self.kinds[fault as usize].fell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_drawn_from_its_seed_and_destroys_only_when_asked() {
        let plan = |seed, destructive| {
            let faults = Faults::drawn(&mut Random::new(seed), destructive);
            Fault::ALL.into_iter().filter(|&fault| faults.chance(fault) > 0).collect::<Vec<_>>()
        };
        assert_eq!(plan(3, true), plan(3, true));
        assert!((0..50).all(|seed| !plan(seed, false).iter().any(|fault| fault.destroys())));
        assert!(Fault::ALL.into_iter().all(|fault| (0..50).any(|seed| plan(seed, true).contains(&fault))));
    }

    #[test]
    fn what_chance_said_can_be_said_again_by_number() {
        let mut by_chance = Faults::none().with(Fault::CommitLost, 2_000).with(Fault::Crash, 100);
        by_chance.seed(7);
        let fell: Vec<bool> = (0..200).map(|_| by_chance.befalls(Fault::CommitLost)).collect();
        let numbers = by_chance.fell(Fault::CommitLost).to_vec();
        assert!(numbers.len() > 20);
        // Another kind takes no part in it.
        let mut by_number = Faults::none().planned(Fault::CommitLost, Plan::At(numbers));
        by_number.seed(7);
        let again = |faults: &mut Faults| {
            let befell = faults.befalls(Fault::CommitLost);
            (befell, befell.then(|| faults.dice(Fault::CommitLost).number()))
        };
        assert_eq!((0..200).map(|_| again(&mut by_number).0).collect::<Vec<_>>(), fell);
    }

    #[test]
    fn every_kind_has_its_name() {
        assert_eq!(Fault::CommitLost.name(), "commit-lost");
        assert!(Fault::ALL.into_iter().all(|fault| Fault::named(&fault.name()) == Some(fault)));
        assert!(Fault::ALL.into_iter().enumerate().all(|(index, fault)| fault as usize == index));
    }
}
