//! What comes in: partitions that are offered, and their records.

use super::{
    Engine,
    partition::{Kind, Partition, Phase, Recent},
};
use crate::{
    event::{Action, Actions, Arrival, HoldReason, Lineage, LogRange, Notice, Offer, Payload, Work},
    gate,
    history::History,
    id::{Origin, Slot, Ticket},
    lane::Lanes,
    ledger::{FinishedRun, Ledger, Receipt},
    naming::OwnTopic,
    order::Order,
    outcome::{Cause, Reason},
    planner::{self, Arrive},
    shares::Class,
    snapshot::{self, Subject},
    start::{self, Because, Facts, Start},
    time::Timestamp,
};
use std::{collections::VecDeque, time::Duration};

impl<R: Payload> Engine<R> {
    /// Places an offered partition where its work goes on, with what the commit says is finished beyond.
    pub(super) fn offered(&mut self, now: Timestamp, offer: Offer, out: &mut Actions<R>) {
        let kind = match (self.by_name.get(&offer.topic), self.names.parse(&offer.topic)) {
            (Some(&topic), _) => Kind::Source(topic),
            (None, Some(OwnTopic::Tier(delay))) => Kind::Tier(delay),
            // The subscription names source topics and tiers only; anything else is never read.
            _ => return,
        };
        let slot = offer.slot;
        let start = self.place(&offer, kind);
        let (position, phase) = match start {
            Start::At { offset, because } => {
                Self::tell(slot, because, out);
                (offset, if self.is_stopping() { Phase::Parted } else { Phase::Owned })
            }
            Start::Held(_) => (0, Phase::Unplaced),
        };
        let trusted = offer.committed.as_ref().filter(|_| start.keeps_ledger());
        // Where the log begins later than the commit, runs may reach across its start.
        let runs = trusted.map(|_| self.restored(&offer, out)).unwrap_or_default();
        let runs = runs.into_iter().filter(|run| run.to > position);
        let finished = runs.map(|run| FinishedRun { from: run.from.max(position), ..run }).collect();
        let epoch = trusted.map_or(-1, |committed| committed.leader_epoch);
        let committed = offer.committed.as_ref().map_or(-1, |committed| committed.offset);
        let partition = Partition {
            slot,
            topic: offer.topic,
            number: offer.partition,
            topic_id: offer.topic_id,
            kind,
            phase,
            revoked: false,
            ledger: Ledger::resume(position, epoch, finished),
            base: 0,
            lanes: self.lanes_of(kind),
            in_hand: VecDeque::new(),
            parked: Vec::new(),
            in_flight: 0,
            forwarding: 0,
            refused: 0,
            started: 0,
            // The position is committed at the first assignment, so that a missing offset later means loss (RULES 6).
            dirty: phase == Phase::Owned,
            committed,
            said: now,
            trimmed: (position, now),
            metadata_full: false,
            seen: Recent::default(),
        };
        self.insert(partition);
        match phase {
            Phase::Unplaced => Self::notice(out, held_for_want_of_offset(slot)),
            // Also in a stop, when nothing of it will be read: the group waits for the answer.
            _ => out.others.push(Action::Start { slot, offset: position }),
        }
    }

    fn place(&self, offer: &Offer, kind: Kind) -> Start {
        let committed = offer.committed.as_ref().map(|committed| committed.offset);
        let facts = Facts { committed, log: offer.log, known: offer.known };
        start::decide(start_kind(kind), facts, self.config.start_at)
    }

    /// Says what a start position passes over or runs again.
    fn tell(slot: Slot, because: Because, out: &mut Actions<R>) {
        match because {
            Because::Gone { from, to } => Self::notice(out, Notice::RecordsGone { slot, from, to }),
            Because::Cut { committed, end } => Self::notice(out, Notice::LogCut { slot, committed, end }),
            Because::Committed | Because::New => {}
        }
    }

    /// The finished runs of the commit's metadata, if it is ours and speaks of this partition.
    fn restored(&self, offer: &Offer, out: &mut Actions<R>) -> Vec<FinishedRun> {
        let Some(committed) = &offer.committed else { return Vec::new() };
        let subject = Subject {
            group: &self.config.group,
            topic: &offer.topic,
            topic_id: offer.topic_id,
            partition: offer.partition,
            offset: committed.offset,
        };
        match snapshot::decode(&committed.metadata, &subject) {
            Ok(snapshot) => snapshot.map(|snapshot| snapshot.finished).unwrap_or_default(),
            Err(error) => {
                let notice = Notice::MetadataIgnored { slot: offer.slot, why: error.to_string() };
                Self::notice(out, notice);
                Vec::new()
            }
        }
    }

    fn lanes_of(&self, kind: Kind) -> Option<Lanes<Work<R>>> {
        let Kind::Source(topic) = kind else { return None };
        (self.topics[topic.0 as usize].order != Order::Unordered).then(Lanes::new)
    }

    fn insert(&mut self, partition: Partition<R>) {
        let index = partition.slot.index as usize;
        if self.partitions.len() <= index {
            self.partitions.resize_with(index + 1, || None);
        }
        self.partitions[index] = Some(partition);
    }

    /// The log no longer holds the next offset, or not yet: retention, truncation, or a topic made anew.
    pub(super) fn out_of_range(&mut self, slot: Slot, log: LogRange, out: &mut Actions<R>) {
        let start_at = self.config.start_at;
        let Some(partition) = self.partition_mut(slot) else { return };
        let next = partition.ledger.next();
        let start = if (log.start..=log.end).contains(&next) {
            // The log holds the offset by now, or holds another record there: it was cut and has grown again.
            Start::At { offset: log.start, because: Because::Cut { committed: next, end: log.end } }
        } else {
            let facts = Facts { committed: Some(next), log: Some(log), known: true };
            start::decide(start_kind(partition.kind), facts, start_at)
        };
        let Start::At { offset, because } = start else { return };
        Self::tell(slot, because, out);
        if !start.keeps_ledger() {
            // What was read of the old log must not finish anything of the new one (RULES 2): results of it carry
            // sequences that the new ledger does not know.
            partition.start_over(offset);
            self.topics.iter_mut().for_each(|topic| topic.forget(|work| work.ticket.slot == slot));
        }
        out.others.push(Action::Start { slot, offset });
    }

    /// Admits records in the order of their partition.
    pub(super) fn arrived(&mut self, now: Timestamp, slot: Slot, arrivals: Vec<Arrival<R>>) {
        let Some(partition) = self.partition(slot).filter(|partition| partition.phase == Phase::Owned) else { return };
        match partition.kind {
            Kind::Source(_) => self.arrived_fresh(slot, arrivals),
            Kind::Tier(_) => self.arrived_in_tier(now, slot, arrivals),
        }
    }

    fn arrived_fresh(&mut self, slot: Slot, arrivals: Vec<Arrival<R>>) {
        let Some(Some(partition)) = self.partitions.get_mut(slot.index as usize) else { return };
        let Kind::Source(topic) = partition.kind else { return };
        let ready = &mut self.topics[topic.0 as usize];
        for arrival in arrivals {
            let sequence = match partition.ledger.receive(arrival.offset, arrival.leader_epoch) {
                Receipt::Admitted(sequence) => sequence,
                Receipt::AlreadyFinished => {
                    partition.dirty = true;
                    continue;
                }
                Receipt::Repeated => continue,
            };
            let ticket = Ticket { slot, sequence: partition.base + sequence };
            let (class, lane, record) = (Class::Fresh, arrival.lane, arrival.record);
            let work = Work { ticket, topic, class, tries: 0, lane, record, history: None };
            let startable = match &mut partition.lanes {
                Some(lanes) => lanes.enter(work.lane, work),
                None => Some(work),
            };
            if let Some(work) = startable {
                ready.push(work);
            }
        }
    }

    fn arrived_in_tier(&mut self, now: Timestamp, slot: Slot, arrivals: Vec<Arrival<R>>) {
        if let Some(last) = arrivals.last() {
            self.clock.seen(now, last.appended);
        }
        let Some(partition) = self.partition_mut(slot) else { return };
        for arrival in arrivals {
            match partition.ledger.receive(arrival.offset, arrival.leader_epoch) {
                Receipt::Admitted(sequence) => partition.in_hand.push_back((sequence, arrival)),
                Receipt::AlreadyFinished => partition.dirty = true,
                Receipt::Repeated => {}
            }
        }
    }

    /// A tier's record whose gate is open: it runs, hops on, or cannot be handled.
    pub(super) fn admit_returned(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        tier: Duration,
        arrival: Arrival<R>,
        out: &mut Actions<R>,
    ) {
        let history = match arrival.lineage.map(|lineage| *lineage) {
            Some(Lineage::Known(history)) => history,
            Some(Lineage::Unreadable(reason)) => return self.bury_unreadable(now, ticket, arrival.record, reason, out),
            None => {
                let reason = Reason::new("no-history", "a record in a tier without retrial's headers");
                return self.bury_unreadable(now, ticket, arrival.record, reason, out);
            }
        };
        let slot = ticket.slot;
        let Some(partition) = self.partition_mut(slot) else { return };
        if !partition.seen.insert(history.identity()) {
            Self::notice(out, Notice::Repeated { slot, count: 1 });
            return self.complete(ticket, 0);
        }
        let broker_now = self.clock.broker_now(now);
        let Some(&topic) = self.by_name.get(&history.origin.topic) else {
            let plan = planner::unhandled(&history, broker_now, &self.config.ladder);
            let (class, record) = (Class::Due, arrival.record);
            let work = Work { ticket, topic: UNHANDLED, class, tries: 0, lane: 0, record, history: Some(history) };
            return self.carry_out(now, work, plan, out);
        };
        let due = history.due.unwrap_or_default().max(gate::open_at(arrival.appended, tier));
        let class = if tier.is_zero() { Class::WayBack } else { Class::Due };
        let mut work = Work { ticket, topic, class, tries: 0, lane: 0, record: arrival.record, history: None };
        match planner::arrival(&history, broker_now, &self.config.ladder) {
            Arrive::Run => {
                if tier > Duration::ZERO {
                    Self::notice(out, Notice::Lateness { tier, late: broker_now.since(due) });
                }
                work.history = Some(history);
                self.make_ready(work);
            }
            Arrive::Rest(delay) => {
                work.history = Some(history);
                self.rest(now.after(delay), work);
            }
            Arrive::Forward { target, history } => self.forward(now, &work, target, history, out),
        }
    }

    /// A tier's record whose headers are not ours: a dead letter whose origin is where it was found.
    fn bury_unreadable(&mut self, now: Timestamp, ticket: Ticket, record: R, reason: Reason, out: &mut Actions<R>) {
        let work = Work { ticket, topic: UNHANDLED, class: Class::Due, tries: 0, lane: 0, record, history: None };
        let Some(origin) = self.origin(&work) else { return };
        let history = History::new(origin, work.record.time());
        let plan = planner::bury(history, Cause::Undecodable, &reason, self.clock.broker_about(now));
        self.carry_out(now, work, plan, out);
    }

    /// Where a piece of work stood first.
    pub(super) fn origin(&self, work: &Work<R>) -> Option<Origin> {
        if let Some(history) = &work.history {
            return Some(history.origin.clone());
        }
        let partition = self.partition(work.ticket.slot)?;
        let offset = partition.offset(work.ticket)?;
        Some(Origin { topic: partition.topic.clone(), partition: partition.number, offset })
    }
}

/// Stands for "no topic of this build" in work that no handler will see.
pub(super) const UNHANDLED: crate::id::TopicIndex = crate::id::TopicIndex(u16::MAX);

fn start_kind(kind: Kind) -> start::Kind {
    match kind {
        Kind::Source(_) => start::Kind::Source,
        Kind::Tier(_) => start::Kind::Tier,
    }
}

fn held_for_want_of_offset(slot: Slot) -> Notice {
    Notice::Held {
        slot,
        why: HoldReason::OffsetMissing,
        detail: "the group has read this partition before and its offset is gone: say where to start".into(),
    }
}
