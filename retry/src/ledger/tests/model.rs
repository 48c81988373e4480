//! The ledger as one would write it if neither time nor memory mattered: a map of every offset ever received.

use super::{FinishedRun, Receipt};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unfinished(u64),
    Finished,
    Skipped,
}

pub(super) struct Model {
    position: i64,
    position_epoch: i32,
    latest_epoch: i32,
    pub(super) next: i64,
    pub(super) sequences: u64,
    received: BTreeMap<i64, (i32, State)>,
    offsets: BTreeMap<u64, i64>,
    pub(super) restored: Vec<FinishedRun>,
}

impl Model {
    pub(super) fn new(position: i64, position_epoch: i32, finished: Vec<FinishedRun>) -> Self {
        let mut restored = BTreeMap::new();
        let mut reached = position;
        for run in finished {
            if run.from >= reached && run.to > run.from {
                reached = run.to;
                (run.from..run.to).for_each(|offset| {
                    restored.insert(offset, run.leader_epoch);
                });
            }
        }
        Self {
            position,
            position_epoch,
            latest_epoch: position_epoch,
            next: position,
            sequences: 0,
            received: BTreeMap::new(),
            offsets: BTreeMap::new(),
            restored: joined(restored),
        }
    }

    pub(super) fn receive(&mut self, offset: i64, epoch: i32) -> Receipt {
        if epoch != self.latest_epoch {
            let alive = self.restored.iter().position(|run| run.leader_epoch >= epoch);
            self.restored.drain(..alive.unwrap_or(self.restored.len()));
            self.latest_epoch = epoch;
        }
        self.next = offset + 1;
        let run = self.restored.iter().find(|run| (run.from..run.to).contains(&offset)).copied();
        let agrees = run.is_some_and(|run| run.leader_epoch == epoch);
        self.restored.retain(|run| run.to > self.next && (agrees || Some(*run) != run_at(offset, *run)));
        if agrees {
            self.received.insert(offset, (epoch, State::Skipped));
            return Receipt::AlreadyFinished;
        }
        let sequence = self.sequences;
        self.sequences += 1;
        self.offsets.insert(sequence, offset);
        self.received.insert(offset, (epoch, State::Unfinished(sequence)));
        Receipt::Admitted(sequence)
    }

    pub(super) fn finish(&mut self, sequence: u64) {
        let record = self.received.get_mut(&self.offsets[&sequence]).unwrap();
        assert_eq!(record.1, State::Unfinished(sequence));
        record.1 = State::Finished;
    }

    pub(super) fn offset(&self, sequence: u64) -> Option<i64> {
        self.offsets.get(&sequence).copied()
    }

    /// Sequences, in order.
    pub(super) fn unfinished(&self) -> Vec<u64> {
        let sequence = |&(_, state): &(i32, State)| match state {
            State::Unfinished(sequence) => Some(sequence),
            _ => None,
        };
        self.received.values().filter_map(sequence).collect()
    }

    pub(super) fn watermark(&self) -> i64 {
        self.unfinished().first().map_or(self.next, |sequence| self.offsets[sequence])
    }

    pub(super) fn watermark_epoch(&self) -> i32 {
        self.received.range(..self.watermark()).next_back().map_or(self.position_epoch, |(_, &(epoch, _))| epoch)
    }

    pub(super) fn finished_beyond(&self) -> usize {
        self.received.range(self.watermark()..).filter(|(_, (_, state))| *state == State::Finished).count()
    }

    /// Offset, epoch, and whether it is unfinished.
    pub(super) fn beyond_watermark(&self) -> impl Iterator<Item = (i64, i32, bool)> + '_ {
        let record =
            |(&offset, &(epoch, state)): (&i64, &(i32, State))| (offset, epoch, matches!(state, State::Unfinished(_)));
        self.received.range(self.watermark()..).map(record)
    }

    pub(super) fn finished_runs(&self) -> Vec<FinishedRun> {
        let mut finished = BTreeMap::new();
        let mut stops: Vec<i64> = self.unfinished().iter().map(|sequence| self.offsets[sequence]).collect();
        stops.push(self.next);
        for pair in stops.windows(2) {
            if self.received.range(pair[0] + 1..pair[1]).next().is_some() {
                for offset in pair[0] + 1..pair[1] {
                    finished.insert(offset, self.received.range(..=offset).next_back().unwrap().1.0);
                }
            }
        }
        for run in &self.restored {
            (run.from.max(self.next)..run.to).for_each(|offset| {
                finished.insert(offset, run.leader_epoch);
            });
        }
        joined(finished)
    }

    /// Another owner starts from what a complete snapshot says.
    pub(super) fn hand_over(&mut self) {
        *self = Self::new(self.watermark(), self.watermark_epoch(), self.finished_runs());
        assert_eq!(self.position, self.next);
    }
}

fn run_at(offset: i64, run: FinishedRun) -> Option<FinishedRun> {
    (run.from..run.to).contains(&offset).then_some(run)
}

fn joined(offsets: BTreeMap<i64, i32>) -> Vec<FinishedRun> {
    let mut runs: Vec<FinishedRun> = Vec::new();
    for (offset, leader_epoch) in offsets {
        match runs.last_mut() {
            Some(last) if last.to == offset && last.leader_epoch == leader_epoch => last.to += 1,
            _ => runs.push(FinishedRun { from: offset, to: offset + 1, leader_epoch }),
        }
    }
    runs
}
