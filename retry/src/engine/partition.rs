//! What the engine knows of one assigned partition.
//!
//! # Invariants
//! 1. `in_flight` counts the work handed out and not yet reported; `forwarding` the forwards not yet acknowledged.
//! 2. A record is unfinished in the ledger until it was done, discarded or its forward was acknowledged: so the
//!    watermark never passes a record that could still be lost.

use crate::{
    event::{Arrival, Work},
    id::{CommitId, Slot, Ticket, TopicIndex},
    lane::Lanes,
    ledger::Ledger,
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
    pub(super) forwarding: usize,
    /// Forwards of this partition that Kafka refuses at present.
    pub(super) refused: usize,
    /// One past the highest sequence of a ticket that was handed to a worker.
    pub(super) started: u64,
    /// Something has changed since the last commit.
    pub(super) dirty: bool,
    /// When it was assigned, or last part of a commit that was sent.
    pub(super) said: Timestamp,
    /// The watermark of the last accepted commit.
    pub(super) committed: i64,
    /// Up to where a tier's log was trimmed, and when.
    pub(super) trimmed: (i64, Timestamp),
    pub(super) metadata_full: bool,
    /// Forwards seen in this tier, to recognise repeated ones.
    pub(super) seen: Recent,
}

impl<R> Partition<R> {
    /// Whether new work of this partition may start.
    pub(super) fn may_start(&self) -> bool {
        self.phase == Phase::Owned && self.refused == 0
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

    /// Begins again at an offset of a log that is not the one that was read so far.
    pub(super) fn start_over(&mut self, offset: i64) {
        self.forget_waiting();
        self.base += 1 << 40;
        self.started = self.base;
        self.ledger = Ledger::resume(offset, -1, Vec::new());
        // What was seen of the old log and not finished stands for its only copy in the new one.
        self.seen = Recent::default();
        self.dirty = true;
    }

    /// Everything below this offset may have been started.
    pub(super) fn started_below(&self) -> i64 {
        let last = self.started.checked_sub(self.base + 1);
        let offset = last.and_then(|last| self.ledger.offset(last));
        offset.map_or(self.ledger.watermark(), |offset| offset + 1)
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

/// How many forwards of a tier are remembered, so that a repeated one is recognised (RULES 16).
const REMEMBERED: usize = 65_536;

/// The identities seen last, in a window of fixed size.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<u64>,
    known: HashSet<u64, foldhash::fast::FixedState>,
}

impl Recent {
    /// Whether this identity is new; it is remembered then.
    pub(super) fn insert(&mut self, identity: u64) -> bool {
        if !self.known.insert(identity) {
            return false;
        }
        self.order.push_back(identity);
        let oldest = if self.order.len() > REMEMBERED { self.order.pop_front() } else { None };
        if let Some(oldest) = oldest {
            self.known.remove(&oldest);
        }
        true
    }
}
