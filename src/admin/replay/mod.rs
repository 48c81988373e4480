//! Past records of a source topic go to work again, for this group only.
//!
//! A replay is an [operation](super::operation): a plan that fixes the ends, then batches in transactions, which a kill
//! or a second operator can end anywhere without a record lost or done twice. Its id is the replay's, and every
//! record that it brings back carries it.
//!
//! # Invariants
//! 1. What the group has not finished is left alone unless it is told otherwise (RULES 21): `bounds`.
//! 2. What was sent and is not handled yet stays bounded (RULES 5): `backlog`.
//! 3. An id names one replay for good: the same request under it goes on or is done already, another one is refused.

mod backlog;
mod bounds;
mod field;
mod plan;

use super::{
    AdminError, BodyFormat, Condition, HeaderIs, Progress, as_text,
    operation::{
        Verdict, Work,
        run::{By, Run, request_of},
    },
};
use crate::broker::kafka::{Found, Kafka, Operator};
use backlog::{Backlog, MAX_BACKLOG};
pub use field::FieldIs;
pub use plan::{Begun, ReplayPart, ReplayPlan, plan_replay};
use retrial_core::{
    control::Operation,
    history::{History, MAX_ID_BYTES, SourceTime},
    id::Origin,
    naming::GroupNames,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Which records of a source topic go to work again: those that meet every condition. A condition with several values is
/// met by one of them, but all headers and fields must be there. Written down with the operation, for a resume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReplayRequest {
    /// The source topic.
    pub topic: String,
    /// Of these partitions; none for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<i32>,
    /// From this offset on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_offset: Option<i64>,
    /// Up to, and without, this offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_offset: Option<i64>,
    /// Of this time or later, as the topic has it.
    #[serde(with = "as_text::maybe", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before this time.
    #[serde(with = "as_text::maybe", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// With one of these keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// With all of these headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderIs>,
    /// With all of these fields in a JSON body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldIs>,
    /// With a body that meets all of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// How bodies are read for them.
    #[serde(skip_serializing_if = "BodyFormat::is_json")]
    pub body_format: BodyFormat,
    /// Whether also what the group has not finished yet, which then runs twice.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub past_watermark: bool,
}

impl ReplayRequest {
    /// All that the group has finished of a topic.
    #[must_use]
    pub fn of(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }

    fn admits_time(&self, time: SourceTime) -> bool {
        let time = time.timestamp();
        self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until))
    }

    fn admits(&self, found: &Found<'_>) -> bool {
        let key = || self.keys.is_empty() || self.keys.iter().any(|key| found.key() == Some(key.as_bytes()));
        let headers = || self.headers.iter().all(|wanted| found.headers().any(|header| wanted.is(header)));
        let fields = || {
            let body = field::parsed(found.body());
            body.is_some_and(|body| self.fields.iter().all(|wanted| wanted.is_in(&body)))
        };
        let conditions = || self.body_format.meets(&self.conditions, found.body());
        self.admits_time(found.time()) && key() && headers() && (self.fields.is_empty() || fields()) && conditions()
    }
}

/// Checks what a user calls a replay.
fn checked_id(id: &str) -> Result<(), AdminError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(is_plain) {
        return Ok(());
    }
    let why = format!("is not a name: 1 to {MAX_ID_BYTES} of the characters A-Z a-z 0-9 . _ -");
    Err(AdminError::WrongId { id: id.to_owned(), why })
}

/// Carries out a plan, up to the ends that it fixed, or goes on with it where it was left; returns how it stands: done, or
/// stopped.
///
/// # Errors
/// See [`AdminError`].
pub fn carry_out_replay(
    kafka: &Kafka,
    names: &GroupNames,
    plan: &ReplayPlan,
    by: &By,
    progress: &mut dyn Progress,
) -> Result<Operation, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    // To go on with what nobody answers for any more is to take it over.
    let claimed = operator.control(names)?.claim.map(|seen| seen.claim.operation);
    let by = By { take_over: by.take_over || claimed.as_deref() == Some(&*plan.id), ..by.clone() };
    let backlog = Backlog::new(&operator, names, plan.max_backlog);
    let mut work = Replaying { request: plan.request.clone(), id: String::new(), backlog };
    Run::new(kafka, names, &operator, plan.operation.clone(), &by).carry_out(&mut work, progress)
}

/// Goes on with an operation as control knows it.
pub(super) fn resume_replay(
    kafka: &Kafka,
    names: &GroupNames,
    operator: &Operator,
    operation: Operation,
    by: &By,
    progress: &mut dyn Progress,
) -> Result<Operation, AdminError> {
    let request = request_of(&operation)?;
    let mut work = Replaying { request, id: String::new(), backlog: Backlog::new(operator, names, MAX_BACKLOG) };
    Run::new(kafka, names, operator, operation, by).carry_out(&mut work, progress)
}

/// The work: what the request admits is sent, as if it were read for the first time.
struct Replaying<'r> {
    request: ReplayRequest,
    id: String,
    backlog: Backlog<'r>,
}

impl Work for Replaying<'_> {
    fn waits_for(&mut self) -> Result<Option<String>, AdminError> {
        self.backlog.is_too_long()
    }

    fn begin(&mut self, operation: &str) {
        operation.clone_into(&mut self.id);
    }

    fn judge(
        &mut self,
        found: &Found<'_>,
        _: Option<retrial_core::control::Settlement>,
    ) -> Result<Verdict, AdminError> {
        if !self.request.admits(found) {
            return Ok(Verdict::Pass);
        }
        let origin = Origin { topic: found.topic().into(), partition: found.partition(), offset: found.offset() };
        let mut past = Box::new(History::new(origin, found.time()));
        (past.operation, past.replay) = (Some(self.id.clone()), Some(self.id.clone()));
        self.backlog.grows();
        Ok(Verdict::Send { past, whole: None, settles: false })
    }
}
