//! Threads for blocking handlers, during which virtual time stands still.
//!
//! The functions run on the threads of the runtime, several at once, as in a service. For each of them tokio is given a
//! blocking task, during which its paused clock does not go on by itself. So a function that takes a second of real time
//! takes no virtual time, and no timer of anybody fires early because of it.

use super::journal::{Journal, Note};
use crate::{
    extract::{Job, Threads},
    runtime::{DEFAULT_BLOCKING_THREADS, blocking::BlockingThreads},
};
use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    time::Duration,
};

pub(super) struct Standstill {
    threads: BlockingThreads,
    journal: Arc<Journal>,
    /// Real time after which a function is said to be stuck.
    limit: Duration,
}

impl Standstill {
    pub(super) fn new(journal: &Arc<Journal>, limit: Duration) -> Self {
        Self { threads: BlockingThreads::new(DEFAULT_BLOCKING_THREADS), journal: Arc::clone(journal), limit }
    }
}

impl Threads for Standstill {
    fn run(&self, job: Job) {
        let (done, ended) = channel::<()>();
        let (journal, limit) = (Arc::clone(&self.journal), self.limit);
        drop(tokio::task::spawn_blocking(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                journal.note(Note::Stuck(limit));
                journal.alarm.notify_one();
            }
        }));
        self.threads.run(Box::new(move || {
            let _done = done;
            job();
        }));
    }
}
