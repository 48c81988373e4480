//! Attempts, made of the lines of their beginning and end.

use std::collections::BTreeMap;

use crate::{
    clock::Micros,
    ledger::{Entry, What, Worker},
    place::Place,
};

/// One attempt at one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) number: u64,
    pub(crate) place: Place,
    pub(crate) stamp: i64,
    pub(crate) worker: Worker,
    pub(crate) fence: u64,
    pub(crate) attempt: u32,
    pub(crate) began: Micros,
    /// How it ended; `None` if its worker died before.
    pub(crate) ended: Option<(Micros, What)>,
}

impl Run {
    /// When and how the handler itself ended it.
    pub(crate) fn answer(&self) -> Option<(Micros, What)> {
        self.ended.filter(|(_, what)| *what != What::Dropped)
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.ended, Some((_, What::Done)))
    }

    /// The assignment that it ran in.
    pub(crate) fn assignment(&self) -> (Worker, u64) {
        (self.worker, self.fence)
    }
}

/// All attempts by their beginnings. Lines of one attempt stand in the order in which they were written.
pub(crate) fn runs(entries: &[Entry]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut open = BTreeMap::new();
    for entry in entries {
        let Entry { what, at, number, place, stamp, attempt, fence, worker } = *entry;
        let name = (worker, place, fence, attempt);
        if what == What::Began {
            open.insert(name, runs.len());
            runs.push(Run { number, place, stamp, worker, fence, attempt, began: at, ended: None });
        } else if let Some(index) = open.remove(&name) {
            let run: &mut Run = &mut runs[index];
            run.ended = Some((at, what));
        }
    }
    runs.sort_by_key(|run| run.began);
    runs
}
