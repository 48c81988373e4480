//! The operator's desk: nobody else of this group writes, and what was written is known.

use crate::{
    admin::AdminError,
    broker::kafka::{Broken, ControlReader, Kafka, OutRecord, Transactor},
    clock,
};
use retrial_core::{
    control::{Claim, Control, Operation, claim_key, operation_key, stop_key},
    naming::GroupNames,
    time::Timestamp,
};

/// Key of the record that is written to read the broker's clock; the service writes the same.
const CLOCK: &str = "clock";

/// Why a session ended early.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// It may go on in a new session.
    Broken(String),
    /// It may not.
    Final(AdminError),
}

impl<E: Into<AdminError>> From<E> for Interrupted {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

impl From<Broken> for Interrupted {
    fn from(broken: Broken) -> Self {
        match broken {
            // Whoever fenced us may only have looked: the claim tells.
            Broken::Fenced => Self::Broken("another operator began, and fenced this one".to_owned()),
            Broken::Failed(why) => Self::Broken(why),
            Broken::Forbidden(why) => {
                Self::Final(AdminError::Refused { what: "nothing may be written in transactions".to_owned(), why })
            }
        }
    }
}

/// What is read and written under one fence. See the [module](self).
pub(super) struct Session {
    pub(super) control: Control,
    /// The broker's time when it was opened.
    pub(super) now: Timestamp,
    topic: String,
    transactor: Transactor,
    reader: ControlReader,
    /// Requests to stop that came since.
    heard: Control,
}

impl Session {
    /// Fences whoever wrote before, and reads control to its end: in this order, so that nothing can be written in between
    /// (RULES 18).
    pub(super) fn open(kafka: &Kafka, names: &GroupNames, largest: usize) -> Result<Self, Interrupted> {
        let mut transactor = Transactor::open(kafka, names.group(), largest)?;
        let (topic, sent) = (names.control(), clock::now().to_string());
        transactor.write(record(&topic, CLOCK, Some(sent.as_bytes())), [])?;
        let now = transactor.commit()?.unwrap_or_else(clock::now);
        let (reader, mut control) = (ControlReader::open(kafka, names)?, Control::default());
        reader.read_to_end(&mut control)?;
        if let Some(warning) = control.warnings().next() {
            return Err(AdminError::Unreadable { warning: warning.to_owned() }.into());
        }
        Ok(Self { control, now, topic, transactor, reader, heard: Control::default() })
    }

    /// Writes a record of somebody else's topic into the transaction that is open.
    pub(super) fn send<'h>(
        &mut self,
        record: OutRecord<'_>,
        headers: impl IntoIterator<Item = (&'h [u8], Option<&'h [u8]>)> + Clone,
    ) -> Result<(), Broken> {
        self.transactor.write(record, headers)
    }

    /// Writes a control record into the transaction that is open.
    pub(super) fn note(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), Broken> {
        self.transactor.write(record(&self.topic, key, value), [])
    }

    /// Writes how an operation stands; and that this session goes on with it, or, without a claim, that nobody does.
    pub(super) fn note_operation(&mut self, operation: &Operation, claim: Option<&Claim>) -> Result<(), Broken> {
        self.note(&operation_key(&operation.id), Some(operation.encode().as_bytes()))?;
        match claim {
            Some(claim) => self.note(claim_key(), Some(claim.encode().as_bytes())),
            None => {
                self.note(&stop_key(&operation.id), None)?;
                self.note(claim_key(), None)
            }
        }
    }

    pub(super) fn commit(&mut self) -> Result<(), Broken> {
        self.transactor.commit().map(drop)
    }

    /// Requests to stop that were there when it was opened count as well.
    pub(super) fn hear_what_was_asked(&mut self) {
        self.heard.stops.clone_from(&self.control.stops);
    }

    /// Who asked meanwhile for the end of this operation.
    pub(super) fn stop_requested(&mut self, operation: &str) -> Option<String> {
        self.reader.read_requests(&mut self.heard);
        self.heard.stops.get(operation).map(|request| request.who.clone())
    }
}

fn record<'a>(topic: &'a str, key: &'a str, body: Option<&'a [u8]>) -> OutRecord<'a> {
    // Control has one partition that counts, the first.
    OutRecord { topic, key: Some(key.as_bytes()), body, spread: 0 }
}
