//! What a group has committed, beside the logs.

use super::seen::{PartitionStatus, Role};
use crate::broker::kafka::{Operator, OperatorError, Place, Range};
use retrial_core::{
    event::{Committed, LogRange},
    naming::{GroupNames, OwnTopic},
    snapshot::{self, Departure, FinishedRun, Snapshot, SnapshotError, Subject},
    time::Timestamp,
};
use std::collections::BTreeMap;

/// One partition's commit beside its log.
pub(in crate::admin) struct View {
    pub(in crate::admin) place: Place,
    log: LogRange,
    pub(in crate::admin) watermark: i64,
    pub(in crate::admin) map: Result<Option<Snapshot>, SnapshotError>,
}

pub(in crate::admin) fn views(
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
    pub(in crate::admin) fn has_finished(&self, offset: i64, leader_epoch: Option<i32>) -> bool {
        let map = self.map.as_ref().ok().and_then(Option::as_ref);
        let covers = |run: &FinishedRun| {
            (run.from..run.to).contains(&offset) && leader_epoch.is_none_or(|epoch| epoch == run.leader_epoch)
        };
        offset < self.watermark || map.is_some_and(|map| map.finished.iter().any(covers))
    }

    /// Whether an owner that has said no goodbye may have started an offset by its last commit.
    pub(in crate::admin) fn may_have_started(&self, offset: i64) -> bool {
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

    /// Where its unfinished records lie, if there are any.
    pub(super) fn unfinished_range(&self) -> Range {
        Range { place: self.place.clone(), from: self.watermark.max(self.log.start), to: self.log.end }
    }

    pub(super) fn status(&self, names: &GroupNames, oldest: Option<&Timestamp>) -> PartitionStatus {
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
