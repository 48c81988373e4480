//! What was settled before, read again for those who must know it.

use super::Work;
use crate::{
    admin::{AdminError, Progress},
    broker::kafka::{Ends, Found, Next, Operator, Range, Visitor},
};
use retrial_core::control::{Settled, Span};
use std::{collections::BTreeMap, ops::ControlFlow};

/// Shows a work every settled letter of these spans, if it wants to see them; says whether it saw all.
pub(super) fn recall(
    operator: &Operator,
    settled: &Settled,
    spans: &[Span],
    work: &mut dyn Work,
    progress: &mut dyn Progress,
) -> Result<bool, AdminError> {
    if !work.looks_back() {
        return Ok(true);
    }
    let any = |span: &&Span| settled.count(&span.topic, span.topic_id, span.partition, span.from, span.end) > 0;
    let spans: BTreeMap<(String, i32), &Span> =
        spans.iter().filter(any).map(|span| ((span.topic.clone(), span.partition), span)).collect();
    let range = |(place, span): (&(String, i32), &&Span)| Range { place: place.clone(), from: span.from, to: span.end };
    let ranges = spans.iter().map(range).collect();
    Ok(operator.scan(ranges, Ends::AtTheirEnd, &mut Recall { settled, spans, work, progress })?)
}

struct Recall<'r> {
    settled: &'r Settled,
    spans: BTreeMap<(String, i32), &'r Span>,
    work: &'r mut dyn Work,
    progress: &'r mut dyn Progress,
}

impl Visitor for Recall<'_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        let Some(span) = self.spans.get(found.place()) else { return Next::PartitionDone };
        if self.settled.get(&span.topic, span.topic_id, span.partition, found.offset()).is_some() {
            self.work.remember(found);
        }
        Next::More
    }

    fn progress(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        self.progress.advanced(0, 0)
    }
}
