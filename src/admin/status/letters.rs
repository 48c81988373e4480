//! Dead letters: how many, how many of them settled, of when.

use super::{heads::Heads, seen::DeadLettersStatus};
use crate::broker::kafka::{Operator, OperatorError, Place};
use retrial_core::{
    control::{Settled, TopicId},
    event::LogRange,
    naming::GroupNames,
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Which dead letters are settled, by the topic that is there now.
pub(super) struct Settling {
    pub(super) topic: String,
    topic_id: TopicId,
    settled: Settled,
}

impl Settling {
    pub(super) fn read(operator: &Operator, names: &GroupNames) -> Result<Self, OperatorError> {
        let topic = names.dead_letters();
        let topic_id = operator.topic_ids(&[&topic])?.get(&topic).copied();
        Ok(Self { topic, topic_id, settled: operator.control(names)?.settled })
    }

    pub(super) fn first_open(&self, partition: i32, log: &LogRange) -> i64 {
        self.settled.first_open(&self.topic, self.topic_id, partition, log.start, log.end)
    }

    fn count(&self, partition: i32, log: &LogRange) -> u64 {
        self.settled.count(&self.topic, self.topic_id, partition, log.start, log.end)
    }
}

pub(super) fn dead_letters(
    operator: &Operator,
    settling: &Settling,
    logs: &BTreeMap<Place, LogRange>,
    heads: &Heads,
) -> Option<DeadLettersStatus> {
    let topic = settling.topic.clone();
    operator.topics().get(&topic)?;
    let of = |times: &BTreeMap<Place, Timestamp>| -> Vec<Timestamp> {
        times.iter().filter(|((name, _), _)| *name == topic).map(|(_, time)| *time).collect()
    };
    let held = || logs.iter().filter(|((name, _), _)| *name == topic);
    Some(DeadLettersStatus {
        settled: held().map(|((_, partition), log)| settling.count(*partition, log)).sum(),
        count: held().map(|(_, log)| log.end.saturating_sub(log.start).max(0).unsigned_abs()).sum(),
        oldest: of(&heads.first).into_iter().min(),
        newest: of(&heads.last).into_iter().max(),
        topic,
    })
}
