//! What is finished beyond the watermark, read off the unfinished records.

use super::{
    FinishedRun, Ledger,
    block::{RECORDS, SHIFT, Unfinished},
};

/// Unfinished records in order, found word by word; blocks without any cost one step.
#[derive(Clone, Debug)]
pub(super) struct UnfinishedRecords<'a> {
    ledger: &'a Ledger,
    sequence: u64,
}

impl<'a> UnfinishedRecords<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, sequence: ledger.head }
    }
}

impl Iterator for UnfinishedRecords<'_> {
    type Item = Unfinished;

    fn next(&mut self) -> Option<Unfinished> {
        while self.sequence < self.ledger.tail {
            if let Some(block) = self.ledger.block(self.sequence)
                && let Some(sequence) = block.next_unfinished(self.sequence)
            {
                self.sequence = sequence + 1;
                return (sequence < self.ledger.tail).then(|| block.unfinished_at(sequence));
            }
            self.sequence = ((self.sequence >> SHIFT) << SHIFT) + RECORDS as u64;
        }
        None
    }
}

/// The iterator behind [`Ledger::finished_runs`].
#[derive(Clone, Debug)]
pub(super) struct FinishedRuns<'a> {
    ledger: &'a Ledger,
    unfinished: UnfinishedRecords<'a>,
    /// The last unfinished record met, none before the watermark.
    before: Option<Unfinished>,
    /// What is left of the current stretch, to be split by epoch.
    stretch: (i64, i64),
    epoch: usize,
    restored: usize,
}

impl<'a> FinishedRuns<'a> {
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        let mut unfinished = UnfinishedRecords::new(ledger);
        let before = unfinished.next();
        Self { ledger, unfinished, before, stretch: (0, 0), epoch: 0, restored: 0 }
    }

    /// The next stretch between two unfinished records with something finished in it. The last one ends at the next
    /// offset to be received.
    fn next_stretch(&mut self) -> Option<(i64, i64)> {
        while let Some(before) = self.before {
            self.before = self.unfinished.next();
            let after = self.before.unwrap_or(Unfinished {
                sequence: self.ledger.tail,
                offset: self.ledger.next,
                skipped: self.ledger.skipped,
            });
            if after.skipped || after.sequence > before.sequence + 1 {
                return Some((before.offset + 1, after.offset));
            }
        }
        None
    }

    /// A run of the stretch, up to where the epoch changes. If it ends where records are still to come, a restored
    /// run may continue it.
    fn split(&mut self) -> FinishedRun {
        let (from, end) = self.stretch;
        let (leader_epoch, until) = self.ledger.epochs.stretch(from, &mut self.epoch);
        let mut to = end.min(until);
        self.stretch.0 = to;
        if to == self.ledger.next
            && let Some(ahead) = self.ledger.restored.get(self.restored)
            && (ahead.from <= to && ahead.leader_epoch == leader_epoch)
        {
            self.restored += 1;
            to = ahead.to;
        }
        FinishedRun { from, to, leader_epoch }
    }
}

impl Iterator for FinishedRuns<'_> {
    type Item = FinishedRun;

    fn next(&mut self) -> Option<FinishedRun> {
        if self.stretch.0 >= self.stretch.1 {
            match self.next_stretch() {
                Some(stretch) => self.stretch = stretch,
                None => {
                    let run = self.ledger.restored.get(self.restored)?;
                    self.restored += 1;
                    return Some(FinishedRun { from: run.from.max(self.ledger.next), ..run });
                }
            }
        }
        Some(self.split())
    }
}
