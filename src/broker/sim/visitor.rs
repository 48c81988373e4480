//! What somebody outside the group writes to the cluster, and what they can see of the group's progress.

use super::{cluster::Cluster, log::Message, topics::partition_of, trace::Spot};
use retrial_core::time::Timestamp;

impl Cluster {
    /// Appends a message to a partition, or to that of its key, and says where it is. `None` if there is no such
    /// partition. Without a time of its own it is stamped with the time it has now.
    pub(crate) fn produce_to(
        &self,
        topic: &str,
        partition: Option<i32>,
        created: Option<Timestamp>,
        message: Message,
    ) -> Option<Spot> {
        let mut state = self.state();
        let partitions = state.topics.get(topic)?.settings.partitions;
        let partition = partition.unwrap_or_else(|| {
            let otherwise = state.random.number();
            partition_of(message.key.as_deref(), otherwise, partitions)
        });
        let place = state.topics.place(topic, partition).filter(|place| (0..partitions).contains(&place.partition))?;
        let created = created.unwrap_or(state.now);
        let record = state.append(&place, created, message, None)?;
        Some(Spot::of(&place, &record))
    }

    /// Whether a group has committed everything that the topics hold whose names fit.
    pub(crate) fn is_drained(&self, group: &str, fits: impl Fn(&str) -> bool) -> bool {
        let state = self.0.borrow();
        let group = state.groups.get(group);
        state.topics.places(fits).all(|place| {
            let end = state.topics.range(&place).end;
            let committed = group.and_then(|group| group.committed(&place.topic, place.partition));
            end == 0 || committed.is_some_and(|kept| kept.committed.offset >= end)
        })
    }
}
