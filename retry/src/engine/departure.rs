//! How partitions are given up: revoked, lost, or all of them at a stop.
//!
//! Draining → (quiet or deadline) → last commit → (its result or deadline) → released. A lost partition is released
//! at once and nothing of it is committed or forwarded any more.

use super::{
    Engine, later,
    partition::{Partition, Phase},
};
use crate::{
    event::{Action, Actions, Payload},
    id::{CommitId, Slot},
    saboteur::{Saboteur, sabotaged},
    time::Timestamp,
};
use std::{cmp::Reverse, time::Duration};

/// How long an accepted last commit is tried for: while the group waits for a partition, and at a stop, where nobody
/// waits and a rebalance under way, which refuses every commit, may need some heartbeats to end.
const LAST_COMMIT: Duration = Duration::from_secs(2);
const LAST_COMMIT_AT_STOP: Duration = Duration::from_secs(8);

/// At a stop, the tokens fire at the deadline and the futures are dropped this much later.
const GRACE: Duration = Duration::from_millis(500);

/// Where a stop stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stop {
    #[default]
    No,
    Draining,
    Complete,
}

impl Stop {
    pub(super) fn is_complete(self) -> bool {
        self == Self::Complete
    }
}

impl<R: Payload> Engine<R> {
    /// The group takes partitions back.
    pub(super) fn revoking(&mut self, now: Timestamp, slots: &[Slot], lost: bool, out: &mut Actions<R>) {
        let mut released = Vec::new();
        let drain = self.config.revoke_drain;
        for &slot in slots {
            let Some(partition) = self.partition_mut(slot) else {
                released.push(slot);
                continue;
            };
            partition.revoked = true;
            partition.forget_waiting();
            match partition.phase {
                _ if lost => {
                    out.others.push(Action::Abandon(slot));
                    released.push(slot);
                }
                Phase::Unplaced | Phase::Parted => released.push(slot),
                Phase::Owned | Phase::Draining { .. } => {
                    out.others.push(Action::Hurry(slot));
                    partition.phase = Phase::Draining { hurry: now, hurried: true, deadline: later(now, drain) };
                }
                Phase::Leaving { deadline, commit } => {
                    partition.phase = Phase::Leaving { deadline: deadline.min(later(now, LAST_COMMIT)), commit };
                }
            }
        }
        if sabotaged(Saboteur::DropsBufferOnRebalance) {
            self.partitions.iter_mut().flatten().for_each(Partition::forget_waiting);
        }
        let gone = |work: &crate::event::Work<R>| slots.contains(&work.ticket.slot);
        self.topics.iter_mut().for_each(|topic| topic.forget(gone));
        if let Some((slot, offset)) = self.careful.forget(|slot| slots.contains(&slot)) {
            self.call_off(slot, offset);
        }
        if lost && self.has_forwards(slots) {
            out.others.push(Action::Purge);
        }
        self.release(released, out);
    }

    /// Begins a stop: nothing new starts from here on.
    pub(super) fn stop(&mut self, now: Timestamp, drain: Duration) {
        if self.stop != Stop::No {
            return;
        }
        self.stop = Stop::Draining;
        let hurry = later(now, drain);
        for partition in self.partitions.iter_mut().flatten() {
            partition.forget_waiting();
            match partition.phase {
                Phase::Owned => {
                    let deadline = later(hurry, GRACE);
                    partition.phase = Phase::Draining { hurry, hurried: false, deadline };
                }
                Phase::Unplaced => partition.phase = Phase::Parted,
                _ => {}
            }
        }
        self.topics.iter_mut().for_each(|topic| topic.forget(|_| true));
        if let Some((slot, offset)) = self.careful.forget(|_| true) {
            self.call_off(slot, offset);
        }
        self.resting.clear();
    }

    /// Moves partitions that leave along their way.
    pub(super) fn depart(&mut self, now: Timestamp, out: &mut Actions<R>) {
        let mut released = Vec::new();
        let at_stop = self.stop == Stop::Draining;
        for partition in self.partitions.iter_mut().flatten() {
            let slot = partition.slot;
            if let Phase::Draining { hurry, hurried, deadline } = partition.phase {
                if partition.is_quiet() || deadline <= now {
                    if partition.in_flight > 0 {
                        out.others.push(Action::Abandon(slot));
                    }
                    // What is on the wire lands; what is not must not, since the next owner forwards it (RULES 16).
                    if partition.forwarding > 0 {
                        out.others.push(Action::Purge);
                    }
                    let patience = if at_stop && !partition.revoked { LAST_COMMIT_AT_STOP } else { LAST_COMMIT };
                    partition.phase = Phase::Leaving { deadline: later(now, patience), commit: None };
                } else if hurry <= now && !hurried {
                    out.others.push(Action::Hurry(slot));
                    partition.phase = Phase::Draining { hurry, hurried: true, deadline };
                }
            }
            let hasty = sabotaged(Saboteur::LeavesWithoutWaiting);
            if matches!(partition.phase, Phase::Leaving { deadline, commit } if deadline <= now || (hasty && commit.is_some()))
            {
                partition.phase = Phase::Parted;
            }
            if partition.phase == Phase::Parted && partition.revoked {
                released.push(slot);
            }
        }
        self.release(released, out);
        let parted = self.partitions.iter().flatten().all(|partition| partition.phase == Phase::Parted);
        if self.stop == Stop::Draining && parted {
            self.stop = Stop::Complete;
            out.others.push(Action::Leave);
        }
    }

    /// The result of a commit is in: partitions that waited for it have parted.
    pub(super) fn last_commit_ended(&mut self, id: CommitId) {
        for partition in self.partitions.iter_mut().flatten() {
            if matches!(partition.phase, Phase::Leaving { commit: Some(last), .. } if last == id) {
                partition.phase = Phase::Parted;
            }
        }
    }

    /// A commit was refused for now: partitions that waited for it go on waiting, for the next one.
    pub(super) fn last_commit_refused(&mut self, id: CommitId) {
        for partition in self.partitions.iter_mut().flatten() {
            if let Phase::Leaving { commit, .. } = &mut partition.phase {
                commit.take_if(|last| *last == id);
            }
        }
    }

    /// When a partition that leaves must be looked at again.
    pub(super) fn departure_due(partition: &Partition<R>) -> Option<Timestamp> {
        match partition.phase {
            Phase::Draining { hurry, hurried: false, .. } => Some(hurry),
            Phase::Draining { deadline, .. } | Phase::Leaving { deadline, .. } => Some(deadline),
            _ => None,
        }
    }

    fn release(&mut self, slots: Vec<Slot>, out: &mut Actions<R>) {
        if slots.is_empty() {
            return;
        }
        for &slot in &slots {
            if self.partition(slot).is_some() {
                self.partitions[slot.index as usize] = None;
                self.count_tiers();
                self.forget_forwards(slot);
            }
        }
        // Decided a moment ago, and not with the sink yet: the next owner forwards it (RULES 17).
        out.forwards.retain(|forward| !slots.contains(&forward.slot));
        self.careful.release(&slots);
        let partitions = &self.partitions;
        let owned = |slot: Slot| {
            let partition = partitions.get(slot.index as usize).and_then(Option::as_ref);
            partition.is_some_and(|partition| partition.slot == slot)
        };
        // What rests may rest for hours; its records must not stay in memory for an assignment that is gone.
        self.resting.retain(|Reverse(resting)| owned(resting.work.ticket.slot));
        out.others.push(Action::Release(slots));
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop != Stop::No
    }

    fn has_forwards(&self, slots: &[Slot]) -> bool {
        slots.iter().filter_map(|&slot| self.partition(slot)).any(|partition| partition.forwarding > 0)
    }
}
