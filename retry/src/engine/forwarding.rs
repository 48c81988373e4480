//! Writes to the group's own topics: sent, acknowledged, refused, sent again.
//!
//! A record stays unfinished until its forward was acknowledged. One that Kafka refuses blocks its partition: nothing
//! new of it starts until the write has gone through, and it is tried again for ever, with a growing pause. So does one
//! that nobody has answered for a while: what a broker may mend by itself (too few replicas in sync, no leader) the client
//! tries again without a word and without a limit.

use super::{Engine, partition::Phase};
use crate::{
    event::{Acknowledged, Actions, Appended, Body, Forward, ForwardError, HoldReason, Notice, Payload, Target, Work},
    history::History,
    id::{ForwardId, Slot, Ticket, TopicIndex},
    outcome::Cause,
    saboteur::{Saboteur, sabotaged},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// The pause before a refused forward is sent again: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// After this long without an answer a forward blocks its partition. A change of leaders takes less.
const UNANSWERED: Duration = Duration::from_secs(15);

/// A forward whose acknowledgement is not in.
#[derive(Debug)]
pub(super) struct Pending<R> {
    ticket: Ticket,
    topic: TopicIndex,
    lane: u64,
    forward: Forward<R>,
    refusals: u32,
    /// When it was handed to the sink last.
    sent: Timestamp,
    /// Whether it blocks its partition.
    blocks: bool,
    /// When to send it again; `None` while it is with the sink.
    resend_at: Option<Timestamp>,
}

impl<R: Payload> Engine<R> {
    /// Sends a record to a tier or to the dead letters.
    pub(super) fn forward(
        &mut self,
        now: Timestamp,
        work: Work<R>,
        target: Target,
        history: Arc<History>,
        out: &mut Actions<R>,
    ) {
        let expired = self.commit.lease_expired();
        let Some(partition) = self.partition_mut(work.ticket.slot) else { return };
        partition.forwarding += 1;
        self.next_forward += 1;
        let id = ForwardId(self.next_forward);
        let Work { ticket, topic, lane, record, .. } = work;
        let forward = Forward { id, slot: ticket.slot, target, body: Body::Whole, record, history };
        let resend_at = expired.then_some(now);
        if expired {
            self.resend_at = self.resend_at.min(now);
        } else {
            out.forwards.push(forward.clone());
        }
        let pending = Pending { ticket, topic, lane, forward, refusals: 0, sent: now, blocks: false, resend_at };
        self.forwards.insert(id, Box::new(pending));
        self.unanswered_at = self.unanswered_at.min(now.after(UNANSWERED));
        if sabotaged(Saboteur::FinishesBeforeAcknowledged) {
            self.complete(ticket, lane);
        }
    }

    /// Takes the result of a write.
    pub(super) fn acknowledged(&mut self, now: Timestamp, result: Acknowledged, out: &mut Actions<R>) {
        let Some(pending) = self.forwards.get_mut(&result.id) else { return };
        let slot = pending.ticket.slot;
        if self.partition(slot).is_none() {
            // The assignment ended: what landed is recognised as a repeat, what did not is the next owner's.
            self.forwards.remove(&result.id);
            return;
        }
        match result.result {
            Ok(appended) if sabotaged(Saboteur::ConfusesAcknowledgements) => {
                let oldest = self.forwards.first_key_value().map_or(result.id, |(&oldest, _)| oldest);
                self.written(oldest, &appended, out);
            }
            Ok(appended) => self.written(result.id, &appended, out),
            Err(ForwardError::Refused(_)) if sabotaged(Saboteur::TakesRefusalForSuccess) => {
                let appended = Appended { sent: now, acknowledged: now, appended: None };
                self.written(result.id, &appended, out);
            }
            Err(ForwardError::Purged) => self.send_again(now, result.id, Duration::ZERO),
            Err(ForwardError::TooLarge) => self.too_large(now, result.id, out),
            Err(error) => self.refused(now, result.id, &error, out),
        }
    }

    fn written(&mut self, id: ForwardId, appended: &Appended, out: &mut Actions<R>) {
        if let Some(time) = appended.appended {
            self.clock.acknowledged(appended.sent, appended.acknowledged, time);
        }
        let Some(pending) = self.forwards.remove(&id) else { return };
        let slot = pending.ticket.slot;
        if let Some(partition) = self.partition_mut(slot) {
            partition.forwarding -= 1;
        }
        if pending.blocks {
            self.unblock(slot, out);
        }
        if Self::is_burial(pending.forward.target) {
            let history = &pending.forward.history;
            let kind = history.error_kind.clone().unwrap_or_default();
            let cause = history.cause.unwrap_or(Cause::Exhausted);
            Self::notice(out, Notice::Buried { topic: pending.topic, cause, kind });
        }
        // A forward that is acknowledged and not committed is one that a crash repeats (RULES 16).
        self.pace.hasten();
        self.complete(pending.ticket, pending.lane);
    }

    /// A record that does not fit with our headers becomes a dead letter by reference (RULES 11).
    fn too_large(&mut self, now: Timestamp, id: ForwardId, out: &mut Actions<R>) {
        let Some(pending) = self.forwards.get_mut(&id) else { return };
        if pending.forward.body == Body::Reference {
            // The limit may be raised meanwhile, and the record itself is worth more than a reference to it.
            pending.forward.body = Body::Whole;
            let error = ForwardError::Refused("not even a reference to the record fits into the topic".into());
            return self.refused(now, id, &error, out);
        }
        let history = Arc::make_mut(&mut pending.forward.history);
        if pending.forward.target != Target::DeadLetters {
            history.cause = Some(Cause::Refused);
            history.error_kind = Some("too-large".into());
            // One that only waited has not failed before; one that has failed keeps what it said then.
            history.error.get_or_insert_with(|| "the record and its past do not fit into the tier".into());
        }
        pending.forward.target = Target::DeadLetters;
        pending.forward.body = Body::Reference;
        self.send_again(now, id, Duration::ZERO);
    }

    fn refused(&mut self, now: Timestamp, id: ForwardId, error: &ForwardError, out: &mut Actions<R>) {
        let Some(pending) = self.forwards.get_mut(&id) else { return };
        let pause = FIRST_PAUSE.saturating_mul(1 << pending.refusals.min(5)).min(LAST_PAUSE);
        pending.refusals = pending.refusals.saturating_add(1);
        let (slot, target) = (pending.ticket.slot, pending.forward.target);
        let first = !std::mem::replace(&mut pending.blocks, true);
        self.send_again(now, id, pause);
        if first {
            self.block(slot, || format!("{}: {error}", target_name(target)), out);
        }
    }

    fn block(&mut self, slot: Slot, detail: impl Fn() -> String, out: &mut Actions<R>) {
        let Some(partition) = self.partition_mut(slot) else { return };
        partition.refused += 1;
        if partition.refused == 1 {
            Self::notice(out, Notice::Held { slot, why: HoldReason::ForwardRefused, detail: detail() });
        }
    }

    /// Blocks the partitions of forwards that nobody has answered for long.
    pub(super) fn block_unanswered(&mut self, now: Timestamp, out: &mut Actions<R>) {
        if self.unanswered_at > now {
            return;
        }
        self.unanswered_at = Timestamp::MAX;
        let mut stuck = Vec::new();
        for pending in self.forwards.values_mut().filter(|pending| !pending.blocks && pending.resend_at.is_none()) {
            let due = pending.sent.after(UNANSWERED);
            if due > now {
                self.unanswered_at = self.unanswered_at.min(due);
            } else {
                pending.blocks = true;
                stuck.push((pending.ticket.slot, pending.forward.target));
            }
        }
        for (slot, target) in stuck {
            let seconds = UNANSWERED.as_secs();
            let detail = || {
                let target = target_name(target);
                format!("{target}: no acknowledgement for {seconds} s (no leader, or too few replicas in sync)")
            };
            self.block(slot, detail, out);
        }
    }

    /// When a forward may have gone unanswered for long.
    pub(super) fn unanswered_due(&self) -> Option<Timestamp> {
        Some(self.unanswered_at).filter(|&at| at != Timestamp::MAX)
    }

    fn unblock(&mut self, slot: Slot, out: &mut Actions<R>) {
        let Some(partition) = self.partition_mut(slot) else { return };
        partition.refused -= 1;
        if partition.refused == 0 {
            Self::notice(out, Notice::Resumed { slot, why: HoldReason::ForwardRefused });
            self.unpark(slot);
        }
    }

    fn send_again(&mut self, now: Timestamp, id: ForwardId, pause: Duration) {
        let Some(pending) = self.forwards.get_mut(&id) else { return };
        let at = now.after(pause);
        pending.resend_at = Some(at);
        self.resend_at = self.resend_at.min(at);
    }

    /// Sends what is to be sent again by now.
    pub(super) fn resend(&mut self, now: Timestamp, out: &mut Actions<R>) {
        if self.resend_at > now || self.commit.lease_expired() {
            return;
        }
        self.resend_at = Timestamp::MAX;
        let mut due: Vec<ForwardId> = Vec::new();
        for (&id, pending) in &self.forwards {
            match pending.resend_at {
                Some(at) if at <= now => due.push(id),
                Some(at) => self.resend_at = self.resend_at.min(at),
                None => {}
            }
        }
        for id in due {
            // Of a partition whose last commit is under way nothing sets out any more: it is the next owner's.
            let partition = self.forwards.get(&id).and_then(|pending| self.partition(pending.ticket.slot));
            let owned = partition.is_some_and(|p| matches!(p.phase, Phase::Owned | Phase::Draining { .. }));
            match self.forwards.get_mut(&id) {
                Some(pending) if owned => {
                    pending.resend_at = None;
                    pending.sent = now;
                    self.unanswered_at = self.unanswered_at.min(now.after(UNANSWERED));
                    out.forwards.push(pending.forward.clone());
                }
                _ => drop(self.forwards.remove(&id)),
            }
        }
    }

    /// Forgets what is not with the sink of an assignment that ended; the rest is forgotten when its result comes.
    pub(super) fn forget_forwards(&mut self, slot: Slot) {
        if sabotaged(Saboteur::AcceptsOldGenerations) {
            return;
        }
        self.forwards.retain(|_, pending| pending.ticket.slot != slot);
    }
}

fn target_name(target: Target) -> String {
    match target {
        Target::Tier(delay) => format!("the tier of {} s", delay.as_secs()),
        Target::DeadLetters => "the dead letters".into(),
    }
}
