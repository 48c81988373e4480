//! What earlier owners finished and this one has not reached yet.

use super::FinishedRun;
use crate::{
    saboteur::{Saboteur, sabotaged},
    snapshot::room,
};
use std::collections::VecDeque;

/// Runs at or beyond the next offset, in order. Records come in order too, so the first run is all that a record can
/// be in, and a run that was passed is forgotten.
#[derive(Clone, Debug)]
pub(super) struct Restored {
    runs: VecDeque<Ahead>,
    /// Where the first run begins, or where no offset is.
    from: i64,
}

#[derive(Clone, Copy, Debug)]
struct Ahead {
    run: FinishedRun,
    /// What a snapshot of everything behind this run costs.
    behind: u64,
}

impl Restored {
    /// Keeps what makes sense above `position`: runs in order, disjoint and not empty.
    pub(super) fn new(position: i64, finished: Vec<FinishedRun>) -> Self {
        let mut runs: Vec<FinishedRun> = Vec::with_capacity(finished.len());
        for run in finished {
            let reached = runs.last().map_or(position, |last| last.to);
            if run.from < reached || run.to <= run.from {
                continue;
            }
            match runs.last_mut() {
                Some(last) if last.to == run.from && last.leader_epoch == run.leader_epoch => last.to = run.to,
                _ => runs.push(run),
            }
        }
        let behind = room::behind(&runs);
        let runs = runs.into_iter().zip(behind).map(|(run, behind)| Ahead { run, behind }).collect();
        let mut restored = Self { runs, from: i64::MAX };
        restored.look_ahead();
        restored
    }

    fn look_ahead(&mut self) {
        self.from = self.runs.front().map_or(i64::MAX, |ahead| ahead.run.from);
    }

    fn forget_first(&mut self) {
        self.runs.pop_front();
        self.look_ahead();
    }

    /// Whether a record at this offset must be looked at.
    pub(super) fn concerns(&self, offset: i64) -> bool {
        offset >= self.from
    }

    /// Whether the record is finished. If it is another record than the run knew, the run ends before it: from there
    /// on the log is not the one in which the run was finished.
    pub(super) fn has_finished(&mut self, offset: i64, leader_epoch: i32) -> bool {
        while let Some(Ahead { run, .. }) = self.runs.front() {
            if run.to <= offset {
                self.forget_first();
                continue;
            }
            if run.from > offset {
                return false;
            }
            let agrees = run.leader_epoch == leader_epoch || sabotaged(Saboteur::SkipsByOffsetAlone);
            if !agrees || run.to == offset + 1 {
                self.forget_first();
            }
            return agrees;
        }
        false
    }

    /// Forgets runs of earlier epochs: epochs never fall along a log, so no record will agree with them.
    pub(super) fn reached_epoch(&mut self, leader_epoch: i32) {
        if sabotaged(Saboteur::SkipsByOffsetAlone) {
            return;
        }
        while self.runs.front().is_some_and(|ahead| ahead.run.leader_epoch < leader_epoch) {
            self.forget_first();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<FinishedRun> {
        self.runs.get(index).map(|ahead| ahead.run)
    }

    /// Most bits that a snapshot needs for these runs, whatever lies before them.
    pub(super) fn bits(&self) -> u64 {
        self.runs.front().map_or(0, |ahead| room::SEAM + room::EPOCH + ahead.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand: dearer would leave room unused, cheaper would be no upper bound.
    #[test]
    fn runs_ahead_are_charged_for_the_first_seam_in_full_and_what_lies_behind_it() {
        let run = |from, to| FinishedRun { from, to, leader_epoch: 5 };
        assert_eq!(Restored::new(0, Vec::new()).bits(), 0);
        // A pair of which both numbers may be anything, and an epoch.
        assert_eq!(Restored::new(0, vec![run(10, 20)]).bits(), (2 + 84 + 84) + (84 + 48));
        // And a hole of one offset before a run of one.
        assert_eq!(Restored::new(0, vec![run(10, 20), run(21, 22)]).bits(), (2 + 84 + 84) + (84 + 48) + (1 + 4));
    }
}
