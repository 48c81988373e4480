//! What starts now: ready work, within the budgets, due retries before fresh records.

use super::{
    Engine, Resting,
    intake::UNHANDLED,
    partition::{Kind, Partition, Phase},
};
use crate::{
    event::{Actions, Payload, Work},
    gate,
    id::{Slot, Ticket, TopicIndex},
    planner,
    saboteur::{Saboteur, sabotaged},
    shares::Class,
    time::Timestamp,
};
use std::cmp::Reverse;

/// Records that may be read of one partition in one go.
const BATCH: usize = 256;

/// Forwards that may be on their way at once in one process; while there are more, nothing new starts. Fewer where
/// memory is short, but always some.
const MAX_FORWARDS: usize = 20_000;
const MIN_FORWARDS: usize = 1_000;

/// What a forward on its way costs beside its record, in bytes: its past with its error text, here and with the sink.
const FORWARD_BYTES: usize = 1536;

impl<R: Payload> Engine<R> {
    /// How many records of this partition may be read now.
    pub fn room(&self, slot: Slot) -> usize {
        let held = if sabotaged(Saboteur::IgnoresMemory) { 0 } else { self.memory_held };
        let held = held + self.forwards.len() * FORWARD_BYTES;
        let memory_full = |share: usize| held >= self.config.memory / 10 * share;
        let Some(partition) = self.partition(slot) else { return 0 };
        if !partition.may_start() || !partition.in_hand.is_empty() || self.commit.lease_expired() {
            return 0;
        }
        let wanted = match partition.kind {
            // Fresh records leave a part of the memory to retries: they are what makes room again.
            Kind::Source(_) if memory_full(8) => 0,
            Kind::Source(topic) => self.topics[topic.0 as usize].room().min(BATCH),
            Kind::Tier(_) if memory_full(10) => 0,
            Kind::Tier(_) => BATCH,
        };
        let limit = partition.metadata_room(self.config.commit.metadata_limit);
        partition.ledger.has_room(wanted, limit)
    }

    /// Moves work whose rest is over to the ready queues.
    pub(super) fn wake_rested(&mut self, now: Timestamp, out: &mut Actions<R>) {
        while self.resting.peek().is_some_and(|Reverse(resting)| resting.at <= now) {
            let Some(Reverse(Resting { work, .. })) = self.resting.pop() else { return };
            if self.partition(work.ticket.slot).is_none_or(|partition| partition.phase != Phase::Owned) {
                continue;
            }
            let broker_now = self.clock.broker_now(now);
            match &work.history {
                Some(history) if work.topic == UNHANDLED => {
                    let plan = planner::unhandled(history, broker_now, &self.config.ladder);
                    self.carry_out(now, work, plan, out);
                }
                // The rest was measured by our clock; what is due is due by the broker's.
                Some(history) if history.due.is_some_and(|due| due > broker_now) => {
                    let left = history.due.unwrap_or_default().since(broker_now);
                    self.rest(now.after(left), work);
                }
                _ => self.make_ready(Work { class: Class::Due, ..work }),
            }
        }
    }

    /// Admits the records of tiers whose time has come.
    pub(super) fn open_gates(&mut self, now: Timestamp, out: &mut Actions<R>) {
        for index in 0..self.partitions.len() {
            while let Some(partition) = self.partitions[index].as_mut() {
                let Kind::Tier(mut delay) = partition.kind else { break };
                if sabotaged(Saboteur::OpensGatesEarly) {
                    delay /= 2;
                }
                let Some((_, head)) = partition.in_hand.front() else { break };
                if !partition.may_start() || self.clock.broker_now(now) < gate::open_at(head.appended, delay) {
                    break;
                }
                let Some((sequence, head)) = partition.in_hand.pop_front() else { break };
                let ticket = Ticket { slot: partition.slot, sequence: partition.base + sequence };
                self.admit_returned(now, ticket, delay, head, out);
            }
        }
    }

    /// When the gate of a tier opens next, by our own clock.
    pub(super) fn gate_opens(&self, partition: &Partition<R>) -> Option<Timestamp> {
        let Kind::Tier(delay) = partition.kind else { return None };
        let (_, head) = partition.in_hand.front().filter(|_| partition.may_start())?;
        Some(self.clock.local_when(gate::open_at(head.appended, delay)))
    }

    /// Hands out ready work.
    pub(super) fn dispatch(&mut self, now: Timestamp, out: &mut Actions<R>) {
        let most = (self.config.memory / 4 / FORWARD_BYTES).clamp(MIN_FORWARDS, MAX_FORWARDS);
        if self.commit.lease_expired() || self.forwards.len() >= most || self.is_held_back(now) {
            return;
        }
        for index in 0..self.topics.len() {
            let topic = TopicIndex(index as u16);
            if self.topics[index].held_until(now).is_some() {
                continue;
            }
            let limit = self.budget.limit(topic);
            while let Some((class, count)) = self.topics[index].choose(self.budget.room(topic), limit) {
                self.budget.take_n(topic, count);
                out.work.reserve(count);
                for _ in 0..count {
                    let Some(work) = self.topics[index].pop(class) else { break };
                    self.start(work, out);
                }
            }
        }
    }

    /// Hands out work that has a slot; what may not start is parked or dropped, and gives its slot back.
    fn start(&mut self, work: Work<R>, out: &mut Actions<R>) {
        match self.partition_mut(work.ticket.slot) {
            Some(partition) if partition.may_start() && partition.is_shown(work.ticket) => {
                partition.in_flight += 1;
                partition.started = partition.started.max(work.ticket.sequence + 1);
                out.work.push(work);
            }
            waiting => {
                let (topic, class) = (work.topic, work.class);
                if let Some(partition) = waiting.filter(|partition| partition.phase == Phase::Owned) {
                    let unshown = partition.refused == 0;
                    partition.dirty |= unshown;
                    partition.parked.push(work);
                    if unshown {
                        self.pace.hasten();
                    }
                }
                self.give_back(topic, class);
            }
        }
    }

    /// An attempt ended, or did not start after all.
    pub(super) fn give_back(&mut self, topic: TopicIndex, class: Class) {
        self.budget.give_back(topic);
        self.topics[topic.0 as usize].give_back(class);
    }

    /// Queues work that may start.
    pub(super) fn make_ready(&mut self, work: Work<R>) {
        let work = if self.careful.watching { self.suspect(work) } else { Some(work) };
        if let Some(work) = work {
            self.topics[work.topic.0 as usize].push(work);
        }
    }

    /// Queues again what was parked while the partition was blocked.
    pub(super) fn unpark(&mut self, slot: Slot) {
        let Some(partition) = self.partition_mut(slot) else { return };
        for work in std::mem::take(&mut partition.parked) {
            self.make_ready(work);
        }
    }
}
