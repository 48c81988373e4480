//! What a replay would do.

use super::{
    AdminError, Progress, ReplayRequest,
    backlog::MAX_BACKLOG,
    bounds::{Asked, Part, part},
    checked_id,
};
use crate::{
    admin::{
        operation::run::{By, begun},
        status::views,
    },
    broker::kafka::{Ends, Found, Kafka, Next, Operator, Place, Range, Visitor},
};
use retrial_core::{
    control::{Control, Kind, Operation, Span, State},
    event::LogRange,
    history::SourceTime,
    naming::GroupNames,
};
use serde::Serialize;
use std::{collections::BTreeMap, ops::ControlFlow};

/// What a replay would do in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReplayPart {
    /// The partition.
    pub partition: i32,
    /// Where it begins.
    pub from: i64,
    /// Where it ends, without this offset.
    pub end: i64,
    /// The group's lowest unfinished offset; `None` if it has no position there.
    pub watermark: Option<i64>,
    /// How many records go to work again.
    pub goes: u64,
    /// Offsets behind the end that were meant and that the group has not finished.
    pub left: u64,
}

/// What a replay would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReplayPlan {
    /// Its id, which every record that it brings back carries.
    pub id: String,
    /// The source topic.
    pub topic: String,
    /// Records that were looked at.
    pub scanned: u64,
    /// How many go to work again.
    pub goes: u64,
    /// Offsets that were meant and that the group has not finished.
    pub left: u64,
    /// Whether all was looked at.
    pub complete: bool,
    /// Partition by partition.
    pub partitions: Vec<ReplayPart>,
    /// How far it is, if it was begun before; it goes on with the plan that it was begun with.
    pub begun: Option<Begun>,
    /// While so many records of the way back in are not handled, it waits; 100,000 if nobody changes it.
    #[serde(skip)]
    pub max_backlog: u64,
    #[serde(skip)]
    pub(super) request: ReplayRequest,
    #[serde(skip)]
    pub(super) operation: Operation,
}

/// A replay that was begun before, under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Begun {
    /// How many records it means to send.
    pub planned: u64,
    /// How many it has sent.
    pub sent: u64,
    /// Whether it is done: then there is nothing to do.
    pub done: bool,
}

/// Reads which records would go to work again. Nothing is changed. `id`: what to call it; `None` makes one up.
///
/// # Errors
/// [`AdminError::PastWatermark`] if the request names offsets that the group has not finished;
/// [`AdminError::NotRead`] if the group has no position in the topic; [`AdminError::IdTaken`] if the id is of something else;
/// or see [`AdminError`].
pub fn plan_replay(
    kafka: &Kafka,
    names: &GroupNames,
    request: &ReplayRequest,
    (id, by): (Option<&str>, &By),
    progress: &mut dyn Progress,
) -> Result<ReplayPlan, AdminError> {
    id.map(checked_id).transpose()?;
    let operator = Operator::connect(kafka, names.group())?;
    let topic = &request.topic;
    if names.parse(topic).is_some() {
        return Err(AdminError::OwnTopic { topic: topic.clone() });
    }
    if !operator.topics().contains_key(topic) {
        return Err(AdminError::NoTopic { topic: topic.clone(), address: kafka.address().to_owned() });
    }
    let written = serde_json::to_string(request).unwrap_or_default();
    let control = operator.control(names)?;
    if let Some(known) = id.and_then(|id| known(&control, id, &written).transpose()) {
        return Ok(ReplayPlan::of_known(known?, request));
    }
    let parts = parts(&operator, names, request)?;
    let topic_id = operator.topic_ids(&[topic])?.get(topic).copied();
    let mut rehearsal = Rehearsal { request, progress, scanned: 0, seen: BTreeMap::new() };
    let range = |part: &ReplayPart| Range { place: (topic.clone(), part.partition), from: part.from, to: part.end };
    let complete = operator.scan(parts.iter().map(range).collect(), Ends::AtTheirEnd, &mut rehearsal)?;
    let Rehearsal { scanned, mut seen, .. } = rehearsal;
    let with_counts = |mut part: ReplayPart| {
        let seen = seen.remove(&part.partition).unwrap_or_default();
        part.goes = seen.goes;
        // What is left is later than what was asked for.
        if let Some(end) = seen.end {
            (part.end, part.left) = (end, 0);
        }
        part
    };
    let partitions: Vec<ReplayPart> = parts.into_iter().map(with_counts).collect();
    let goes = partitions.iter().map(|part| part.goes).sum();
    let span = |part: &ReplayPart| Span {
        topic: topic.clone(),
        topic_id,
        partition: part.partition,
        from: part.from,
        next: part.from,
        end: part.end,
    };
    let mut operation = begun(Kind::Replay, by, written, goes, partitions.iter().map(span).collect());
    if let Some(id) = id {
        id.clone_into(&mut operation.id);
    }
    let left = partitions.iter().map(|part| part.left).sum();
    let (id, topic) = (operation.id.clone(), topic.clone());
    let request = request.clone();
    let (begun, max_backlog) = (None, MAX_BACKLOG);
    Ok(ReplayPlan { id, topic, scanned, goes, left, complete, partitions, begun, max_backlog, request, operation })
}

/// The replay of this id, if there is one; it must be the same.
fn known(control: &Control, id: &str, request: &str) -> Result<Option<Operation>, AdminError> {
    let taken = |why: String| AdminError::IdTaken { id: id.to_owned(), why };
    match control.operations.get(id) {
        None => Ok(None),
        Some(known) if known.kind != Kind::Replay => Err(taken(format!("is a {}", known.kind))),
        Some(known) if known.request != request => {
            let state = known.state;
            Err(taken(format!("is another replay, which is {state}: {}", known.request)))
        }
        Some(known) => Ok(Some(known.clone())),
    }
}

impl ReplayPlan {
    fn of_known(operation: Operation, request: &ReplayRequest) -> Self {
        let part = |span: &Span| ReplayPart {
            partition: span.partition,
            from: span.next,
            end: span.end,
            watermark: None,
            goes: 0,
            left: 0,
        };
        let (planned, sent) = (operation.planned, operation.counts.sent);
        let begun = Begun { planned, sent, done: operation.state == State::Done };
        Self {
            id: operation.id.clone(),
            topic: request.topic.clone(),
            scanned: 0,
            goes: if begun.done { 0 } else { planned.saturating_sub(sent + operation.counts.left) },
            left: 0,
            complete: true,
            partitions: operation.spans.iter().map(part).collect(),
            begun: Some(begun),
            max_backlog: MAX_BACKLOG,
            request: request.clone(),
            operation,
        }
    }
}

/// The offsets of each partition that is meant.
fn parts(operator: &Operator, names: &GroupNames, request: &ReplayRequest) -> Result<Vec<ReplayPart>, AdminError> {
    let mut places = operator.partitions(&request.topic);
    let missing = |partition: &&i32| !places.iter().any(|(_, there)| there == *partition);
    if let Some(partition) = request.partitions.iter().find(missing) {
        let what = format!("{}/{partition} cannot be replayed", request.topic);
        return Err(AdminError::Refused { what, why: format!("it has {} partitions, from 0", places.len()) });
    }
    if !request.partitions.is_empty() {
        places.retain(|(_, partition)| request.partitions.contains(partition));
    }
    // Positions before logs: what is finished meanwhile is left alone, which is safe.
    let committed = operator.committed()?;
    if !committed.keys().any(|(topic, _)| *topic == request.topic) {
        return Err(AdminError::NotRead { group: names.group().to_owned(), topic: request.topic.clone() });
    }
    let logs = operator.logs(&places)?;
    let views = views(operator, names, &committed, &logs)?;
    let watermarks: BTreeMap<Place, i64> = views.into_iter().map(|view| (view.place, view.watermark)).collect();
    let since = request.since.map(|since| operator.first_since(&places, since)).transpose()?;
    let (mut parts, mut refused) = (Vec::with_capacity(places.len()), Vec::new());
    for (place, log) in logs {
        let watermark = watermarks.get(&place).copied();
        let since = since.as_ref().map(|since| since.get(&place).copied().unwrap_or(log.end));
        match bounded(request, since, log, watermark) {
            Some(Part { from, end, left }) => {
                parts.push(ReplayPart { partition: place.1, from, end, watermark, goes: 0, left });
            }
            None => refused.push((place, watermark.unwrap_or(log.start))),
        }
    }
    if refused.is_empty() { Ok(parts) } else { Err(AdminError::PastWatermark { watermarks: refused }) }
}

fn bounded(request: &ReplayRequest, since: Option<i64>, log: LogRange, watermark: Option<i64>) -> Option<Part> {
    let ReplayRequest { from_offset, to_offset, past_watermark, .. } = *request;
    part(Asked { from_offset, to_offset, since, past_watermark }, log, watermark).ok()
}

/// What was seen of a partition.
#[derive(Clone, Copy, Debug, Default)]
struct SeenPart {
    goes: u64,
    /// The first offset behind which nothing is meant.
    end: Option<i64>,
}

/// A reading in which everything is judged and nothing done.
struct Rehearsal<'p> {
    request: &'p ReplayRequest,
    progress: &'p mut dyn Progress,
    scanned: u64,
    seen: BTreeMap<i32, SeenPart>,
}

impl Visitor for Rehearsal<'_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        let seen = self.seen.entry(found.partition()).or_default();
        // Where the broker stamps, times rise with offsets; a producer's own need not.
        if let (SourceTime::Append(time), Some(until)) = (found.time(), self.request.until)
            && time >= until
        {
            seen.end = Some(found.offset());
            return Next::PartitionDone;
        }
        self.scanned += 1;
        seen.goes += u64::from(self.request.admits(found));
        Next::More
    }

    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.progress.advanced(done, of)
    }
}
