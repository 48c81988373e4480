//! The handler of every test here, and what it has seen.
//!
//! A body is a number and, behind a blank, what is to become of it: nothing (done), `retry` (fails at its first attempt),
//! `wait` (is done when the gate is opened), `late` (fails at its first attempt, when the gate is opened).

use retrial::{Attempt, Failure, State};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// One attempt, once it has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) attempt: u32,
    pub(crate) body: String,
    pub(crate) done: bool,
}

/// What handlers share with their test.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    seen: Arc<Mutex<Vec<Seen>>>,
    gate: Arc<watch::Sender<bool>>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { seen: Arc::default(), gate: Arc::new(watch::Sender::new(false)) }
    }
}

impl Desk {
    /// How often each body was done.
    pub(crate) fn done(&self) -> BTreeMap<String, usize> {
        let mut done = BTreeMap::new();
        for seen in self.lock().iter().filter(|seen| seen.done) {
            *done.entry(seen.body.clone()).or_default() += 1;
        }
        done
    }

    /// How many different bodies were done.
    pub(crate) fn count(&self) -> usize {
        self.done().len()
    }

    /// How many attempts have begun.
    pub(crate) fn begun(&self) -> usize {
        self.lock().len()
    }

    /// How many were done more than once, counted without the first time.
    pub(crate) fn again(&self) -> usize {
        self.done().values().map(|times| times - 1).sum()
    }

    /// Lets everything through that waits, now and later.
    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handler.
pub(crate) async fn handle(body: String, attempt: Attempt, State(desk): State<Desk>) -> Result<(), Failure> {
    let origin = attempt.origin();
    let (partition, offset) = (origin.partition, origin.offset);
    let index = {
        let mut seen = desk.lock();
        seen.push(Seen { partition, offset, attempt: attempt.number(), body: body.clone(), done: false });
        seen.len() - 1
    };
    match body.split_once(' ').map(|(_, what)| what) {
        Some("retry") if attempt.number() == 1 => return Err(Failure::retry("as asked").kind("asked")),
        Some("wait" | "late") => drop(desk.gate.subscribe().wait_for(|open| *open).await),
        _ => {}
    }
    if body.ends_with(" late") && attempt.number() == 1 {
        return Err(Failure::retry("as asked").kind("asked"));
    }
    desk.lock()[index].done = true;
    Ok(())
}
