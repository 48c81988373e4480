//! What a status says.

use crate::{admin::as_text, broker::kafka::MemberSeen};
use retrial_core::time::Timestamp;
use serde::Serialize;

/// What a topic is to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A topic of the user's.
    Source,
    /// One of the group's tiers.
    Tier,
}

/// How far the group is in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What the topic is to the group.
    pub role: Role,
    /// The lowest unfinished offset: everything below is finished.
    pub watermark: i64,
    /// Offsets above the watermark that are finished already.
    pub finished_beyond: u64,
    /// Unfinished offsets that the owner may have started by its last commit; those of a group that stopped well are
    /// not running any more.
    pub in_flight: u64,
    /// Offsets of the log that are not finished: what waits, in a tier. Gaps in the log count as well, but for those that no
    /// record follows.
    pub unfinished: u64,
    /// The first offset that the log still holds.
    pub log_start: i64,
    /// The next offset to be written.
    pub log_end: i64,
    /// The time of the oldest unfinished record.
    #[serde(with = "as_text::maybe", default)]
    pub oldest: Option<Timestamp>,
    /// Whether the last owner said goodbye; `None` where the commit carries no map of ours.
    pub left_well: Option<bool>,
    /// Why the commit's metadata is not used, if it is there and not ours.
    pub metadata_ignored: Option<String>,
}

/// What waits in one tier, over all its partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TierStatus {
    /// The topic.
    pub topic: String,
    /// Its delay, in seconds; 0 is the way back in.
    pub delay_seconds: u64,
    /// Unfinished offsets.
    pub waiting: u64,
    /// When the first of them is let through, by the broker's clock; in the past if it is late, or running.
    #[serde(with = "as_text::maybe", default)]
    pub next_due: Option<Timestamp>,
}

/// What the dead-letter topic holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadLettersStatus {
    /// The topic.
    pub topic: String,
    /// Offsets that it holds, settled ones among them.
    pub count: u64,
    /// Letters that an operator has settled: the rest is open.
    pub settled: u64,
    /// When the oldest that is open was written.
    #[serde(with = "as_text::maybe", default)]
    pub oldest: Option<Timestamp>,
    /// When the newest was written; unknown where a partition's last offset holds no record.
    #[serde(with = "as_text::maybe", default)]
    pub newest: Option<Timestamp>,
}

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Its id of this session.
    pub id: String,
    /// Its `group.instance.id`, if it has one.
    pub instance: Option<String>,
    /// Its `client.id`.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// How many partitions it is assigned.
    pub partitions: usize,
}

impl From<MemberSeen> for MemberStatus {
    fn from(seen: MemberSeen) -> Self {
        let MemberSeen { id, instance, client, host, partitions } = seen;
        Self { id, instance, client, host, partitions: partitions.len() }
    }
}

/// How far a group is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The group.
    pub group: String,
    /// Its state, in Kafka's word: `Stable`, `Empty`, `PreparingRebalance`, …
    pub state: String,
    /// Its members.
    pub members: Vec<MemberStatus>,
    /// Every partition that it has committed, by topic and number.
    pub partitions: Vec<PartitionStatus>,
    /// Its tiers, shortest delay first.
    pub tiers: Vec<TierStatus>,
    /// Its dead letters; `None` if there is no such topic.
    pub dead_letters: Option<DeadLettersStatus>,
}

/// Parts of a status, for judgements of it.
#[cfg(test)]
pub(in crate::admin) mod for_tests {
    use super::*;
    use retrial_core::naming::GroupNames;

    pub(in crate::admin) fn empty(names: &GroupNames) -> Status {
        Status {
            group: names.group().to_owned(),
            state: "Stable".to_owned(),
            members: vec![],
            partitions: vec![],
            tiers: vec![],
            dead_letters: None,
        }
    }

    /// A record of a source that is not finished.
    pub(in crate::admin) fn unfinished(topic: &str, oldest: Timestamp) -> PartitionStatus {
        PartitionStatus {
            topic: topic.to_owned(),
            partition: 0,
            role: Role::Source,
            watermark: 0,
            finished_beyond: 0,
            in_flight: 0,
            unfinished: 1,
            log_start: 0,
            log_end: 1,
            oldest: Some(oldest),
            left_well: None,
            metadata_ignored: None,
        }
    }

    pub(in crate::admin) fn waiting(topic: &str, delay_seconds: u64, waiting: u64) -> TierStatus {
        TierStatus { topic: topic.to_owned(), delay_seconds, waiting, next_due: None }
    }

    pub(in crate::admin) fn letters(topic: &str, oldest: Timestamp, newest: Timestamp) -> DeadLettersStatus {
        DeadLettersStatus { topic: topic.to_owned(), count: 2, oldest: Some(oldest), newest: Some(newest), settled: 0 }
    }
}
