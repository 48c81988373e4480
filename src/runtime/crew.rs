//! A crew: the workers that run the handlers of some topics, and the driver's view of them.
//!
//! Each worker is one task of a tokio runtime; work goes to the one with the least to do. A topic with threads of
//! its own has a crew, and a runtime, of its own: whatever blocks those threads stops no other topic.

use super::{board::Running, worker::Worker};
use crate::{extract::Threads, record::Record, topic::Registered};
use retrial_core::{
    event::{Finished, Work},
    id::Slot,
};
use std::sync::{Arc, mpsc};
use tokio::{runtime::Handle, sync::mpsc as inbox, task::unconstrained};

/// What the driver tells a worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// Make these attempts.
    Run(Vec<Work<Record>>),
    /// The time of this assignment is short: fire the tokens of its attempts.
    Hurry(Slot),
    /// This assignment is over: drop its attempts.
    Abandon(Slot),
    /// Somebody wants to know what runs.
    Tell(mpsc::Sender<Vec<Running>>),
}

/// Attempts that ended, as one worker reports them.
#[derive(Debug)]
pub(crate) struct Report {
    /// Which crew.
    pub(crate) crew: usize,
    /// Which of its workers.
    pub(crate) worker: usize,
    /// What they came to.
    pub(crate) finished: Vec<Finished<Record>>,
}

/// What every worker of a service shares.
#[derive(Clone)]
pub(crate) struct Workplace {
    /// The handlers, by topic.
    pub(crate) handlers: Arc<[Registered]>,
    /// The group, which idempotency keys begin with.
    pub(crate) group: Arc<str>,
    /// Who may start.
    pub(crate) permits: Arc<super::permit::Permits>,
    /// Where reports go.
    pub(crate) reports: mpsc::Sender<Report>,
    /// Wakes the driver to read them.
    pub(crate) waker: crate::broker::Waker,
    /// Threads for blocking handlers.
    pub(crate) threads: Arc<dyn Threads>,
}

/// The driver's end of a crew.
#[derive(Debug)]
pub(crate) struct Crew {
    workers: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    inbox: inbox::UnboundedSender<Command>,
    outstanding: usize,
}

impl Crew {
    /// Starts a crew of so many workers on a runtime. They end when the crew is dropped.
    pub(crate) fn start(number: usize, workers: usize, runtime: &Handle, place: &Workplace) -> Self {
        let member = |worker| {
            let (inbox, commands) = inbox::unbounded_channel();
            // A worker is many attempts in one task: the budget that tokio gives a task would be theirs together.
            // It yields by itself.
            drop(runtime.spawn(unconstrained(Worker::new(number, worker, commands, place.clone()))));
            Member { inbox, outstanding: 0 }
        };
        Self { workers: (0..workers.max(1)).map(member).collect() }
    }

    /// How many workers it has.
    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Ways to its workers, which keep none of them.
    pub(super) fn inboxes(&self) -> impl Iterator<Item = inbox::WeakUnboundedSender<Command>> + '_ {
        self.workers.iter().map(|member| member.inbox.downgrade())
    }

    /// Gives a run of work to the worker with the least to do.
    pub(crate) fn give(&mut self, run: Vec<Work<Record>>) {
        let Some(member) = self.workers.iter_mut().min_by_key(|member| member.outstanding) else { return };
        member.outstanding += run.len();
        // A worker is gone only when its runtime is, and then the service is ending.
        let _ = member.inbox.send(Command::Run(run));
    }

    /// Tells every worker.
    pub(crate) fn tell_all(&self, command: impl Fn() -> Command) {
        for member in &self.workers {
            let _ = member.inbox.send(command());
        }
    }

    /// A worker has reported so many attempts.
    pub(crate) fn reported(&mut self, worker: usize, attempts: usize) {
        if let Some(member) = self.workers.get_mut(worker) {
            member.outstanding = member.outstanding.saturating_sub(attempts);
        }
    }
}
