//! Whether a group has committed anything: read without joining.

use super::{
    connect::Kafka,
    connection::{REACH, Unreachable},
    context::{Client, Notes},
    ffi::{self, OffsetList},
    properties::PropertyError,
};

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

/// Whether the group has committed an offset for any of these partitions, by whatever tool.
///
/// # Errors
/// See [`PositionsError`].
pub(crate) fn has_committed(kafka: &Kafka, group: &str, partitions: &[(String, i32)]) -> Result<bool, PositionsError> {
    let client = client(kafka, group)?;
    let mut list = OffsetList::new(partitions.len());
    for (topic, partition) in partitions {
        list.add(topic, *partition, -1);
    }
    let refused = |why: ffi::Refusal| PositionsError::Refused { group: group.to_owned(), why: why.to_string() };
    ffi::committed(&client, &mut list, REACH).map_err(refused)?;
    Ok(list.iter().any(|listed| listed.offset().is_some()))
}

/// A client that speaks for the group and never joins it.
fn client(kafka: &Kafka, group: &str) -> Result<Client, PropertyError> {
    let config = kafka.properties.consumer(group, 1, 1 << 20)?;
    config.create_with_context(Notes::default()).map_err(PropertyError::from)
}
