//! What handlers did, noted as it happens by a layer around them.

use crate::{
    broker::sim::{
        Cluster,
        trace::{Ended, ProcessId},
    },
    layer::{Around, Next},
    record::Record,
};
use retrial_core::{id::Origin, outcome::Outcome};
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

#[derive(Debug)]
pub(super) enum Testimony {
    Began(Origin, u32),
    Concluded(Ended, Option<Duration>),
    /// It took its process down.
    #[cfg(test)]
    Killed,
}

pub(super) type Notes = Mutex<Vec<(ProcessId, Record, Testimony)>>;

/// Sees the attempts of one process. Handlers cannot reach the cluster, which is not `Send`: the notes are put into
/// its trace before anything else happens there.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    process: ProcessId,
    notes: Arc<Notes>,
}

impl Witness {
    pub(super) fn new(process: ProcessId, notes: &Arc<Notes>) -> Self {
        Self { process, notes: Arc::clone(notes) }
    }

    /// The process that it watches.
    pub(crate) fn process(&self) -> ProcessId {
        self.process
    }

    /// The layer to be put around every handler.
    pub(crate) fn layer(&self) -> impl Around {
        let witness = self.clone();
        move |record: Record, next: Next| {
            let witness = witness.clone();
            async move {
                let attempt = next.attempt();
                witness.note(&record, Testimony::Began(attempt.origin(), attempt.number()));
                let mut ending = Ending { witness, record: record.clone(), ended: None, asked: None };
                let outcome = next.run(record).await;
                ending.asked = match outcome {
                    Outcome::RetryAfter(delay, _) | Outcome::Snooze(delay) | Outcome::Hold(delay) => Some(delay),
                    _ => None,
                };
                ending.ended = Some(match outcome {
                    Outcome::Done => Ended::Done,
                    Outcome::Discard(_) => Ended::Discarded,
                    Outcome::Retry(_) | Outcome::RetryAfter(..) | Outcome::Dead(..) => Ended::Failed,
                    Outcome::Snooze(_) | Outcome::Hold(_) => Ended::PutOff,
                });
                outcome
            }
        }
    }

    /// The attempt takes its process down: nothing that happens in it afterwards counts.
    #[cfg(test)]
    pub(crate) fn kill(&self, record: &Record) {
        self.note(record, Testimony::Killed);
    }

    fn note(&self, record: &Record, testimony: Testimony) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push((self.process, record.clone(), testimony));
    }
}

/// Says how an attempt ended, also one that panicked or was dropped.
struct Ending {
    witness: Witness,
    record: Record,
    ended: Option<Ended>,
    asked: Option<Duration>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let otherwise = if thread::panicking() { Ended::Failed } else { Ended::Dropped };
        self.witness.note(&self.record, Testimony::Concluded(self.ended.unwrap_or(otherwise), self.asked));
    }
}

/// Puts what was noted into the cluster's trace.
pub(super) fn testify(notes: &Notes, cluster: &Cluster) {
    let noted = std::mem::take(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner));
    for (process, record, testimony) in noted {
        match testimony {
            Testimony::Began(origin, attempt) => cluster.began(process, &record, origin, attempt),
            Testimony::Concluded(ended, asked) => cluster.concluded(process, &record, ended, asked),
            #[cfg(test)]
            Testimony::Killed => cluster.kill(process),
        }
    }
}
