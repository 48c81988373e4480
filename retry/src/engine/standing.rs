//! Where everything stands, for people and gauges: a picture taken about once a second, which changes nothing.

use super::{
    Engine,
    partition::{Kind, Phase},
};
use crate::{
    event::Payload,
    id::{Slot, TopicIndex},
    time::Timestamp,
};
use std::time::Duration;

/// Where an engine stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The source topics, in the order of their [`TopicIndex`].
    pub topics: Vec<TopicStanding>,
    /// The assigned partitions.
    pub partitions: Vec<PartitionStanding>,
    /// Whether the group has counted this process in within the last session: without that nothing starts.
    pub leased: bool,
}

/// Where one source topic stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicStanding {
    /// Attempts that were handed out and not reported yet.
    pub in_flight: usize,
    /// How many may be.
    pub limit: usize,
    /// Records that could start at once, had they a slot.
    pub ready: usize,
    /// For how long the topic takes nothing new, if a handler asked for that.
    pub held_for: Option<Duration>,
}

/// Where one assigned partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionStanding {
    /// The assignment.
    pub slot: Slot,
    /// The tier's delay, for a partition of a tier.
    pub tier: Option<Duration>,
    /// The lowest unfinished offset.
    pub watermark: i64,
    /// The next offset to be received.
    pub next: i64,
    /// Records received and not finished.
    pub unfinished: usize,
    /// Attempts that were handed out and not reported yet.
    pub in_flight: usize,
    /// Forwards that are not acknowledged yet.
    pub forwarding: usize,
    /// What is being done with it.
    pub stage: Stage,
    /// How many more records it would take now.
    pub room: usize,
    /// When a tier's first waiting record is let through, by our clock.
    pub opens: Option<Timestamp>,
}

/// What is being done with an assigned partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nobody can say where to start.
    Unplaced,
    /// Read and worked on.
    Owned,
    /// To be given up: what runs may end, nothing new starts.
    Draining,
    /// The last commit is under way, or was made.
    Leaving,
}

impl Stage {
    /// The word shown to people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unplaced => "unplaced",
            Self::Owned => "owned",
            Self::Draining => "draining",
            Self::Leaving => "leaving",
        }
    }
}

impl<R: Payload> Engine<R> {
    /// Where everything stands now. Costs some steps per partition and topic, whatever they hold.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let topics = (0_u16..).zip(&self.topics).map(|(index, topic)| TopicStanding {
            in_flight: self.budget.in_flight(TopicIndex(index)),
            limit: self.budget.limit(TopicIndex(index)),
            ready: topic.ready(),
            held_for: topic.held_until(now).map(|until| until.since(now)),
        });
        let partitions = self.partitions.iter().flatten().map(|partition| PartitionStanding {
            slot: partition.slot,
            tier: match partition.kind {
                Kind::Source(_) => None,
                Kind::Tier(delay) => Some(delay),
            },
            watermark: partition.ledger.watermark(),
            next: partition.ledger.next(),
            unfinished: partition.ledger.unfinished(),
            in_flight: partition.in_flight,
            forwarding: partition.forwarding,
            stage: match partition.phase {
                Phase::Unplaced => Stage::Unplaced,
                Phase::Owned => Stage::Owned,
                Phase::Draining { .. } => Stage::Draining,
                Phase::Leaving { .. } | Phase::Parted => Stage::Leaving,
            },
            room: self.room(partition.slot),
            opens: self.gate_opens(partition),
        });
        Standing { topics: topics.collect(), partitions: partitions.collect(), leased: !self.commit.lease_expired() }
    }
}
