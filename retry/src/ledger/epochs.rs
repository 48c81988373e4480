//! Which leader epoch the received records had: nearly always one for all of them.

use std::collections::VecDeque;

/// Offsets from which on another epoch holds, in order.
#[derive(Clone, Debug)]
pub(super) struct Epochs {
    latest: i32,
    /// Never empty. The first one holds for the record below the watermark.
    changes: VecDeque<(i64, i32)>,
}

impl Epochs {
    /// `epoch` holds for what lies below the first record.
    pub(super) fn new(epoch: i32) -> Self {
        Self { latest: epoch, changes: VecDeque::from([(i64::MIN, epoch)]) }
    }

    /// The epoch of the last record received.
    pub(super) fn latest(&self) -> i32 {
        self.latest
    }

    /// A record of another epoch than the last one was received.
    pub(super) fn change(&mut self, offset: i64, epoch: i32, watermark: i64) {
        self.latest = epoch;
        self.changes.push_back((offset, epoch));
        self.forget_below(watermark);
    }

    /// Forgets what no offset at or beyond the watermark, nor the one below it, needs.
    pub(super) fn forget_below(&mut self, watermark: i64) {
        while self.changes.get(1).is_some_and(|&(from, _)| from < watermark) {
            self.changes.pop_front();
        }
    }

    /// The epoch of the last record received below this offset, not far beyond the watermark.
    pub(super) fn below(&self, offset: i64) -> i32 {
        let last = self.changes.iter().take_while(|&&(from, _)| from < offset).last();
        last.map_or(self.latest, |&(_, epoch)| epoch)
    }

    /// Epoch and end of the stretch in which an offset lies; `index` is where to search from, and is moved on.
    pub(super) fn stretch(&self, offset: i64, index: &mut usize) -> (i32, i64) {
        while self.changes.get(*index + 1).is_some_and(|&(from, _)| from <= offset) {
            *index += 1;
        }
        let epoch = self.changes.get(*index).map_or(self.latest, |&(_, epoch)| epoch);
        (epoch, self.changes.get(*index + 1).map_or(i64::MAX, |&(from, _)| from))
    }

    /// How often the epoch changes beyond the watermark, at most.
    pub(super) fn changes(&self) -> usize {
        self.changes.len() - 1
    }
}
