//! What any group has committed, with its metadata as bytes, and where the logs stand: read without joining.

use super::{
    connect::Kafka,
    connection::{Connection, REACH, Unreachable},
    context::{Client, Notes},
    ffi::{self, OffsetList},
    properties::PropertyError,
};
use retrial_core::event::{Committed, LogRange};
use std::collections::BTreeMap;

/// One partition that the group has committed an offset for.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    /// Its topic.
    pub(crate) topic: String,
    /// Its number.
    pub(crate) partition: i32,
    /// The topic's identity, where the broker tells it.
    pub(crate) topic_id: Option<[u8; 16]>,
    /// What was committed.
    pub(crate) committed: Committed,
    /// Where its log stands.
    pub(crate) log: LogRange,
}

/// Why positions were not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PositionsError {
    /// A client property that cannot be.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The brokers did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The group's offsets were refused.
    #[error("the offsets of group {group} cannot be read: {why}")]
    Refused {
        /// The group.
        group: String,
        /// In the broker's words.
        why: String,
    },
}

/// Every partition of the cluster that the group has committed an offset for, by topic and number. Waits for the
/// brokers, about ten seconds at most for each of three questions.
///
/// # Errors
/// See [`PositionsError`].
pub(crate) fn positions(kafka: &Kafka, group: &str) -> Result<Vec<Position>, PositionsError> {
    let client = client(kafka, group)?;
    let rejected = |error: rdkafka::error::KafkaError| PropertyError::Rejected(error.to_string());
    let connection = Connection::new(&kafka.connection()).map_err(rejected)?;
    let metadata = connection.metadata(REACH)?;
    let partitions = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions().iter().map(move |partition| (topic.name().to_owned(), partition.id())));
    let partitions: Vec<(String, i32)> = partitions.filter(|(topic, _)| !topic.starts_with("__")).collect();
    let refused = |why: ffi::Refusal| PositionsError::Refused { group: group.to_owned(), why: why.to_string() };
    let found = found(&client, &partitions).map_err(refused)?;
    let (starts, ends) =
        (log_ends(&client, &found, -2).map_err(refused)?, log_ends(&client, &found, -1).map_err(refused)?);
    let mut topics: Vec<&str> = found.keys().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    let ids = kafka.cluster()?.topic_ids(&topics)?;
    let position = |((topic, partition), committed): ((String, i32), Committed)| {
        let place = (topic, partition);
        let log = LogRange { start: starts.get(&place).copied()?, end: ends.get(&place).copied()? };
        let topic_id = ids.get(&place.0).copied();
        Some(Position { topic: place.0, partition, topic_id, committed, log })
    };
    Ok(found.clone().into_iter().filter_map(position).collect())
}

/// Whether the group has committed an offset for any of these partitions, by whatever tool.
///
/// # Errors
/// See [`PositionsError`].
pub(crate) fn has_committed(kafka: &Kafka, group: &str, partitions: &[(String, i32)]) -> Result<bool, PositionsError> {
    let found = found(&client(kafka, group)?, partitions);
    let refused = |why: ffi::Refusal| PositionsError::Refused { group: group.to_owned(), why: why.to_string() };
    Ok(!found.map_err(refused)?.is_empty())
}

/// A client that speaks for the group and never joins it.
fn client(kafka: &Kafka, group: &str) -> Result<Client, PropertyError> {
    let config = kafka.properties.consumer(group, 1, 1 << 20)?;
    config.create_with_context(Notes::default()).map_err(|error| PropertyError::Rejected(error.to_string()))
}

/// What is committed for those of these partitions that something is committed for.
fn found(client: &Client, partitions: &[(String, i32)]) -> Result<BTreeMap<(String, i32), Committed>, ffi::Refusal> {
    let mut list = OffsetList::new(partitions.len());
    for (topic, partition) in partitions {
        list.add(topic, *partition, -1);
    }
    ffi::committed(client, &mut list, REACH)?;
    let found = list.iter().filter_map(|listed| {
        let (offset, leader_epoch) = (listed.offset().filter(|&offset| offset >= 0)?, listed.leader_epoch());
        let committed = Committed { offset, leader_epoch, metadata: listed.metadata().to_vec() };
        Some(((listed.topic().to_owned(), listed.partition()), committed))
    });
    Ok(found.collect())
}

/// The first (−2) or the next (−1) offset of each partition's log.
fn log_ends(
    client: &Client,
    places: &BTreeMap<(String, i32), Committed>,
    which: i64,
) -> Result<BTreeMap<(String, i32), i64>, ffi::Refusal> {
    let mut list = OffsetList::new(places.len());
    for (topic, partition) in places.keys() {
        list.add(topic, *partition, which);
    }
    if !places.is_empty() {
        ffi::log_offsets(client, &mut list, REACH)?;
    }
    let end = |listed: ffi::Listed<'_>| Some(((listed.topic().to_owned(), listed.partition()), listed.offset()?));
    Ok(list.iter().filter_map(end).collect())
}
