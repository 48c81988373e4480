//! Dead letters that go back to work, or are discarded.

use super::{
    Verdict, Work,
    recall::recall,
    reference::{References, is_reference},
    run::{By, Run, begun, request_of},
};
use crate::{
    admin::{AdminError, Filter, Progress, as_text, filter::Candidate, sift::past_of},
    broker::kafka::{Ends, Found, Kafka, Next, Operator, Range, Visitor},
};
use retrial_core::{
    control::{Control, Kind, Operation, Settlement, Span},
    history::{History, carried},
    naming::GroupNames,
    redrive::{Fate, Redriven, brought_back},
};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What is to be done with which dead letters. Written down with the operation, for a resume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LettersRequest {
    /// Which.
    pub filter: Filter,
    /// Whether they are discarded instead of redriven.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub discard: bool,
    /// Whether also those go back whose record was redriven three times already, and died each time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// What an operation on dead letters would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LettersPlan {
    /// The dead-letter topic.
    pub topic: String,
    /// Letters that were looked at.
    pub scanned: u64,
    /// Letters that the filter admits and that are not settled.
    pub matched: u64,
    /// Of those, how many go back, or are discarded.
    pub goes: u64,
    /// Of those, further letters of a record that goes back, or went back: they are settled with it.
    pub copies: u64,
    /// Of those, letters whose record was redriven three times already: they stay, unless forced.
    pub too_often: u64,
    /// Of those, letters without a readable past: they stay.
    pub unreadable: u64,
    /// Of those, letters by reference whose record is gone from its topic: they stay.
    pub gone: u64,
    /// Letters that the filter admits and that were settled before.
    pub settled: u64,
    /// Whether all was looked at.
    pub complete: bool,
    #[serde(skip)]
    spans: Vec<Span>,
    #[serde(skip)]
    request: LettersRequest,
    #[serde(serialize_with = "as_text::serialize")]
    /// What it would be.
    kind: KindOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KindOf(Kind);

impl Default for KindOf {
    fn default() -> Self {
        Self(Kind::Redrive)
    }
}

impl std::fmt::Display for KindOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl LettersPlan {
    /// How many letters the operation would send or settle.
    #[must_use]
    pub fn to_do(&self) -> u64 {
        self.goes + self.copies
    }
}

/// Reads which dead letters are meant, and what would become of them. Nothing is changed.
///
/// # Errors
/// See [`AdminError`].
pub fn plan_letters(
    kafka: &Kafka,
    names: &GroupNames,
    request: &LettersRequest,
    progress: &mut dyn Progress,
) -> Result<LettersPlan, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let topic = names.dead_letters();
    if !operator.topics().contains_key(&topic) {
        return Err(AdminError::NoTopic { topic, address: kafka.address().to_owned() });
    }
    let control = operator.control(names)?;
    let id = operator.topic_ids(&[&topic])?.get(&topic).copied();
    let span = |((topic, partition), log): ((String, i32), retrial_core::event::LogRange)| Span {
        topic,
        topic_id: id,
        partition,
        from: log.start,
        next: log.start,
        end: log.end,
    };
    let spans: Vec<Span> = operator.logs(&operator.partitions(&topic))?.into_iter().map(span).collect();
    let ranges =
        spans.iter().map(|span| Range { place: (span.topic.clone(), span.partition), from: span.from, to: span.end });
    let mut letters = Letters::new(names.group(), request.clone(), &operator, true);
    let ranges = ranges.collect();
    let recalled = recall(&operator, &control.settled, &spans, &mut letters, progress)?;
    let mut rehearsal = Rehearsal { letters: &mut letters, control: &control, spans: &spans, progress, failed: None };
    let complete = recalled && operator.scan(ranges, Ends::AtTheirEnd, &mut rehearsal)?;
    if let Some(error) = rehearsal.failed {
        return Err(error);
    }
    let kind = KindOf(if request.discard { Kind::Discard } else { Kind::Redrive });
    Ok(LettersPlan { topic, complete, spans, request: request.clone(), kind, ..letters.plan })
}

/// Carries out a plan, up to the ends that it fixed, and returns how the operation stands: done, or stopped.
///
/// # Errors
/// See [`AdminError`].
pub fn carry_out_letters(
    kafka: &Kafka,
    names: &GroupNames,
    plan: &LettersPlan,
    by: &By,
    reason: Option<String>,
    progress: &mut dyn Progress,
) -> Result<Operation, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let request = serde_json::to_string(&plan.request).unwrap_or_default();
    let mut operation = begun(plan.kind.0, by, request, plan.to_do(), plan.spans.clone());
    operation.reason = reason;
    let mut letters = Letters::new(names.group(), plan.request.clone(), &operator, false);
    Run::new(kafka, names, &operator, operation, by).carry_out(&mut letters, progress)
}

/// Goes on with an operation as control knows it.
pub(super) fn resume_letters(
    kafka: &Kafka,
    names: &GroupNames,
    operator: &Operator,
    operation: Operation,
    by: &By,
    progress: &mut dyn Progress,
) -> Result<Operation, AdminError> {
    let request = request_of(&operation)?;
    let mut letters = Letters::new(names.group(), request, operator, false);
    Run::new(kafka, names, operator, operation, by).carry_out(&mut letters, progress)
}

/// The work: judges letter by letter, in a plan as in the operation itself.
struct Letters<'l> {
    group: &'l str,
    request: LettersRequest,
    redriven: Redriven,
    references: References<'l>,
    /// Nothing is fetched for a plan.
    is_plan: bool,
    /// The operation's id, once it is known.
    operation: String,
    plan: LettersPlan,
}

impl<'l> Letters<'l> {
    fn new(group: &'l str, request: LettersRequest, operator: &'l Operator, is_plan: bool) -> Self {
        let references = References::new(operator);
        let (redriven, plan) = (Redriven::default(), LettersPlan::default());
        Self { group, request, redriven, references, is_plan, operation: String::new(), plan }
    }

    fn discard(&mut self) -> Verdict {
        self.plan.goes += 1;
        Verdict::Settle(Settlement::Discarded)
    }

    fn redrive(&mut self, found: &Found<'_>, past: &History) -> Result<Verdict, AdminError> {
        let mut whole = None;
        if is_reference(found) {
            // Before it is judged: what stays must not make copies of the others.
            let is_there = match self.is_plan {
                true => self.references.may_be_there(&past.origin)?,
                false => {
                    whole = self.references.fetch(&past.origin, found)?;
                    whole.is_some()
                }
            };
            if !is_there {
                self.plan.gone += 1;
                return Ok(Verdict::Leave);
            }
        }
        match self.redriven.judge(past, self.request.force) {
            Fate::Copy => {
                self.plan.copies += 1;
                Ok(Verdict::Settle(Settlement::Redriven))
            }
            Fate::TooOften => {
                self.plan.too_often += 1;
                Ok(Verdict::Leave)
            }
            Fate::GoesBack => {
                self.plan.goes += 1;
                let past = Box::new(brought_back(past, &self.operation));
                Ok(Verdict::Send { past, whole, settles: true })
            }
        }
    }
}

impl Work for Letters<'_> {
    fn begin(&mut self, operation: &str) {
        self.redriven = Redriven::default();
        operation.clone_into(&mut self.operation);
    }

    fn looks_back(&self) -> bool {
        !self.request.discard
    }

    fn remember(&mut self, found: &Found<'_>) {
        if let Ok(past) = past_of(self.group, found) {
            self.redriven.settled(&past);
        }
    }

    fn not_sent(&mut self, found: &Found<'_>) {
        if let Ok(past) = past_of(self.group, found) {
            self.redriven.stays(&past);
        }
    }

    fn judge(&mut self, found: &Found<'_>, settled: Option<Settlement>) -> Result<Verdict, AdminError> {
        self.plan.scanned += 1;
        let past = past_of(self.group, found);
        let candidate = Candidate {
            buried: found.time().timestamp(),
            history: past.as_ref().ok(),
            key: found.key(),
            body: found.body(),
        };
        let is_meant = self.request.filter.admits(&candidate, || carried(found.headers(), past.is_ok()).collect());
        if settled.is_some() {
            self.plan.settled += u64::from(is_meant);
            return Ok(Verdict::Pass);
        }
        if !is_meant {
            return Ok(Verdict::Pass);
        }
        self.plan.matched += 1;
        match past {
            _ if self.request.discard => Ok(self.discard()),
            Ok(past) => self.redrive(found, &past),
            Err(_) => {
                self.plan.unreadable += 1;
                Ok(Verdict::Leave)
            }
        }
    }
}

/// A reading in which everything is judged and nothing done.
struct Rehearsal<'p, 'l> {
    letters: &'p mut Letters<'l>,
    control: &'p Control,
    spans: &'p [Span],
    progress: &'p mut dyn Progress,
    failed: Option<AdminError>,
}

impl Visitor for Rehearsal<'_, '_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        let id = self.spans.first().and_then(|span| span.topic_id);
        let settled = self.control.settled.get(found.topic(), id, found.partition(), found.offset());
        match self.letters.judge(found, settled) {
            Ok(_) => Next::More,
            Err(error) => {
                self.failed = Some(error);
                Next::Stop
            }
        }
    }

    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.progress.advanced(done, of)
    }
}
