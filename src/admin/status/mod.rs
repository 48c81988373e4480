//! How far a group is, from what it has committed and what its topics hold. No member need be running.

mod heads;
mod letters;
mod seen;
mod view;

pub(super) use heads::without_records;
#[cfg(test)]
pub(super) use seen::for_tests;
pub use seen::{DeadLettersStatus, MemberStatus, PartitionStatus, Role, Status, TierStatus};
pub(super) use view::{View, views};

use super::AdminError;
use crate::broker::kafka::{Kafka, Operator, Place};
use heads::Heads;
use letters::{Settling, dead_letters};
use retrial_core::{
    event::LogRange,
    naming::{GroupNames, OwnTopic},
};
use std::collections::BTreeMap;

/// Reads how far a group is. Waits for the brokers, some ten seconds at most for each question.
///
/// # Errors
/// Brokers that do not answer, properties or rights that are missing: see [`AdminError`].
pub fn status(kafka: &Kafka, names: &GroupNames) -> Result<Status, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let (state, members) = operator.members()?;
    let committed = operator.committed()?;
    let own: Vec<Place> = own_topics(&operator, names).flat_map(|topic| operator.partitions(topic)).collect();
    let mut places: Vec<Place> =
        committed.keys().filter(|(topic, _)| operator.topics().contains_key(topic)).cloned().collect();
    places.extend(own);
    places.sort();
    places.dedup();
    let logs = operator.logs(&places)?;
    let views = views(&operator, names, &committed, &logs)?;
    let settling = Settling::read(&operator, names)?;
    let heads = Heads::read(&operator, &settling, &views, &logs)?;
    let partition = |view: &View| match heads.without.contains(&view.place) {
        true => PartitionStatus { unfinished: 0, ..view.status(names, None) },
        false => view.status(names, heads.first.get(&view.place)),
    };
    let partitions: Vec<PartitionStatus> = views.iter().map(partition).collect();
    Ok(Status {
        group: names.group().to_owned(),
        state,
        members: members.into_iter().map(MemberStatus::from).collect(),
        tiers: tiers(&operator, names, &partitions, &logs),
        dead_letters: dead_letters(&operator, &settling, &logs, &heads),
        partitions,
    })
}

pub(super) fn own_topics<'a>(operator: &'a Operator, names: &'a GroupNames) -> impl Iterator<Item = &'a str> {
    let own = |topic: &&String| matches!(names.parse(topic), Some(OwnTopic::Tier(_) | OwnTopic::DeadLetters));
    operator.topics().keys().filter(own).map(String::as_str)
}

fn tiers(
    operator: &Operator,
    names: &GroupNames,
    partitions: &[PartitionStatus],
    logs: &BTreeMap<Place, LogRange>,
) -> Vec<TierStatus> {
    let mut tiers = Vec::new();
    for topic in operator.topics().keys() {
        let Some(OwnTopic::Tier(delay)) = names.parse(topic) else { continue };
        let read = || partitions.iter().filter(|partition| partition.topic == *topic);
        // A partition without a commit was never read: all of it waits.
        let unread = logs.iter().filter(|((name, number), _)| name == topic && !read().any(|p| p.partition == *number));
        let unread: u64 = unread.map(|(_, log)| log.end.saturating_sub(log.start).max(0).unsigned_abs()).sum();
        tiers.push(TierStatus {
            topic: topic.clone(),
            delay_seconds: delay.as_secs(),
            waiting: read().map(|partition| partition.unfinished).sum::<u64>() + unread,
            next_due: read().filter_map(|partition| partition.oldest).min().map(|oldest| oldest.after(delay)),
        });
    }
    tiers.sort_by_key(|tier| tier.delay_seconds);
    tiers
}
