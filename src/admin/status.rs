//! How far a group is, from what it has committed and what its topics hold. No member need be running.

use super::{AdminError, as_text};
use crate::broker::kafka::{Ends, Found, Kafka, MemberSeen, Next, Operator, OperatorError, Place, Range, Visitor};
use retrial_core::{
    control::{Settled, TopicId},
    event::{Committed, LogRange},
    naming::{GroupNames, OwnTopic},
    snapshot::{self, Departure, FinishedRun, Snapshot, SnapshotError, Subject},
    time::Timestamp,
};
use serde::Serialize;
use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

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
    /// Offsets of the log that are not finished: what waits, in a tier; gaps in the log count as well.
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
    let heads = heads(&operator, &settling, &views, &logs)?;
    let partitions: Vec<PartitionStatus> =
        views.iter().map(|view| view.status(names, heads.first.get(&view.place))).collect();
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

/// One partition's commit beside its log.
pub(super) struct View {
    pub(super) place: Place,
    log: LogRange,
    pub(super) watermark: i64,
    pub(super) map: Result<Option<Snapshot>, SnapshotError>,
}

pub(super) fn views(
    operator: &Operator,
    names: &GroupNames,
    committed: &BTreeMap<Place, Committed>,
    logs: &BTreeMap<Place, LogRange>,
) -> Result<Vec<View>, OperatorError> {
    let mut topics: Vec<&str> = logs.keys().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    let ids = operator.topic_ids(&topics)?;
    let view = |(place, committed): (&Place, &Committed)| {
        let (topic, partition, offset) = (&place.0, place.1, committed.offset);
        let subject = Subject { group: names.group(), topic, topic_id: ids.get(topic).copied(), partition, offset };
        let map = snapshot::decode(&committed.metadata, &subject);
        Some(View { place: place.clone(), log: logs.get(place).copied()?, watermark: offset, map })
    };
    Ok(committed.iter().filter_map(view).collect())
}

impl View {
    /// Whether an offset is finished: of a record that is there, under its leader epoch (RULES 2).
    pub(super) fn has_finished(&self, offset: i64, leader_epoch: Option<i32>) -> bool {
        let map = self.map.as_ref().ok().and_then(Option::as_ref);
        let covers = |run: &FinishedRun| {
            (run.from..run.to).contains(&offset) && leader_epoch.is_none_or(|epoch| epoch == run.leader_epoch)
        };
        offset < self.watermark || map.is_some_and(|map| map.finished.iter().any(covers))
    }

    /// Whether an owner that has said no goodbye may have started an offset by its last commit.
    pub(super) fn may_have_started(&self, offset: i64) -> bool {
        let map = self.map.as_ref().ok().and_then(Option::as_ref);
        map.is_some_and(|map| map.departure == Departure::StillHere && offset < map.started_below)
    }

    /// Finished offsets above the watermark and below `end`.
    fn finished_below(&self, end: i64) -> u64 {
        let runs = self.map.as_ref().ok().and_then(Option::as_ref).map_or(&[][..], |map| &map.finished);
        runs.iter().map(|run| run.to.min(end).saturating_sub(run.from).max(0).unsigned_abs()).sum()
    }

    /// Unfinished offsets that the log holds below `end`.
    fn unfinished_below(&self, end: i64) -> u64 {
        let end = end.min(self.log.end);
        let held = end.saturating_sub(self.watermark.max(self.log.start)).max(0).unsigned_abs();
        held.saturating_sub(self.finished_below(end))
    }

    fn status(&self, names: &GroupNames, oldest: Option<&Timestamp>) -> PartitionStatus {
        let (topic, partition) = self.place.clone();
        let map = self.map.as_ref().ok().and_then(Option::as_ref);
        let running = map.filter(|map| map.departure == Departure::StillHere).map_or(0, |map| map.started_below);
        let role = match names.parse(&topic) {
            Some(OwnTopic::Tier(_)) => Role::Tier,
            _ => Role::Source,
        };
        PartitionStatus {
            role,
            watermark: self.watermark,
            finished_beyond: self.finished_below(self.log.end),
            in_flight: self.unfinished_below(running),
            unfinished: self.unfinished_below(self.log.end),
            log_start: self.log.start,
            log_end: self.log.end,
            oldest: oldest.copied(),
            left_well: map.map(|map| map.departure == Departure::LeftWell),
            metadata_ignored: self.map.as_ref().err().map(ToString::to_string),
            topic,
            partition,
        }
    }
}

/// Times of single records.
#[derive(Default)]
struct Heads {
    /// Of the first unfinished one, or the first there is.
    first: BTreeMap<Place, Timestamp>,
    /// Of the last one.
    last: BTreeMap<Place, Timestamp>,
}

/// Reads one record of each partition.
struct Glance {
    times: BTreeMap<Place, Timestamp>,
    deadline: std::time::Instant,
}

impl Visitor for Glance {
    fn record(&mut self, found: &Found<'_>) -> Next {
        if let Some(time) = found.time().timestamp() {
            self.times.insert((found.topic().to_owned(), found.partition()), time);
        }
        Next::PartitionDone
    }

    fn progress(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        // Ages are worth a moment, and what is missing of them is shown as unknown.
        if std::time::Instant::now() > self.deadline { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

const GLANCE: Duration = Duration::from_secs(5);

fn glance(operator: &Operator, ranges: Vec<Range>) -> Result<BTreeMap<Place, Timestamp>, OperatorError> {
    let mut glance = Glance { times: BTreeMap::new(), deadline: std::time::Instant::now() + GLANCE };
    operator.scan(ranges, Ends::AtTheirEnd, &mut glance)?;
    Ok(glance.times)
}

/// Which dead letters are settled, by the topic that is there now.
struct Settling {
    topic: String,
    topic_id: TopicId,
    settled: Settled,
}

impl Settling {
    fn read(operator: &Operator, names: &GroupNames) -> Result<Self, OperatorError> {
        let topic = names.dead_letters();
        let topic_id = operator.topic_ids(&[&topic])?.get(&topic).copied();
        Ok(Self { topic, topic_id, settled: operator.control(names)?.settled })
    }

    fn first_open(&self, partition: i32, log: &LogRange) -> i64 {
        self.settled.first_open(&self.topic, self.topic_id, partition, log.start, log.end)
    }

    fn count(&self, partition: i32, log: &LogRange) -> u64 {
        self.settled.count(&self.topic, self.topic_id, partition, log.start, log.end)
    }
}

fn heads(
    operator: &Operator,
    settling: &Settling,
    views: &[View],
    logs: &BTreeMap<Place, LogRange>,
) -> Result<Heads, OperatorError> {
    let letters = &settling.topic;
    let unfinished = views.iter().map(|view| {
        let from = view.watermark.max(view.log.start);
        Range { place: view.place.clone(), from, to: view.log.end }
    });
    let of_letters = || logs.iter().filter(|((topic, _), _)| topic == letters);
    let first = of_letters().map(|(place, log)| {
        let from = settling.first_open(place.1, log);
        Range { place: place.clone(), from, to: log.end }
    });
    let last =
        of_letters().map(|(place, log)| Range { place: place.clone(), from: log.start.max(log.end - 1), to: log.end });
    Ok(Heads { first: glance(operator, unfinished.chain(first).collect())?, last: glance(operator, last.collect())? })
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

fn dead_letters(
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

/// Parts of a status, for judgements of it.
#[cfg(test)]
pub(super) mod for_tests {
    use super::*;

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
