//! From claim to end.
//!
//! # Invariants
//! 1. Nothing is written before the claim, and the claim is written only over what was read under the same fence.
//! 2. Whatever breaks, the way on is the same: a new fence, control read anew, and on from its progress. So a commit whose
//!    fate is unknown is never guessed at.

use super::{
    Work,
    carrier::{Carrier, Goal, Stopped},
    pace::Pace,
    recall::recall,
    session::{Interrupted, Session},
};
use crate::{
    admin::{AdminError, Progress},
    broker::kafka::{Ends, Kafka, Operator, Range},
    clock,
};
use retrial_core::{
    control::{Claim, Counts, Kind, Operation, Span, State, stop_key},
    naming::GroupNames,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, Hasher, RandomState},
    thread,
    time::Duration,
};

/// Sessions that may break one after the other without a batch in between.
const TRIES: u32 = 5;

/// The pause after one that broke.
const PAUSE: Duration = Duration::from_millis(500);

/// Finished operations that are remembered; older ones are forgotten when another begins.
const REMEMBERED: usize = 500;

const INTERRUPTED: &str = "interrupted";

/// Batches of a smaller size are not worth it, even where the topic takes less.
const BATCH_SIZE: usize = 1 << 20;

/// Who carries something out, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct By {
    /// The operator's name, for everybody else to see.
    pub who: String,
    /// Whether to go on in the place of somebody who gives no sign any more.
    pub take_over: bool,
    /// At most so many records a second; `None`: as fast as it goes.
    pub rate: Option<u32>,
}

impl By {
    /// As this operator.
    #[must_use]
    pub fn new(who: impl Into<String>) -> Self {
        Self { who: who.into(), ..Self::default() }
    }
}

/// An operation that has not begun, with a new id.
pub(in crate::admin) fn begun(kind: Kind, by: &By, request: String, planned: u64, spans: Vec<Span>) -> Operation {
    let now = clock::now();
    let time: String = now.to_string().chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    Operation {
        id: format!("{kind}-{}-{:04x}", time.to_lowercase(), random() & 0xffff),
        kind,
        who: by.who.clone(),
        began: now,
        changed: now,
        state: State::Running,
        planned,
        counts: Counts::default(),
        batches: 0,
        reason: None,
        note: None,
        request,
        spans,
    }
}

/// What was asked for when an operation began.
pub(in crate::admin) fn request_of<T: serde::de::DeserializeOwned>(operation: &Operation) -> Result<T, AdminError> {
    serde_json::from_str(&operation.request).map_err(|error| AdminError::NoOperation {
        id: operation.id.clone(),
        why: format!("has a request that this version cannot read: {error}"),
    })
}

/// Different in each process and at each call: the standard library's hashers are seeded by the system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// An operation that is carried out by this process.
pub(in crate::admin) struct Run<'r> {
    kafka: &'r Kafka,
    names: &'r GroupNames,
    operator: &'r Operator,
    claim: Claim,
    take_over: bool,
    pace: Pace,
    /// What is written if control does not know the operation.
    new: Operation,
    /// Whether the claim was ours once.
    has_claimed: bool,
}

impl<'r> Run<'r> {
    /// For a new operation, or for one as control knows it, which goes on.
    pub(in crate::admin) fn new(
        kafka: &'r Kafka,
        names: &'r GroupNames,
        operator: &'r Operator,
        operation: Operation,
        by: &By,
    ) -> Self {
        let claim = Claim { operation: operation.id.clone(), session: random(), who: by.who.clone() };
        let (take_over, pace) = (by.take_over, Pace::new(by.rate));
        Self { kafka, names, operator, claim, take_over, pace, new: operation, has_claimed: false }
    }

    /// Carries it out, and returns how it stands: done, or stopped.
    ///
    /// # Errors
    /// Somebody else is at work; what was meant is not there any more; it broke off.
    pub(in crate::admin) fn carry_out(
        &mut self,
        work: &mut dyn Work,
        progress: &mut dyn Progress,
    ) -> Result<Operation, AdminError> {
        let goal = self.goal()?;
        let (mut tries, mut batches) = (0, None);
        loop {
            let why = match self.attempt(&goal, work, progress) {
                Ok(operation) => return Ok(operation),
                Err((Interrupted::Final(error), _)) => {
                    self.let_go(&error);
                    return Err(error);
                }
                Err((Interrupted::Broken(why), written)) => {
                    tries = if written > batches { 0 } else { tries + 1 };
                    batches = written.max(batches);
                    why
                }
            };
            tracing::debug!(why, "the session broke; another follows");
            if tries >= TRIES {
                let operation = self.claim.operation.clone();
                return Err(match self.has_claimed {
                    true => AdminError::BrokeOff { operation, why },
                    false => AdminError::Refused { what: format!("{operation} cannot begin"), why },
                });
            }
            thread::sleep(PAUSE);
        }
    }

    /// Notes that this process goes on no more, if it can: else the claim runs out.
    fn let_go(&self, error: &AdminError) {
        let note = || -> Result<(), Interrupted> {
            let mut session = Session::open(self.kafka, self.names, BATCH_SIZE)?;
            let is_ours = session.control.claim.as_ref().is_some_and(|seen| seen.claim.session == self.claim.session);
            let known = session.control.operations.get(&self.new.id).filter(|_| is_ours).cloned();
            let Some(mut operation) = known else { return Ok(()) };
            (operation.state, operation.note, operation.changed) =
                (State::Stopped, Some(error.to_string()), clock::now());
            session.note_operation(&operation, None)?;
            Ok(session.commit()?)
        };
        // Who was taken over has nothing to note, and another session would only fence who goes on.
        let is_taken = matches!(error, AdminError::TakenOver { .. });
        if self.has_claimed
            && !is_taken
            && let Err(why) = note()
        {
            tracing::debug!(?why, "the claim runs out by itself");
        }
    }

    fn goal(&self) -> Result<Goal<'r>, AdminError> {
        let (topic, control) = (self.names.way_back(), self.names.control());
        for topic in [&topic, &control] {
            if !self.operator.topics().contains_key(topic) {
                return Err(AdminError::NoTopic { topic: topic.clone(), address: self.kafka.address().to_owned() });
            }
        }
        self.operator.has_transactions()?;
        let settings = self.kafka.cluster()?.settings(&[&topic])?;
        let largest = settings.get(&topic).and_then(|settings| settings.get("max.message.bytes")?.parse().ok());
        Ok(Goal { names: self.names, topic, largest })
    }

    /// One session. An error comes with how many batches control knew of.
    fn attempt(
        &mut self,
        goal: &Goal<'_>,
        work: &mut dyn Work,
        progress: &mut dyn Progress,
    ) -> Result<Operation, (Interrupted, Option<u64>)> {
        let largest = goal.largest.unwrap_or(BATCH_SIZE).min(BATCH_SIZE);
        let mut session = Session::open(self.kafka, self.names, largest).map_err(|broken| (broken, None))?;
        let known = session.control.operations.get(&self.new.id).map(|known| known.batches);
        self.go_on(&mut session, goal, work, progress).map_err(|broken| (broken, known))
    }

    fn go_on(
        &mut self,
        session: &mut Session,
        goal: &Goal<'_>,
        work: &mut dyn Work,
        progress: &mut dyn Progress,
    ) -> Result<Operation, Interrupted> {
        self.may_claim(session)?;
        let known = session.control.operations.get(&self.new.id);
        let mut operation = known.unwrap_or(&self.new).clone();
        if operation.state == State::Done {
            return Ok(operation);
        }
        if (operation.kind, &operation.request) != (self.new.kind, &self.new.request) {
            // Somebody gave the same name to something else, since this was planned.
            let why = format!("is another {}, begun meanwhile by {}", operation.kind, operation.who);
            return Err(AdminError::IdTaken { id: operation.id, why }.into());
        }
        self.is_what_was_meant(&operation)?;
        (operation.state, operation.note, operation.changed) = (State::Running, None, clock::now());
        self.forget(session, &operation)?;
        match self.has_claimed {
            // Asked for while this session was opened in the place of one that broke.
            true => session.hear_what_was_asked(),
            false => session.note(&stop_key(&operation.id), None)?,
        }
        session.note_operation(&operation, Some(&self.claim))?;
        session.commit()?;
        self.has_claimed = true;

        let stopped = self.read(session, &mut operation, goal, work, progress)?;
        match stopped {
            None => {
                operation.spans.iter_mut().for_each(|span| span.next = span.end);
                operation.state = State::Done;
            }
            Some(why) => (operation.state, operation.note) = (State::Stopped, Some(why)),
        }
        operation.changed = clock::now();
        session.note_operation(&operation, None)?;
        session.commit()?;
        Ok(operation)
    }

    /// Reads what is meant, and writes what becomes of it, but for the last batch; tells why it was ended, if not at its end.
    fn read(
        &mut self,
        session: &mut Session,
        operation: &mut Operation,
        goal: &Goal<'_>,
        work: &mut dyn Work,
        progress: &mut dyn Progress,
    ) -> Result<Option<String>, Interrupted> {
        work.begin(&operation.id);
        if !recall(self.operator, &session.control.settled, &operation.spans, work, progress)? {
            return Ok(Some(INTERRUPTED.to_owned()));
        }
        let range = |span: &Span| Range { place: (span.topic.clone(), span.partition), from: span.next, to: span.end };
        let ranges = operation.spans.iter().map(range).collect();
        let claim = self.claim.clone();
        let mut carrier = Carrier::new(goal, session, operation, &claim, work, (&mut self.pace, progress));
        self.operator.scan(ranges, Ends::AtTheirEnd, &mut carrier)?;
        carrier.finish()
    }

    fn may_claim(&self, session: &Session) -> Result<(), Interrupted> {
        let operation = &self.claim.operation;
        match &session.control.claim {
            Some(seen) if self.has_claimed && seen.claim.session != self.claim.session => {
                let by = format!("{} of {}", seen.claim.operation, seen.claim.who);
                Err(AdminError::TakenOver { operation: operation.clone(), by }.into())
            }
            // What it said last, it said in our place.
            None if self.has_claimed => {
                let by = "another operator, who has ended it".to_owned();
                Err(AdminError::TakenOver { operation: operation.clone(), by }.into())
            }
            Some(seen) => Ok(seen.yields_to(self.claim.session, session.now, self.take_over)?),
            None => Ok(()),
        }
    }

    /// Progress is bound to the identity of topics (RULES 20).
    fn is_what_was_meant(&self, operation: &Operation) -> Result<(), AdminError> {
        let topics: BTreeSet<&str> = operation.spans.iter().map(|span| span.topic.as_str()).collect();
        let ids = self.operator.topic_ids(&topics.into_iter().collect::<Vec<_>>())?;
        let other =
            |span: &&Span| ids.get(&span.topic).copied().zip(span.topic_id).is_some_and(|(now, was)| now != was);
        match operation.spans.iter().find(other) {
            Some(span) => Err(AdminError::MadeAnew { topic: span.topic.clone(), operation: operation.id.clone() }),
            None => Ok(()),
        }
    }

    /// Takes out of control what nothing can ask for any more.
    fn forget(&self, session: &mut Session, operation: &Operation) -> Result<(), Interrupted> {
        let done = session.control.newest_first().into_iter().filter(|one| one.state == State::Done);
        let old: Vec<String> = done.skip(REMEMBERED).map(|one| retrial_core::control::operation_key(&one.id)).collect();
        let topic = self.names.dead_letters();
        let places = self.operator.partitions(&topic);
        let starts: BTreeMap<i32, i64> =
            self.operator.logs(&places)?.into_iter().map(|((_, partition), log)| (partition, log.start)).collect();
        let id = self.operator.topic_ids(&[&topic])?.get(&topic).copied();
        let pages = session.control.settled.obsolete(&topic, id, &starts);
        for key in old.iter().chain(&pages).filter(|key| !key.ends_with(&operation.id)) {
            session.note(key, None)?;
        }
        Ok(())
    }
}

impl Carrier<'_> {
    /// Writes what is left, and tells why the reading was ended, if not at its end.
    fn finish(self) -> Result<Option<String>, Interrupted> {
        let stopped = match self.stopped {
            Some(Stopped::Trouble(trouble)) => return Err(trouble),
            Some(Stopped::Here) => Some(INTERRUPTED.to_owned()),
            Some(Stopped::By(ref who)) => Some(format!("stopped by {who}")),
            None => None,
        };
        self.leave()?;
        Ok(stopped)
    }
}
