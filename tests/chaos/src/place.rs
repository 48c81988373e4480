//! Where a record lies: the topics of a run, and a position in one of them.

use std::{fmt, time::Duration};

/// The group that works.
pub(crate) const GROUP: &str = "chaos";

/// Delays of its tiers, in seconds.
pub(crate) const TIERS: [u64; 2] = [1, 3];

/// A source topic, by the order that its handler asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// None.
    Free,
    /// By key; what fails climbs the tiers and is overtaken.
    Keyed,
    /// By key; what fails is waited for in memory, and its key with it.
    Held,
}

impl Source {
    pub(crate) const ALL: [Self; 3] = [Self::Free, Self::Keyed, Self::Held];

    pub(crate) const fn topic(self) -> &'static str {
        match self {
            Self::Free => "work.free",
            Self::Keyed => "work.keyed",
            Self::Held => "work.held",
        }
    }

    pub(crate) const fn partitions(self) -> i32 {
        match self {
            Self::Free | Self::Keyed => 6,
            Self::Held => 3,
        }
    }

    /// Waits between attempts, in seconds. The last failure after them is final.
    pub(crate) const fn delays(self) -> &'static [u64] {
        match self {
            Self::Free => &[1, 3, 1],
            Self::Keyed => &[1, 3],
            Self::Held => &[1, 1],
        }
    }

    /// The attempt after which there is no other.
    pub(crate) fn last_attempt(self) -> u32 {
        u32::try_from(self.delays().len()).unwrap_or(u32::MAX) + 1
    }
}

/// A topic of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Log {
    Source(Source),
    /// A tier with this delay in seconds.
    Tier(u64),
    Letters,
}

impl Log {
    /// What the group reads, and so commits.
    pub(crate) fn read_by_the_group() -> impl Iterator<Item = Self> {
        Source::ALL.into_iter().map(Self::Source).chain(TIERS.map(Self::Tier))
    }

    /// What the group writes.
    pub(crate) fn written_by_the_group() -> impl Iterator<Item = Self> {
        TIERS.map(Self::Tier).into_iter().chain([Self::Letters])
    }

    pub(crate) fn topic(self) -> String {
        match self {
            Self::Source(source) => source.topic().to_owned(),
            Self::Tier(seconds) => format!("{GROUP}.retry.{seconds}s"),
            Self::Letters => format!("{GROUP}.dlq"),
        }
    }

    pub(crate) fn of(topic: &str) -> Option<Self> {
        Self::read_by_the_group().chain([Self::Letters]).find(|log| log.topic() == topic)
    }

    pub(crate) fn delay(self) -> Option<Duration> {
        match self {
            Self::Tier(seconds) => Some(Duration::from_secs(seconds)),
            Self::Source(_) | Self::Letters => None,
        }
    }
}

/// A record's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) log: Log,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.log.topic(), self.partition, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retrial::GroupNames;

    #[test]
    fn the_topics_of_the_group_are_named_as_the_service_names_them() {
        let names = GroupNames::new(GROUP, None).unwrap();
        for seconds in TIERS {
            let delay = Duration::from_secs(seconds);
            assert_eq!(names.tier(delay).unwrap(), Log::Tier(seconds).topic());
            assert_eq!(Log::of(&Log::Tier(seconds).topic()).unwrap().delay(), Some(delay));
        }
        assert_eq!(names.dead_letters(), Log::Letters.topic());
    }
}
