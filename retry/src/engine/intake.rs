//! What comes in: partitions that are offered, and their records.

use super::{
    Engine,
    partition::{Kind, Partition, Phase, Recent, window},
};
use crate::{
    event::{Action, Actions, Arrival, HoldReason, Lineage, LogRange, Notice, Offer, Past, Payload, Work},
    gate,
    history::History,
    id::{Origin, Slot, Ticket},
    lane::Lanes,
    ledger::{FinishedRun, Ledger, Receipt},
    naming::OwnTopic,
    order::Order,
    outcome::{Cause, Reason},
    planner::{self, Arrive},
    saboteur::{Saboteur, sabotaged},
    shares::Class,
    snapshot::{self, Snapshot, SnapshotError, Subject},
    start::{self, Because, Facts, Start},
    suspects::Suspects,
    time::Timestamp,
};
use std::{cmp::Reverse, collections::VecDeque, sync::Arc, time::Duration};

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
        let restored = trusted.and_then(|_| self.restored(&offer, out));
        let suspects = restored.as_ref().and_then(|snapshot| Suspects::inherit(snapshot, position, now));
        self.careful.watching |= suspects.is_some();
        let runs = restored.map(|snapshot| snapshot.finished).unwrap_or_default();
        let across = !sabotaged(Saboteur::ForgetsRunsAcrossStart);
        let runs = runs.into_iter().filter(|run| run.to > position && (across || run.from >= position));
        let finished = runs.map(|run| FinishedRun { from: run.from.max(position), ..run }).collect();
        let epoch = trusted.map_or(-1, |committed| committed.leader_epoch);
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
            left_over: 0,
            forwarding: 0,
            refused: 0,
            started: 0,
            // The position is committed at the first assignment, so that a missing offset later means loss (RULES 6).
            dirty: phase == Phase::Owned,
            said: now,
            trimmed: (position, now),
            metadata_full: false,
            suspects: suspects.map(Box::new),
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
        let past = match offer.past {
            Past::Another if self.counts_here(offer) => Past::Read,
            past => past,
        };
        let facts = Facts { committed, log: offer.log, past };
        start::decide(start_kind(kind), facts, self.config.start_at)
    }

    /// Says what a start position passes over or runs again.
    fn tell(slot: Slot, because: Because, out: &mut Actions<R>) {
        match because {
            Because::Gone { from, to } => Self::notice(out, Notice::RecordsGone { slot, from, to }),
            // What is below the commit was finished; nobody knows what stood above it.
            Because::Cut { committed, end } => Self::notice(out, Notice::LogCut { slot, committed, end, lost: 0 }),
            Because::MadeAnew { was } => Self::notice(out, Notice::MadeAnew { slot, was }),
            Because::Committed | Because::New => {}
        }
    }

    /// What the commit's metadata says, if there is a commit.
    fn snapshot(&self, offer: &Offer) -> Option<Result<Option<Snapshot>, SnapshotError>> {
        let committed = offer.committed.as_ref()?;
        let subject = Subject {
            group: &self.config.group,
            topic: &offer.topic,
            topic_id: offer.topic_id,
            partition: offer.partition,
            offset: committed.offset,
        };
        Some(snapshot::decode(&committed.metadata, &subject))
    }

    /// Whether the commit is bound to the topic that is there now, or another tool's: then it is what an operator wants.
    fn counts_here(&self, offer: &Offer) -> bool {
        matches!(self.snapshot(offer), Some(Ok(_) | Err(SnapshotError::Foreign)))
    }

    /// What the commit's metadata says, if it is ours and speaks of this partition.
    fn restored(&self, offer: &Offer, out: &mut Actions<R>) -> Option<Snapshot> {
        match self.snapshot(offer)? {
            Ok(_) if sabotaged(Saboteur::IgnoresMap) => None,
            Ok(snapshot) => snapshot,
            Err(error) => {
                let notice = Notice::MetadataIgnored { slot: offer.slot, why: error.to_string() };
                Self::notice(out, notice);
                None
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
        self.count_tiers();
    }

    /// Counts the partitions of tiers that are assigned.
    pub(super) fn count_tiers(&mut self) {
        let tiers = self.partitions.iter().flatten().filter(|partition| matches!(partition.kind, Kind::Tier(_)));
        self.tier_partitions = tiers.count();
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
            let facts = Facts { committed: Some(next), log: Some(log), past: Past::Read };
            start::decide(start_kind(partition.kind), facts, start_at)
        };
        let Start::At { offset, because } = start else { return };
        let lost = partition.unfinished_from(log.end);
        match because {
            Because::Cut { committed, end } => Self::notice(out, Notice::LogCut { slot, committed, end, lost }),
            because => Self::tell(slot, because, out),
        }
        if !start.keeps_ledger() {
            self.start_over(slot, Ledger::resume(offset, -1, Vec::new()), out);
        }
        out.others.push(Action::Start { slot, offset });
    }

    /// A new leader's log ends at `end`, in the epoch that was read: below, nothing has changed.
    pub(super) fn cut(&mut self, slot: Slot, position: i64, end: i64, log: LogRange, out: &mut Actions<R>) {
        let Some(partition) = self.partition_mut(slot) else { return };
        let ledger = &partition.ledger;
        let (watermark, next) = (ledger.watermark(), ledger.next());
        let ledger = if end < watermark {
            Ledger::resume(end, -1, Vec::new())
        } else {
            let below = ledger.finished_runs().filter(|run| run.from < end);
            let finished = below.map(|run| FinishedRun { to: run.to.min(end), ..run }).collect();
            Ledger::resume(watermark, ledger.watermark_epoch(), finished)
        };
        // What was fetched and never came is gone, too.
        let lost = partition.unfinished_from(end) + position.saturating_sub(next.max(end)).max(0).unsigned_abs();
        Self::notice(out, Notice::LogCut { slot, committed: position, end, lost });
        let offset = ledger.watermark().max(log.start);
        self.start_over(slot, ledger, out);
        out.others.push(Action::Start { slot, offset });
    }

    /// Another topic has taken the name of the one that was read.
    pub(super) fn made_anew(&mut self, slot: Slot, topic_id: [u8; 16], log: LogRange, out: &mut Actions<R>) {
        let reads = |partition: &&mut Partition<R>| matches!(partition.phase, Phase::Owned | Phase::Unplaced);
        let Some(partition) = self.partition_mut(slot).filter(reads) else { return };
        let was = partition.ledger.watermark();
        partition.topic_id = Some(topic_id);
        let held = std::mem::replace(&mut partition.phase, Phase::Owned) == Phase::Unplaced;
        self.start_over(slot, Ledger::resume(log.start, -1, Vec::new()), out);
        Self::notice(out, Notice::MadeAnew { slot, was });
        if held {
            Self::notice(out, Notice::Resumed { slot, why: HoldReason::OffsetMissing });
        }
        out.others.push(Action::Start { slot, offset: log.start });
    }

    /// Begins again in a log that is not the one that was read. What was read of the old one must not finish anything of
    /// the new one (RULES 2): results of it carry sequences that the new ledger does not know.
    fn start_over(&mut self, slot: Slot, ledger: Ledger, out: &mut Actions<R>) {
        if let Some(partition) = self.partition_mut(slot) {
            partition.start_over(ledger);
            if partition.in_flight > 0 {
                // What is left of the log runs again, and must not run beside itself.
                out.others.push(Action::Abandon(slot));
            }
            self.topics.iter_mut().for_each(|topic| topic.forget(|work| work.ticket.slot == slot));
            self.resting.retain(|Reverse(resting)| resting.work.ticket.slot != slot);
            self.forget_log(slot);
        }
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
        let mut suspected = Vec::new();
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
            if let Some(suspects) = &mut partition.suspects {
                suspects.receive(arrival.offset, arrival.leader_epoch);
            }
            let ticket = Ticket { slot, sequence: partition.base + sequence };
            let (class, lane, record) = (Class::Fresh, arrival.lane, arrival.record);
            let work = Work { ticket, topic, class, tries: 0, lane, record, history: None };
            let startable = match &mut partition.lanes {
                Some(_) if sabotaged(Saboteur::KeepsNoLanes) => Some(work),
                Some(lanes) => lanes.enter(work.lane, work),
                None => Some(work),
            };
            match startable {
                Some(work) if partition.suspects.is_some() => suspected.push(work),
                Some(work) => ready.push(work),
                None => {}
            }
        }
        suspected.into_iter().for_each(|work| self.make_ready(work));
    }

    fn arrived_in_tier(&mut self, now: Timestamp, slot: Slot, arrivals: Vec<Arrival<R>>) {
        if let Some(last) = arrivals.last() {
            self.clock.seen(now, last.appended);
        }
        let Some(partition) = self.partition_mut(slot) else { return };
        for arrival in arrivals {
            match partition.ledger.receive(arrival.offset, arrival.leader_epoch) {
                Receipt::Admitted(sequence) => {
                    if let Some(suspects) = &mut partition.suspects {
                        suspects.receive(arrival.offset, arrival.leader_epoch);
                    }
                    partition.in_hand.push_back((sequence, arrival));
                }
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
            Some(Lineage::Known(history)) if sabotaged(Saboteur::ForgetsAttempts) => {
                Arc::new(History { attempts: 0, ..Arc::unwrap_or_clone(history) })
            }
            Some(Lineage::Known(history)) => history,
            Some(Lineage::Unreadable(reason)) => return self.bury_unreadable(now, ticket, arrival.record, reason, out),
            None => {
                let reason = Reason::new("no-history", "a record in a tier without retrial's headers");
                return self.bury_unreadable(now, ticket, arrival.record, reason, out);
            }
        };
        let (slot, window) = (ticket.slot, window(self.config.memory, self.tier_partitions));
        let Some(partition) = self.partition_mut(slot) else { return };
        if !partition.seen.insert(history.identity(), window) && !sabotaged(Saboteur::RunsRepeats) {
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
            Arrive::Forward { target, history } => {
                Self::tell_hop(target, out);
                self.forward(now, work, target, history, out);
            }
        }
    }

    /// A tier's record whose headers are not ours: a dead letter whose origin is where it was found.
    fn bury_unreadable(&mut self, now: Timestamp, ticket: Ticket, record: R, reason: Reason, out: &mut Actions<R>) {
        let work = Work { ticket, topic: UNHANDLED, class: Class::Due, tries: 0, lane: 0, record, history: None };
        let Some(origin) = self.origin(&work) else { return };
        let history = History::new(origin, work.record.time());
        let plan = planner::bury(history, Cause::Undecodable, reason, self.clock.broker_about(now));
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
