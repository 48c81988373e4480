//! What the outside knows of one assignment: where it began, what it delivered, and what of that ended.

use super::broker::Place;
use retrial_core::{event::CommitEntry, ledger::FinishedRun};
use std::collections::BTreeMap;

/// Where an assignment stands, as its events tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Offered, and not answered: held, or the topic is none of the group's.
    Offered,
    Reading,
    Revoking,
}

/// A record that was delivered.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) lane: u64,
    pub(super) epoch: i32,
    /// The name of the forward that brought it.
    pub(super) identity: Option<u64>,
    /// By a result that the engine was told, or by an earlier owner.
    pub(super) finished: bool,
}

/// One assignment.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) place: Place,
    pub(super) stage: Stage,
    /// Counts how often the log turned out to be another one: results of earlier readings mean nothing.
    pub(super) reading: u32,
    /// The next offset to be read.
    pub(super) next: i64,
    pub(super) cells: BTreeMap<i64, Cell>,
    /// What the commit said that it resumed from.
    pub(super) restored: Vec<FinishedRun>,
    /// The last offset that it wanted to commit.
    pub(super) said: i64,
    /// The last offset that was accepted.
    pub(super) accepted: i64,
    /// Its attempts were given up.
    pub(super) abandoned: bool,
}

impl View {
    pub(super) fn new(place: Place) -> Self {
        let (cells, restored) = (BTreeMap::new(), Vec::new());
        let (next, said, accepted) = (-1, -1, -1);
        let stage = Stage::Offered;
        Self { place, stage, reading: 0, next, cells, restored, said, accepted, abandoned: false }
    }

    /// The log is another one from here on.
    pub(super) fn start_over(&mut self) {
        self.reading += 1;
        self.cells.clear();
        self.restored.clear();
        self.said = -1;
    }

    fn is_restored(&self, offset: i64, epoch: i32) -> bool {
        self.restored.iter().any(|run| run.from <= offset && offset < run.to && run.leader_epoch == epoch)
    }

    pub(super) fn deliver(&mut self, offset: i64, lane: u64, epoch: i32, identity: Option<u64>) {
        let finished = self.is_restored(offset, epoch);
        self.cells.insert(offset, Cell { lane, epoch, identity, finished });
        self.next = offset + 1;
    }

    /// Whether it may count as finished: it is, or it is a repeat of a forward that came before it.
    fn may_be_finished(&self, offset: i64, cell: &Cell) -> bool {
        let repeats = |identity| self.cells.range(..offset).any(|(_, earlier)| earlier.identity == Some(identity));
        cell.finished || cell.identity.is_some_and(repeats)
    }

    /// Promises 1 and 2: a commit covers what is finished, and nothing else.
    pub(super) fn check_commit(&mut self, entry: &CommitEntry, runs: &[FinishedRun], must_be_complete: bool) {
        let offset = entry.offset;
        assert!(offset <= self.next, "committed {offset}, and read up to {}", self.next);
        assert!(offset >= self.said, "committed {offset} after {}", self.said);
        self.said = offset;
        for (at, cell) in self.cells.range(..offset) {
            assert!(self.may_be_finished(*at, cell), "{offset} is committed past the unfinished {at}");
        }
        let covers = |at: i64, epoch| runs.iter().any(|run| run.from <= at && at < run.to && run.leader_epoch == epoch);
        for (at, cell) in self.cells.range(offset..) {
            let covered = covers(*at, cell.epoch);
            assert!(!covered || self.may_be_finished(*at, cell), "the map of {offset} covers the unfinished {at}");
            assert!(covered || !cell.finished || !must_be_complete, "the map of {offset} misses the finished {at}");
        }
        for run in runs.iter().filter(|run| run.to > self.next) {
            let from = run.from.max(self.next);
            let known = self
                .restored
                .iter()
                .any(|known| known.from <= from && run.to <= known.to && known.leader_epoch == run.leader_epoch);
            assert!(known, "the map covers {from}..{}, which nobody read", run.to);
        }
        if let Some((_, last)) = self.cells.range(..offset).next_back() {
            assert_eq!(entry.leader_epoch, last.epoch, "the leader epoch beside {offset}");
        }
    }

    /// Promise 5: nothing of the same lane that stands before it is unfinished.
    pub(super) fn check_order(&self, offset: i64, lane: u64) {
        let before = self.cells.range(..offset).find(|(_, cell)| cell.lane == lane && !cell.finished);
        assert!(before.is_none(), "{offset} runs before {before:?}");
    }
}
