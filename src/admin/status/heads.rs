//! Single records of partitions: the first that is not finished, the last. Where there is none, nothing waits, whatever the
//! offsets say: the ends of transactions take offsets, and no client shows them.

use super::{letters::Settling, view::View};
use crate::broker::kafka::{Ends, Found, Next, Operator, OperatorError, Place, Range, Visitor};
use retrial_core::{event::LogRange, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// How long single records are waited for.
const LIMIT: Duration = Duration::from_secs(5);

/// Times of single records.
#[derive(Default)]
pub(super) struct Heads {
    /// Of the first unfinished one, or the first there is.
    pub(super) first: BTreeMap<Place, Timestamp>,
    /// Of the last one.
    pub(super) last: BTreeMap<Place, Timestamp>,
    /// Partitions whose log holds no unfinished record, for certain.
    pub(super) without: BTreeSet<Place>,
}

impl Heads {
    pub(super) fn read(
        operator: &Operator,
        settling: &Settling,
        views: &[View],
        logs: &BTreeMap<Place, LogRange>,
    ) -> Result<Self, OperatorError> {
        let unfinished: Vec<Range> = views.iter().map(View::unfinished_range).collect();
        let of_letters = || logs.iter().filter(|((topic, _), _)| *topic == settling.topic);
        let open = of_letters().map(|(place, log)| {
            let from = settling.first_open(place.1, log);
            Range { place: place.clone(), from, to: log.end }
        });
        let last = of_letters().map(|(place, log)| {
            let from = log.start.max(log.end - 1);
            Range { place: place.clone(), from, to: log.end }
        });
        let first = Glance::at(operator, unfinished.iter().cloned().chain(open).collect())?;
        let last = Glance::at(operator, last.collect())?;
        Ok(Self { without: first.without(&unfinished), first: first.times, last: last.times })
    }
}

/// Which of these ranges hold no record, for certain.
pub(in crate::admin) fn without_records(
    operator: &Operator,
    ranges: Vec<Range>,
) -> Result<BTreeSet<Place>, OperatorError> {
    Ok(Glance::at(operator, ranges.clone())?.without(&ranges))
}

/// Reads one record of each partition.
struct Glance {
    seen: BTreeSet<Place>,
    times: BTreeMap<Place, Timestamp>,
    /// Whether time was enough for all of them.
    is_complete: bool,
    deadline: Instant,
}

impl Glance {
    fn at(operator: &Operator, ranges: Vec<Range>) -> Result<Self, OperatorError> {
        let deadline = Instant::now() + LIMIT;
        let mut glance = Self { seen: BTreeSet::new(), times: BTreeMap::new(), is_complete: false, deadline };
        glance.is_complete = operator.scan(ranges, Ends::AtTheirEnd, &mut glance)?;
        Ok(glance)
    }

    fn without(&self, ranges: &[Range]) -> BTreeSet<Place> {
        let is_empty = |range: &&Range| self.is_complete && !self.seen.contains(&range.place);
        ranges.iter().filter(is_empty).map(|range| range.place.clone()).collect()
    }
}

impl Visitor for Glance {
    fn record(&mut self, found: &Found<'_>) -> Next {
        self.seen.insert(found.place().clone());
        if let Some(time) = found.time().timestamp() {
            self.times.insert(found.place().clone(), time);
        }
        Next::PartitionDone
    }

    fn progress(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        // Ages are worth a moment, and what is missing of them is shown as unknown.
        if Instant::now() > self.deadline { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
