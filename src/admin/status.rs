//! How far a group is, partition by partition, from what it has committed. No member need be running.

use crate::broker::kafka::{Kafka, Position, PositionsError, positions};
use retrial_core::{
    naming::{GroupNames, OwnTopic},
    snapshot::{self, Departure, Subject},
};
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
    /// Offsets of the log that are not finished: what waits, in a tier; gaps in the log count as well.
    pub unfinished: u64,
    /// Whether the last owner said goodbye; `None` where the commit carries no map of ours.
    pub left_well: Option<bool>,
    /// Why the commit's metadata is not used, if it is there and not ours.
    pub metadata_ignored: Option<String>,
}

/// Reads how far a group is, in every partition that it has committed. Waits for the brokers, some ten seconds at
/// most for each of three questions.
///
/// # Errors
/// Brokers that do not answer, properties or rights that are missing: see [`PositionsError`].
pub fn status(kafka: &Kafka, names: &GroupNames) -> Result<Vec<PartitionStatus>, PositionsError> {
    let positions = positions(kafka, names.group())?;
    Ok(positions.into_iter().map(|position| partition(names, position)).collect())
}

fn partition(names: &GroupNames, position: Position) -> PartitionStatus {
    let Position { topic, partition, topic_id, committed, log } = position;
    let subject = Subject { group: names.group(), topic: &topic, topic_id, partition, offset: committed.offset };
    let (map, metadata_ignored) = match snapshot::decode(&committed.metadata, &subject) {
        Ok(map) => (map, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let left_well = map.as_ref().map(|map| map.departure == Departure::LeftWell);
    let runs = map.map(|map| map.finished).unwrap_or_default();
    let finished_beyond: u64 =
        runs.iter().map(|run| run.to.min(log.end).saturating_sub(run.from).max(0).unsigned_abs()).sum();
    let from = committed.offset.max(log.start);
    let unfinished = log.end.saturating_sub(from).max(0).unsigned_abs().saturating_sub(finished_beyond);
    let role = match names.parse(&topic) {
        Some(OwnTopic::Tier(_)) => Role::Tier,
        _ => Role::Source,
    };
    let watermark = committed.offset;
    PartitionStatus { topic, partition, role, watermark, finished_beyond, unfinished, left_well, metadata_ignored }
}
