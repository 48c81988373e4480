//! Where a stopped group begins again: shown, planned, set, and set back.
//!
//! # Invariants
//! 1. Nothing is written while the group has members: they would overwrite it, and the broker refuses it.
//! 2. A plan is made from what is committed; [`apply`] refuses if that has changed since.
//! 3. Positions keep their metadata, so setting back restores also what is finished beyond the watermark.

use super::{AdminError, status::without_records};
use crate::broker::kafka::{Kafka, NewOffset, Operator, Place, Range as Records};
use retrial_core::{
    event::{Committed, LogRange},
    naming::{GroupNames, OwnTopic},
    snapshot::{self, Subject},
    time::Timestamp,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// What a group has committed for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the record before it, or −1.
    pub leader_epoch: i32,
    /// The metadata beside it, as it was written.
    pub metadata: Vec<u8>,
}

impl Position {
    /// A position, as it was read or written down.
    #[must_use]
    pub fn new(topic: &str, partition: i32, offset: i64, leader_epoch: i32, metadata: Vec<u8>) -> Self {
        Self { topic: topic.to_owned(), partition, offset, leader_epoch, metadata }
    }

    fn place(&self) -> Place {
        (self.topic.clone(), self.partition)
    }
}

/// Where a group is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// With the first record that is still there.
    Earliest,
    /// With the next record to be written.
    Latest,
    /// With this offset.
    Offset(i64),
    /// With the first record of this time or later.
    Time(Timestamp),
    /// So many offsets later than now, or earlier if it is negative.
    Shift(i64),
    /// Where these say; other partitions stay.
    Positions(Vec<Position>),
}

/// Which partitions are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Of these topics only; all source topics that the group has committed if empty.
    pub topics: Vec<String>,
    /// Of these partitions only; all if empty.
    pub partitions: Vec<i32>,
}

/// What setting one position would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The committed offset; `None` if there is none.
    pub from: Option<i64>,
    /// The offset to be committed.
    pub to: i64,
    /// Finished offsets that would be handled again; gaps in the log count as well.
    pub again: u64,
    /// Unfinished offsets that would never be handled.
    pub skipped: u64,
    #[serde(skip)]
    leader_epoch: i32,
    #[serde(skip)]
    metadata: Vec<u8>,
}

/// What waits in one tier, whatever the positions of the sources are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Waiting {
    /// The tier.
    pub topic: String,
    /// Unfinished offsets.
    pub count: u64,
}

/// What setting positions would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The group.
    pub group: String,
    /// Partitions that would change.
    pub changes: Vec<Change>,
    /// Partitions that are where they should be.
    pub unchanged: u64,
    /// Tiers in which something waits: that is handled when it is due, beside what begins again.
    pub waiting: Vec<Waiting>,
}

/// All that a group has committed, by topic and partition.
///
/// # Errors
/// See [`AdminError`].
pub fn positions(kafka: &Kafka, names: &GroupNames) -> Result<Vec<Position>, AdminError> {
    let committed = Operator::connect(kafka, names.group())?.committed()?;
    let position = |((topic, partition), committed): (Place, Committed)| {
        let Committed { offset, leader_epoch, metadata } = committed;
        Position { topic, partition, offset, leader_epoch, metadata }
    };
    Ok(committed.into_iter().map(position).collect())
}

/// What would change if a group began elsewhere. Nothing is written.
///
/// # Errors
/// The group has members; a topic does not exist; or see [`AdminError`].
pub fn plan(kafka: &Kafka, names: &GroupNames, scope: &Scope, target: &Target) -> Result<Plan, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    refuse_members(&operator, names)?;
    let committed = operator.committed()?;
    let places = places(&operator, names, scope, target, &committed, kafka.address())?;
    let logs = operator.logs(&places)?;
    let since = match target {
        Target::Time(time) => operator.first_since(&places, *time)?,
        _ => BTreeMap::new(),
    };
    let mut topics: Vec<&str> = places.iter().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    let ids = operator.topic_ids(&topics)?;
    let (mut changes, mut unchanged) = (Vec::new(), 0);
    for (place, log) in &logs {
        let now = committed.get(place);
        let wanted = wanted(target, place, *log, now, &since);
        if now.is_some_and(|now| {
            now.offset == wanted.offset && (wanted.metadata.is_empty() || now.metadata == wanted.metadata)
        }) {
            unchanged += 1;
            continue;
        }
        let view = View { group: names.group(), place, log: *log, topic_id: ids.get(&place.0).copied() };
        changes.push(view.change(now, wanted));
    }
    Ok(Plan { group: names.group().to_owned(), changes, unchanged, waiting: waiting(&operator, names, &committed)? })
}

/// Commits what a plan says.
///
/// # Errors
/// The group has members by now, or its positions are not those of the plan any more, and nothing was written; some
/// partitions were refused ([`AdminError::Partly`]); or see [`AdminError`].
pub fn apply(kafka: &Kafka, names: &GroupNames, plan: &Plan) -> Result<(), AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    refuse_members(&operator, names)?;
    let committed = operator.committed()?;
    let offset = |change: &Change| committed.get(&(change.topic.clone(), change.partition)).map(|found| found.offset);
    if let Some(moved) = plan.changes.iter().find(|change| offset(change) != change.from) {
        return Err(AdminError::Moved {
            place: format!("{}/{}", moved.topic, moved.partition),
            planned: moved.from,
            found: offset(moved),
        });
    }
    let new = |change: &Change| NewOffset {
        place: (change.topic.clone(), change.partition),
        committed: Committed {
            offset: change.to,
            leader_epoch: change.leader_epoch,
            metadata: change.metadata.clone(),
        },
    };
    let refused = operator.write_offsets(&plan.changes.iter().map(new).collect::<Vec<_>>())?;
    if refused.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> =
        refused.into_iter().map(|((topic, partition), why)| format!("{topic}/{partition} ({why})")).collect();
    if refused.len() == plan.changes.len() {
        let what = format!("the offsets of group {} were not set", names.group());
        return Err(AdminError::Refused { what, why: refused.join(", ") });
    }
    Err(AdminError::Partly { done: plan.changes.len() - refused.len(), of: plan.changes.len(), refused })
}

fn refuse_members(operator: &Operator, names: &GroupNames) -> Result<(), AdminError> {
    let (_, members) = operator.members()?;
    if members.is_empty() {
        return Ok(());
    }
    let members =
        members.into_iter().map(|member| format!("{} at {}", member.instance.unwrap_or(member.id), member.host));
    Err(AdminError::Alive { group: names.group().to_owned(), members: members.collect() })
}

/// The partitions that are meant. Tiers only by name: what waits in them is work that was accepted.
fn places(
    operator: &Operator,
    names: &GroupNames,
    scope: &Scope,
    target: &Target,
    committed: &BTreeMap<Place, Committed>,
    address: &str,
) -> Result<Vec<Place>, AdminError> {
    let topics: BTreeSet<String> = match (target, scope.topics.is_empty()) {
        (_, false) => scope.topics.iter().cloned().collect(),
        (Target::Positions(positions), true) => positions.iter().map(|position| position.topic.clone()).collect(),
        (_, true) => {
            committed.keys().map(|(topic, _)| topic.clone()).filter(|topic| names.parse(topic).is_none()).collect()
        }
    };
    if let Some(topic) = topics.iter().find(|topic| !operator.topics().contains_key(*topic)) {
        return Err(AdminError::NoTopic { topic: topic.clone(), address: address.to_owned() });
    }
    let all = topics.iter().flat_map(|topic| operator.partitions(topic));
    let is_meant = |place: &Place| {
        let named = match target {
            Target::Positions(positions) => positions.iter().any(|position| position.place() == *place),
            // A shift needs something to shift.
            Target::Shift(_) => committed.contains_key(place),
            _ => true,
        };
        named && (scope.partitions.is_empty() || scope.partitions.contains(&place.1))
    };
    Ok(all.filter(is_meant).collect())
}

/// Where a partition is to begin: within its log, but for a position that was written down.
fn wanted(
    target: &Target,
    place: &Place,
    log: LogRange,
    now: Option<&Committed>,
    since: &BTreeMap<Place, i64>,
) -> Committed {
    let within =
        |offset: i64| Committed { offset: offset.clamp(log.start, log.end), leader_epoch: -1, metadata: Vec::new() };
    match target {
        Target::Earliest => within(log.start),
        Target::Latest => within(log.end),
        Target::Offset(offset) => within(*offset),
        Target::Time(_) => within(since.get(place).copied().unwrap_or(log.end)),
        Target::Shift(by) => within(now.map_or(log.start, |now| now.offset.saturating_add(*by))),
        Target::Positions(positions) => {
            let found = positions.iter().find(|position| position.place() == *place);
            found.map_or_else(
                || within(log.start),
                |position| Committed {
                    offset: position.offset,
                    leader_epoch: position.leader_epoch,
                    metadata: position.metadata.clone(),
                },
            )
        }
    }
}

/// One partition, to be looked at.
struct View<'a> {
    group: &'a str,
    place: &'a Place,
    log: LogRange,
    topic_id: Option<[u8; 16]>,
}

impl View<'_> {
    /// What a commit calls finished of the log: disjoint ranges, in order.
    fn finished(&self, committed: Option<&Committed>) -> Vec<Range<i64>> {
        let Some(committed) = committed else { return Vec::new() };
        let (topic, partition, offset) = (self.place.0.as_str(), self.place.1, committed.offset);
        let subject = Subject { group: self.group, topic, topic_id: self.topic_id, partition, offset };
        let runs = snapshot::decode(&committed.metadata, &subject).ok().flatten().map(|map| map.finished);
        let beyond = runs.unwrap_or_default().into_iter().map(|run| run.from..run.to);
        let held = |range: Range<i64>| range.start.max(self.log.start)..range.end.min(self.log.end);
        std::iter::once(i64::MIN..offset).chain(beyond).map(held).filter(|range| !range.is_empty()).collect()
    }

    fn unfinished(&self, committed: Option<&Committed>) -> u64 {
        size(self.log.start..self.log.end) - self.finished(committed).into_iter().map(size).sum::<u64>()
    }

    fn change(&self, now: Option<&Committed>, wanted: Committed) -> Change {
        let (done_now, done_then) = (self.finished(now), self.finished(Some(&wanted)));
        let stays: u64 = done_now.iter().map(|one| done_then.iter().map(|other| shared(one, other)).sum::<u64>()).sum();
        let sum = |ranges: Vec<Range<i64>>| ranges.into_iter().map(size).sum::<u64>();
        Change {
            topic: self.place.0.clone(),
            partition: self.place.1,
            from: now.map(|now| now.offset),
            to: wanted.offset,
            again: sum(done_now) - stays,
            skipped: sum(done_then) - stays,
            leader_epoch: wanted.leader_epoch,
            metadata: wanted.metadata,
        }
    }
}

fn size(range: Range<i64>) -> u64 {
    range.end.saturating_sub(range.start).max(0).unsigned_abs()
}

fn shared(one: &Range<i64>, other: &Range<i64>) -> u64 {
    size(one.start.max(other.start)..one.end.min(other.end))
}

fn waiting(
    operator: &Operator,
    names: &GroupNames,
    committed: &BTreeMap<Place, Committed>,
) -> Result<Vec<Waiting>, AdminError> {
    let tiers = operator.topics().keys().filter(|topic| matches!(names.parse(topic), Some(OwnTopic::Tier(_))));
    let places: Vec<Place> = tiers.flat_map(|topic| operator.partitions(topic)).collect();
    let logs = operator.logs(&places)?;
    let mut topics: Vec<&str> = logs.keys().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    let ids = operator.topic_ids(&topics)?;
    // The ends of an operator's transactions are offsets, and no work.
    let rest = logs.iter().map(|(place, log)| {
        let from = committed.get(place).map_or(log.start, |committed| committed.offset.max(log.start));
        Records { place: place.clone(), from, to: log.end }
    });
    let without = without_records(operator, rest.collect())?;
    let mut waiting: BTreeMap<&str, u64> = BTreeMap::new();
    for (place, log) in logs.iter().filter(|(place, _)| !without.contains(*place)) {
        let view = View { group: names.group(), place, log: *log, topic_id: ids.get(&place.0).copied() };
        *waiting.entry(&place.0).or_default() += view.unfinished(committed.get(place));
    }
    let some = waiting.into_iter().filter(|(_, count)| *count > 0);
    Ok(some.map(|(topic, count)| Waiting { topic: topic.to_owned(), count }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Committed {
        Committed { offset, leader_epoch: -1, metadata: Vec::new() }
    }

    fn change(now: Option<i64>, to: i64) -> (u64, u64) {
        let place = ("orders".to_owned(), 0);
        let view = View { group: "billing", place: &place, log: LogRange { start: 100, end: 200 }, topic_id: None };
        let change = view.change(now.map(at).as_ref(), at(to));
        (change.again, change.skipped)
    }

    #[test]
    fn what_is_handled_again_and_what_never_is_counted_within_the_log() {
        for (now, to, counts) in [
            (Some(150), 150, (0, 0)),
            (Some(150), 120, (30, 0)),
            (Some(150), 170, (0, 20)),
            (Some(150), 100, (50, 0)),
            (Some(150), 200, (0, 50)),
            // Retention took the first 100: nobody handles them again, and nobody skips them.
            (Some(50), 150, (0, 50)),
            (None, 100, (0, 0)),
            (None, 200, (0, 100)),
        ] {
            assert_eq!(change(now, to), counts, "{now:?} to {to}");
        }
    }

    #[test]
    fn a_map_that_is_lost_means_that_much_again_and_one_that_is_restored_none() {
        let place = ("orders".to_owned(), 0);
        let view = View { group: "billing", place: &place, log: LogRange { start: 100, end: 200 }, topic_id: None };
        let subject = Subject { group: "billing", topic: "orders", topic_id: None, partition: 0, offset: 150 };
        let runs = [snapshot::FinishedRun { from: 160, to: 180, leader_epoch: 0 }];
        let map = snapshot::encode(snapshot::Departure::LeftWell, 180, runs, &subject, snapshot::LIMIT);
        let with_map = Committed { metadata: map.text.into_bytes(), ..at(150) };
        let counts = |now: &Committed, to: Committed| {
            let change = view.change(Some(now), to);
            (change.again, change.skipped)
        };
        assert_eq!(counts(&with_map, at(150)), (20, 0), "the map is gone");
        assert_eq!(counts(&with_map, at(170)), (10, 10), "what it has of 160 to 170 stays done");
        assert_eq!(counts(&with_map, at(120)), (50, 0));
        assert_eq!(counts(&at(120), with_map.clone()), (0, 50));
    }

    #[test]
    fn a_target_stays_within_the_log() {
        let (place, log) = (("orders".to_owned(), 0), LogRange { start: 100, end: 200 });
        let to = |target: Target| wanted(&target, &place, log, Some(&at(150)), &BTreeMap::new()).offset;
        for (target, offset) in [
            (Target::Earliest, 100),
            (Target::Latest, 200),
            (Target::Offset(7), 100),
            (Target::Offset(170), 170),
            (Target::Offset(i64::MAX), 200),
            (Target::Shift(-20), 130),
            (Target::Shift(i64::MIN), 100),
            (Target::Time(Timestamp::MAX), 200),
        ] {
            assert_eq!(to(target.clone()), offset, "{target:?}");
        }
    }
}
