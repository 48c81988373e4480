//! How many more records a ledger may take (RULES 10).

use super::{
    Ledger,
    block::{MASK, SHIFT},
};
use crate::snapshot::room;

/// Records that are taken however full the snapshot is: else one that is full when a partition is taken over would
/// stop it for ever.
const ALWAYS: usize = 16;

/// Leader epochs that may change among records not seen yet. Each change is the election of a leader.
const EPOCHS: u64 = 4;

/// Newest blocks that are considered for a bitmap: more than a snapshot has bits for.
const NEAR: usize = 64;

impl Ledger {
    /// How many of `more` records may be received now, if commit metadata may have `budget` bytes.
    ///
    /// However these records end, in whatever order, and wherever the log has gaps, the snapshot is then complete in
    /// every state that follows. Three things are let go, and cost at most that the end of the snapshot is left out
    /// (those records would be done again after a crash): up to 16 unfinished records are always taken, so that a
    /// partition whose snapshot was full when it was taken over goes on; leader epochs may change four times among
    /// the records of one call; and a budget below 500 bytes holds hardly more than those.
    ///
    /// Costs a few nanoseconds per 512 records of the window, and never more than a microsecond or so.
    ///
    /// ```
    /// use retrial_core::{ledger::{Ledger, Receipt}, snapshot::LIMIT};
    ///
    /// let mut ledger = Ledger::resume(0, -1, Vec::new());
    /// let mut offset = 0;
    /// while ledger.has_room(1, LIMIT) == 1 {
    ///     ledger.receive(offset, 5);
    ///     offset += 1;
    /// }
    /// // Nothing ends, so it stops at what a bitmap holds.
    /// assert!(ledger.unfinished() > 23_000);
    /// ```
    #[must_use]
    pub fn has_room(&self, more: usize, budget: usize) -> usize {
        more.min(self.safe_room(budget).max(ALWAYS.saturating_sub(self.unfinished)))
    }

    /// How many records of at most four leader epochs may be received so that every snapshot is complete.
    pub(super) fn safe_room(&self, budget: usize) -> usize {
        // What was skipped after the last admitted record is charged with the next one; until then as one
        // interruption.
        let taken = room::FIXED + room::WIDE + self.epoch_bits() + self.restored.bits() + self.window_bits();
        (room::capacity(budget).saturating_sub(taken) / room::RECORD) as usize
    }

    fn epoch_bits(&self) -> u64 {
        (self.epochs.changes() as u64 + EPOCHS) * room::EPOCH
    }

    /// Most bits that what was received and lies beyond the watermark needs: the newest part as a bitmap, the rest as
    /// pairs, divided where the sum is least.
    fn window_bits(&self) -> u64 {
        let Some(oldest) = self.block(self.head).filter(|_| self.unfinished > 0) else { return 0 };
        let unfinished = self.unfinished as u64;
        let far = |holes: u64, next: i64, received: u64| {
            let offsets = (next - oldest.first) as u64;
            let gaps = offsets.saturating_sub(received - oldest.received);
            room::sparse(holes, holes + gaps + 1, offsets) + room::WIDE
        };
        let mut least = far(unfinished, self.next, self.received);
        let (mut near, mut near_unfinished, mut interrupted) = (0, 0, false);
        for (index, slot) in self.blocks.iter().enumerate().rev().take(NEAR) {
            let Some(block) = slot else {
                near += if interrupted { 0 } else { room::WIDE };
                interrupted = true;
                continue;
            };
            interrupted = false;
            near += block.bits;
            near_unfinished += u64::from(block.unfinished);
            if index == 0 {
                // Records of the oldest block that are below the watermark cost nothing, and were counted as one
                // bit at least.
                return least.min(near - (self.head & MASK));
            }
            least = least.min(near + far(unfinished - near_unfinished, block.first, block.received));
            if near >= least {
                return least;
            }
        }
        least
    }
}

// The bitmap of a whole text ends within the newest blocks that are considered.
const _: () = assert!(room::capacity(usize::MAX) < (NEAR as u64 - 1) << SHIFT);

#[cfg(test)]
mod tests {
    use crate::{
        ledger::{Ledger, Receipt},
        snapshot::LIMIT,
    };

    fn receive(ledger: &mut Ledger, skip: i64) -> u64 {
        match ledger.receive(ledger.next() + skip, 5) {
            Receipt::Admitted(sequence) => sequence,
            other => panic!("{other:?}"),
        }
    }

    fn receive_and_finish(ledger: &mut Ledger, records: usize, skip: i64) {
        for _ in 0..records {
            let sequence = receive(ledger, skip);
            ledger.finish(sequence);
        }
    }

    /// Worked out by hand: dearer would leave room unused, cheaper would be no upper bound.
    #[test]
    fn what_is_set_aside_is_charged_once() {
        // 24,488 bits are in a text of 4096 bytes; 191 are always taken, 106 are one interruption, and 132 are each of
        // four changes of the epoch. A record may cost 107.
        assert_eq!(Ledger::resume(0, 5, Vec::new()).safe_room(LIMIT), (24_488 - 191 - 106 - 4 * 132) / 107);
    }

    #[test]
    fn what_has_all_ended_takes_no_room_whatever_gaps_it_had() {
        let mut ledger = Ledger::resume(0, 5, Vec::new());
        let room = ledger.safe_room(LIMIT);
        receive_and_finish(&mut ledger, 200, 1000);
        assert_eq!((ledger.unfinished(), ledger.window_bits(), ledger.safe_room(LIMIT)), (0, 0, room));
    }

    #[test]
    fn one_stuck_record_costs_the_gaps_behind_it_and_nothing_that_lies_before() {
        let mut ledger = Ledger::resume(1000, 5, Vec::new());
        // A block that is let go.
        receive_and_finish(&mut ledger, 512, 0);
        receive(&mut ledger, 0);
        receive_and_finish(&mut ledger, 1, 62);
        receive_and_finish(&mut ledger, 1998, 0);
        // A hole that may have 1 + 62 + 1 offsets: 1 bit, and three groups of four with one bit that says so. Runs of
        // 2062 offsets together: four groups. And one interruption.
        assert_eq!(ledger.window_bits(), (1 + 13) + 16 + 106);
    }
}
