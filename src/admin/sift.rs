//! A scan of the dead-letter topic through a filter.

use super::{AdminError, Filter, Progress, filter::Candidate};
use crate::broker::kafka::{Ends, Found, Kafka, Next, Operator, Range, Visitor};
use retrial_core::{
    control::{Settled, Settlement, TopicId},
    history::{History, carried},
    naming::GroupNames,
};
use std::{collections::BTreeMap, ops::ControlFlow};

/// Sees each letter that the filter admits, and how it was settled.
pub(super) type Take<'t> = dyn FnMut(&Found<'_>, Result<History, String>, Option<Settlement>) -> ControlFlow<()> + 't;

/// The dead letters of a group, and which of them are meant.
pub(super) struct Sift<'s> {
    operator: Operator,
    group: &'s str,
    topic: String,
    topic_id: TopicId,
    settled: Settled,
    filter: &'s Filter,
}

/// How it ended.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    pub(super) scanned: u64,
    pub(super) matched: u64,
    pub(super) complete: bool,
    /// Where each partition goes on.
    pub(super) next: BTreeMap<i32, i64>,
}

impl<'s> Sift<'s> {
    pub(super) fn new(kafka: &Kafka, names: &'s GroupNames, filter: &'s Filter) -> Result<Self, AdminError> {
        let (operator, topic) = (Operator::connect(kafka, names.group())?, names.dead_letters());
        if !operator.topics().contains_key(&topic) {
            return Err(AdminError::NoTopic { topic, address: kafka.address().to_owned() });
        }
        let topic_id = operator.topic_ids(&[&topic])?.get(&topic).copied();
        let settled = operator.control(names)?.settled;
        Ok(Self { operator, group: names.group(), topic, topic_id, settled, filter })
    }

    /// Looks at all that is there now, or at what follows `from`.
    pub(super) fn run(
        &self,
        from: &BTreeMap<i32, i64>,
        progress: &mut dyn Progress,
        take: &mut Take<'_>,
    ) -> Result<Sifted, AdminError> {
        let ranges = self.ranges(from)?;
        let next = ranges.iter().map(|range| (range.place.1, range.from)).collect();
        let ends: Vec<(i32, i64)> = ranges.iter().map(|range| (range.place.1, range.to)).collect();
        let sifted = Sifted { next, ..Sifted::default() };
        let mut sieve = Sieve { sift: self, sifted, take, progress };
        let complete = self.operator.scan(ranges, Ends::AtTheirEnd, &mut sieve)?;
        let mut sifted = sieve.sifted;
        sifted.complete = complete;
        if complete {
            sifted.next.extend(ends);
        }
        Ok(sifted)
    }

    /// Looks at one offset.
    pub(super) fn run_one(&self, partition: i32, offset: i64, take: &mut Take<'_>) -> Result<(), AdminError> {
        let place = (self.topic.clone(), partition);
        let is_there = self.operator.partitions(&self.topic).contains(&place);
        let log = if is_there { self.operator.logs(std::slice::from_ref(&place))?.remove(&place) } else { None };
        if log.is_none_or(|log| !(log.start..log.end).contains(&offset)) {
            return Ok(());
        }
        let range = Range { place, from: offset, to: offset + 1 };
        let (progress, sifted) = (&mut (), Sifted::default());
        let mut sieve = Sieve { sift: self, sifted, take, progress };
        self.operator.scan(vec![range], Ends::AtTheirEnd, &mut sieve)?;
        Ok(())
    }

    /// The topic is stamped by its brokers, so times rise with offsets, and bounds by time are bounds by offset.
    fn ranges(&self, from: &BTreeMap<i32, i64>) -> Result<Vec<Range>, AdminError> {
        let places = self.operator.partitions(&self.topic);
        let logs = self.operator.logs(&places)?;
        let first = |time| self.operator.first_since(&places, time);
        let (since, until) = (self.filter.since.map(first).transpose()?, self.filter.until.map(first).transpose()?);
        let range = |(place, log): (_, retrial_core::event::LogRange)| {
            let place: (String, i32) = place;
            let first = since.as_ref().map_or(log.start, |since| since.get(&place).copied().unwrap_or(log.end));
            let last = until.as_ref().and_then(|until| until.get(&place).copied()).unwrap_or(log.end);
            let asked = from.get(&place.1).copied().unwrap_or(log.start);
            Range { from: first.max(log.start).max(asked), to: last.min(log.end), place }
        };
        Ok(logs.into_iter().map(range).collect())
    }
}

/// What a dead letter has been through, or why that cannot be read.
pub(super) fn past_of(group: &str, found: &Found<'_>) -> Result<History, String> {
    match History::decode(group, found.headers()) {
        Ok(Some(history)) => Ok(history),
        Ok(None) => Err("it has no headers of retrial: somebody else wrote it".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A filter at work.
struct Sieve<'a, 't> {
    sift: &'a Sift<'a>,
    sifted: Sifted,
    take: &'a mut Take<'t>,
    progress: &'a mut dyn Progress,
}

impl Visitor for Sieve<'_, '_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        self.sifted.scanned += 1;
        self.sifted.next.insert(found.partition(), found.offset() + 1);
        if self.sift.filter.rules_out(found.headers()) {
            return Next::More;
        }
        let history = past_of(self.sift.group, found);
        let candidate = Candidate {
            buried: found.time().timestamp(),
            history: history.as_ref().ok(),
            key: found.key(),
            body: found.body(),
        };
        if !self.sift.filter.admits(&candidate, || carried(found.headers(), history.is_ok()).collect()) {
            return Next::More;
        }
        self.sifted.matched += 1;
        let Sift { settled, topic_id, .. } = self.sift;
        let settled = settled.get(found.topic(), *topic_id, found.partition(), found.offset());
        match (self.take)(found, history, settled) {
            ControlFlow::Continue(()) => Next::More,
            ControlFlow::Break(()) => Next::Stop,
        }
    }

    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.progress.advanced(done, of)
    }
}
