//! The topics of the cluster.

use super::{
    log::{Message, PartitionLog, Stored},
    trace::Place,
};
use retrial_core::{event::LogRange, history::SourceTime, time::Timestamp};
use std::{collections::BTreeMap, rc::Rc, sync::Arc};

/// What a topic is made with.
#[derive(Clone, Debug)]
pub(crate) struct TopicSettings {
    /// Number of partitions.
    pub(crate) partitions: i32,
    /// Whether the broker stamps records (`message.timestamp.type=LogAppendTime`).
    pub(crate) append_time: bool,
    /// Largest record, in bytes of key, body and headers.
    pub(crate) max_bytes: usize,
}

impl TopicSettings {
    /// A user's topic, stamped by its producers.
    pub(crate) const fn source(partitions: i32) -> Self {
        Self { partitions, append_time: false, max_bytes: 1 << 20 }
    }

    /// One of a group's own topics, stamped by the broker.
    pub(crate) const fn own(partitions: i32) -> Self {
        Self { partitions, append_time: true, max_bytes: (1 << 20) + 4096 }
    }
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) settings: TopicSettings,
    incarnation: u32,
    logs: Vec<PartitionLog>,
}

/// Topics by name.
#[derive(Debug, Default)]
pub(super) struct Topics {
    topics: BTreeMap<Arc<str>, Topic>,
    made: u32,
}

impl Topics {
    /// Makes a topic. One that exists stays as it is.
    pub(super) fn create(&mut self, name: &str, settings: TopicSettings) {
        if self.topics.contains_key(name) {
            return;
        }
        self.made += 1;
        let logs = (0..settings.partitions).map(|_| PartitionLog::new()).collect();
        self.topics.insert(name.into(), Topic { settings, incarnation: self.made, logs });
    }

    /// Deletes a topic and returns what it held.
    pub(super) fn delete(&mut self, name: &str) -> Vec<(Place, Vec<Rc<Stored>>)> {
        let places: Vec<Place> = self.places(|topic| topic == name).collect();
        let Some(topic) = self.topics.remove(name) else { return Vec::new() };
        let records = topic.logs.into_iter().map(|log| log.records().map(Rc::clone).collect());
        places.into_iter().zip(records).collect()
    }

    /// A topic by its name.
    pub(super) fn get(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// Every partition of the topics whose names fit.
    pub(super) fn places(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = Place> {
        let topics = self.topics.iter().filter(move |(name, _)| fits(name));
        topics.flat_map(|(name, topic)| {
            (0..topic.settings.partitions).map(|partition| Place {
                topic: Arc::clone(name),
                incarnation: topic.incarnation,
                partition,
            })
        })
    }

    /// Where a partition of a topic is now.
    pub(super) fn place(&self, name: &str, partition: i32) -> Option<Place> {
        let (name, topic) = self.topics.get_key_value(name)?;
        Some(Place { topic: Arc::clone(name), incarnation: topic.incarnation, partition })
    }

    /// The log of a place, while its topic is the one that it was.
    pub(super) fn log(&self, place: &Place) -> Option<&PartitionLog> {
        let topic = self.topics.get(&place.topic).filter(|topic| topic.incarnation == place.incarnation)?;
        topic.logs.get(usize::try_from(place.partition).ok()?)
    }

    /// As [`Topics::log`].
    pub(super) fn log_mut(&mut self, place: &Place) -> Option<&mut PartitionLog> {
        let topic = self.topics.get_mut(&place.topic).filter(|topic| topic.incarnation == place.incarnation)?;
        topic.logs.get_mut(usize::try_from(place.partition).ok()?)
    }

    /// First and next offset of a place; an empty log where it is gone.
    pub(super) fn range(&self, place: &Place) -> LogRange {
        self.log(place).map_or(LogRange { start: 0, end: 0 }, PartitionLog::range)
    }

    /// Appends a message at the broker's time `now`.
    pub(super) fn append(
        &mut self,
        place: &Place,
        now: Timestamp,
        created: Timestamp,
        message: Message,
    ) -> Option<Rc<Stored>> {
        let append_time = self.get(&place.topic)?.settings.append_time;
        let time = if append_time { SourceTime::Append(now) } else { SourceTime::Create(created) };
        Some(self.log_mut(place)?.append(time, message))
    }
}

/// The identity that the broker tells of a topic (KIP-516).
pub(super) fn topic_id(place: &Place) -> [u8; 16] {
    let mut id = [0x5A; 16];
    id[..4].copy_from_slice(&place.incarnation.to_be_bytes());
    id
}

/// The partition that a key belongs to (FNV-1a). Records without a key go where `otherwise` says.
pub(super) fn partition_of(key: Option<&[u8]>, otherwise: u64, partitions: i32) -> i32 {
    let hash = |key: &[u8]| {
        key.iter()
            .fold(0xCBF2_9CE4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    };
    let number = key.map_or(otherwise, hash) >> 8;
    i32::try_from(number % u64::try_from(partitions.max(1)).unwrap_or(1)).unwrap_or(0)
}
