//! Which operations there are, and the end of one that goes on elsewhere.

use super::{
    letters,
    run::By,
    session::{Interrupted, Session},
};
use crate::{
    admin::{AdminError, Progress, replay::resume_replay},
    broker::kafka::{Kafka, Operator, request},
    clock,
};
use retrial_core::{
    control::{Control, Kind, Operation, State, StopRequest, stop_key},
    naming::GroupNames,
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a request to stop may take: an operation looks ten times a second, and ends with its batch.
const HEARD: Duration = Duration::from_secs(20);

/// The operations of a group, the newest first, and whose claim stands.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Operations {
    /// Every operation that is remembered.
    pub all: Vec<Operation>,
    /// The one that is at work, or whose process was killed.
    pub at_work: Option<String>,
}

/// Reads which operations there are.
///
/// # Errors
/// See [`AdminError`].
pub fn operations(kafka: &Kafka, names: &GroupNames) -> Result<Operations, AdminError> {
    let control = Operator::connect(kafka, names.group())?.control(names)?;
    let all = control.newest_first().into_iter().cloned().collect();
    Ok(Operations { all, at_work: control.claim.map(|seen| seen.claim.operation) })
}

fn known(control: &Control, id: &str) -> Result<Operation, AdminError> {
    let missing = || AdminError::NoOperation { id: id.to_owned(), why: "is not known to this group".to_owned() };
    control.operations.get(id).cloned().ok_or_else(missing)
}

/// Goes on with an operation that was stopped, or whose process is gone.
///
/// # Errors
/// It is done; somebody is at work; or see [`AdminError`].
pub fn resume(
    kafka: &Kafka,
    names: &GroupNames,
    id: &str,
    by: &By,
    progress: &mut dyn Progress,
) -> Result<Operation, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let control = operator.control(names)?;
    let operation = known(&control, id)?;
    if operation.state == State::Done {
        return Err(AdminError::NoOperation {
            id: id.to_owned(),
            why: "is done: there is nothing to go on with".into(),
        });
    }
    // To resume what nobody answers for any more is to take it over.
    let is_its_own = control.claim.is_some_and(|seen| seen.claim.operation == id);
    let by = By { take_over: by.take_over || is_its_own, ..by.clone() };
    match operation.kind {
        Kind::Redrive | Kind::Discard => letters::resume_letters(kafka, names, &operator, operation, &by, progress),
        Kind::Replay => resume_replay(kafka, names, &operator, operation, &by, progress),
        kind => {
            let why = format!("is a {kind}, which this version cannot resume");
            Err(AdminError::NoOperation { id: id.to_owned(), why })
        }
    }
}

/// Ends an operation: asks whoever carries it out, or, if nobody does any more, notes that it stopped. Returns how it
/// stands then.
///
/// # Errors
/// It is done; whoever carries it out did not end in time; or see [`AdminError`].
pub fn stop(kafka: &Kafka, names: &GroupNames, id: &str, who: &str) -> Result<Operation, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let control = operator.control(names)?;
    let operation = known(&control, id)?;
    if operation.state != State::Running {
        return Err(AdminError::NoOperation { id: id.to_owned(), why: format!("is {}", operation.state) });
    }
    let asked = StopRequest { who: who.to_owned(), at: clock::now() };
    request(kafka, names, &stop_key(id), &asked.encode())?;
    let began = Instant::now();
    while began.elapsed() < HEARD {
        thread::sleep(Duration::from_millis(200));
        let now = known(&operator.control(names)?, id)?;
        if now.state != State::Running {
            return Ok(now);
        }
    }
    end_in_its_place(kafka, names, id, who)
}

/// For one whose process is gone: it cannot hear.
fn end_in_its_place(kafka: &Kafka, names: &GroupNames, id: &str, who: &str) -> Result<Operation, AdminError> {
    let end = || -> Result<Operation, Interrupted> {
        let mut session = Session::open(kafka, names, 1 << 20)?;
        let mut operation = known(&session.control, id)?;
        if operation.state != State::Running {
            return Ok(operation);
        }
        if let Some(seen) = session.control.claim.as_ref().filter(|seen| seen.claim.operation == id) {
            // No session has the number 0 but by a chance of one in 2^64.
            seen.yields_to(0, session.now, true)?;
        }
        (operation.state, operation.changed) = (State::Stopped, clock::now());
        operation.note = Some(format!("its process was gone; stopped by {who}"));
        let is_its_own = session.control.claim.as_ref().is_none_or(|seen| seen.claim.operation == id);
        let others = session.control.claim.as_ref().map(|seen| seen.claim.clone()).filter(|_| !is_its_own);
        session.note_operation(&operation, others.as_ref())?;
        session.commit()?;
        Ok(operation)
    };
    end().map_err(|interrupted| match interrupted {
        Interrupted::Final(error) => error,
        Interrupted::Broken(why) => AdminError::Refused { what: format!("{id} cannot be ended"), why },
    })
}
