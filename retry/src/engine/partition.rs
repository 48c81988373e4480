//! What the engine knows of one assigned partition.
//!
//! # Invariants
//! 1. `in_flight` counts the work handed out and not yet reported, `left_over` that of it which belongs to a log that is
//!    gone; `forwarding` the forwards not yet acknowledged.
//! 2. A record is unfinished in the ledger until it was done, discarded or its forward was acknowledged: so the
//!    watermark never passes a record that could still be lost.

use crate::{
    event::{Arrival, Work},
    id::{CommitId, Slot, Ticket, TopicIndex},
    lane::Lanes,
    ledger::{FinishedRun, Ledger},
    snapshot,
    suspects::Suspects,
    time::Timestamp,
};
use hashbrown::HashSet;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// What kind of topic a partition belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A source topic of this build.
    Source(TopicIndex),
    /// A tier; a delay of zero is the way back in.
    Tier(Duration),
}

/// Where an assignment stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Offered, and held because nobody can say where to start.
    Unplaced,
    /// Read and worked on.
    Owned,
    /// Nothing new starts; what runs may end until the deadline.
    Draining {
        /// When running attempts are told to hurry (their token fires).
        hurry: Timestamp,
        /// Whether they were told.
        hurried: bool,
        /// When they are given up.
        deadline: Timestamp,
    },
    /// The last commit is under way.
    Leaving {
        /// Until when its result is awaited.
        deadline: Timestamp,
        /// The commit, once it was sent.
        commit: Option<CommitId>,
    },
    /// Committed for the last time and kept only until the group takes it (a stop).
    Parted,
}

/// One assigned partition.
#[derive(Debug)]
pub(super) struct Partition<R> {
    pub(super) slot: Slot,
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
    pub(super) topic_id: Option<[u8; 16]>,
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    /// Whether the group has asked for it back.
    pub(super) revoked: bool,
    pub(super) ledger: Ledger,
    /// What was added to the ledger's sequences to make tickets; grows when the ledger starts over, so that no
    /// ticket of an old log names a record of the new one.
    pub(super) base: u64,
    /// Present where the topic is ordered.
    pub(super) lanes: Option<Lanes<Work<R>>>,
    /// A tier's records whose gate is closed, with their sequences.
    pub(super) in_hand: VecDeque<(u64, Arrival<R>)>,
    /// Work that was ready when the partition was blocked.
    pub(super) parked: Vec<Work<R>>,
    pub(super) in_flight: usize,
    pub(super) left_over: usize,
    pub(super) forwarding: usize,
    /// Forwards of this partition that Kafka refuses at present.
    pub(super) refused: usize,
    /// One past the highest sequence of a ticket that was handed to a worker.
    pub(super) started: u64,
    /// Something has changed since the last commit.
    pub(super) dirty: bool,
    /// When it was assigned, or last part of a commit that was sent.
    pub(super) said: Timestamp,
    /// Up to where a tier's log was trimmed, and when.
    pub(super) trimmed: (i64, Timestamp),
    pub(super) metadata_full: bool,
    /// What may have taken a process down; nearly always none.
    pub(super) suspects: Option<Box<Suspects>>,
    /// Forwards seen in this tier, to recognise repeated ones.
    pub(super) seen: Recent,
}

impl<R> Partition<R> {
    /// Whether new work of this partition may start.
    pub(super) fn may_start(&self) -> bool {
        self.phase == Phase::Owned && self.refused == 0 && self.left_over == 0
    }

    /// A piece of work was reported. True if it was the last of a log that is gone: what is left of it may start.
    pub(super) fn reported(&mut self, ticket: Ticket) -> bool {
        self.in_flight -= 1;
        let is_left_over = ticket.sequence < self.base;
        self.left_over -= usize::from(is_left_over);
        is_left_over && self.left_over == 0
    }

    /// Whether the record was shown as started, where that must be before it starts.
    pub(super) fn is_shown(&self, ticket: Ticket) -> bool {
        self.suspects.as_ref().is_none_or(|suspects| suspects.may_start(ticket.sequence))
    }

    /// Bytes of commit metadata for what is finished, of so many in all.
    pub(super) fn metadata_room(&self, limit: usize) -> usize {
        let Some(suspects) = &self.suspects else { return limit };
        limit.saturating_sub(snapshot::suspicion_bytes(&suspects.all(), self.ledger.watermark()))
    }

    /// Whether every result that is waited for is in.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight == 0 && self.forwarding == 0
    }

    /// The offset of a record that is not covered by the watermark yet.
    pub(super) fn offset(&self, ticket: Ticket) -> Option<i64> {
        self.ledger.offset(ticket.sequence.checked_sub(self.base)?)
    }

    /// Marks a record finished. False if it was before, or belongs to a log that is gone.
    pub(super) fn finish(&mut self, ticket: Ticket) -> bool {
        ticket.sequence.checked_sub(self.base).is_some_and(|sequence| self.ledger.finish(sequence))
    }

    /// How many records at or beyond an offset were received and are not finished; holes of the log count as finished.
    pub(super) fn unfinished_from(&self, offset: i64) -> u64 {
        let from = offset.max(self.ledger.watermark());
        let finished = |run: FinishedRun| (run.to - run.from.max(from)).max(0);
        let received = (self.ledger.next() - from).max(0);
        (received - self.ledger.finished_runs().map(finished).sum::<i64>()).max(0).unsigned_abs()
    }

    /// Begins again in a log that is not, or not wholly, the one that was read so far.
    pub(super) fn start_over(&mut self, ledger: Ledger) {
        self.forget_waiting();
        self.base += 1 << 40;
        self.started = self.base;
        // Dropped attempts end when their workers get to it, and what is left of the log must not run beside them.
        self.left_over = self.in_flight;
        self.ledger = ledger;
        self.suspects = None;
        // What was seen of the old log and not finished stands for its only copy in the new one.
        self.seen = Recent::default();
        self.dirty = true;
    }

    /// Everything below this offset may have been started: it is that of the first record that was not. The last one
    /// that was is no measure, since it may have ended before others.
    pub(super) fn started_below(&self) -> i64 {
        self.ledger.unfinished_from(self.started.saturating_sub(self.base))
    }

    /// Drops everything that waits and was not started.
    pub(super) fn forget_waiting(&mut self) {
        self.in_hand.clear();
        self.parked.clear();
        if self.lanes.is_some() {
            self.lanes = Some(Lanes::new());
        }
    }
}

/// How many forwards of a tier are remembered at most, so that a repeated one is recognised (RULES 16): as many as a
/// hash table of 65,536 places takes.
const MOST_REMEMBERED: usize = 57_344;

/// And at least, however short memory is.
const LEAST_REMEMBERED: usize = 1_000;

/// What one costs, in bytes.
const REMEMBERED_BYTES: usize = 24;

/// How many forwards each of so many tier partitions may remember: together an eighth of the memory for records.
pub(super) fn window(memory: usize, tier_partitions: usize) -> usize {
    let fair = memory / 8 / REMEMBERED_BYTES / tier_partitions.max(1);
    fair.clamp(LEAST_REMEMBERED, MOST_REMEMBERED)
}

/// The identities seen last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<u64>,
    known: HashSet<u64, foldhash::fast::FixedState>,
}

impl Recent {
    /// Whether this identity is new; it is remembered then, and of all only the last so many.
    pub(super) fn insert(&mut self, identity: u64, window: usize) -> bool {
        if self.known.contains(&identity) {
            return false;
        }
        // First, so that neither of the two grows beyond the window.
        while self.order.len() >= window {
            let Some(oldest) = self.order.pop_front() else { break };
            self.known.remove(&oldest);
        }
        self.known.insert(identity);
        self.order.push_back(identity);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_known_within_the_window_and_forgotten_beyond() {
        let mut seen = Recent::default();
        assert!((0..10).all(|identity| seen.insert(identity, 8)));
        assert!((2..10).all(|identity| !seen.insert(identity, 8)), "the last eight are known");
        assert!(seen.insert(0, 8), "what is older is not");
        assert!(seen.insert(10, 2) && !seen.insert(10, 2));
        assert_eq!((seen.order.len(), seen.known.len()), (2, 2), "a smaller window forgets at once");
    }

    #[test]
    fn windows_share_an_eighth_of_the_memory() {
        assert_eq!(window(64 << 20, 1), MOST_REMEMBERED);
        assert_eq!(window(64 << 20, 36), 9_709);
        assert_eq!(window(1 << 20, 36), LEAST_REMEMBERED);
    }
}
