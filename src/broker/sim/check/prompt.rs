//! Promises 3 and 4: no record waits for another, or beyond its due time, without a reason.
//!
//! A record that a member was handed begins within [`LATE`] of the moment at which nothing kept it: it was due, a slot
//! was free, its key's turn had come, the lease held, no forward of its partition was refused, and the process ran. A
//! process that has taken over from one that vanished is not held to that while it looks for the record that may have
//! taken it down (RULES 8): by the wary half minute, and as long as its commits name suspects.

use super::{Terms, Violation};
use crate::broker::sim::{
    log::Stored,
    trace::{Ended, Event, Place, ProcessId, Spot, Trace},
};
use bytes::Bytes;
use retrial_core::{
    event::{CommitResult, Committed, ForwardError},
    id::{CommitId, ForwardId, Slot},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

/// What a turn of the member, and its reading of the broker's clock, may add.
const LATE: Duration = Duration::from_secs(1);

/// For how long who took over from one that vanished shows records before it starts them.
const WARY: Duration = Duration::from_secs(31);

/// A forward without an answer for this long holds its partition.
const UNANSWERED: Duration = Duration::from_secs(15);

/// What keeps the records of one process.
#[derive(Default)]
struct Desk {
    running: usize,
    /// Until when slots were short, or the process could not work.
    kept: Timestamp,
    /// As `kept`, for retries only.
    clock: Timestamp,
    lease_until: Timestamp,
    commits: BTreeMap<CommitId, Timestamp>,
    slots: BTreeMap<Slot, Place>,
    /// Handed over and not begun: since when nothing of its own keeps it.
    waiting: BTreeMap<Spot, Timestamp>,
    refused: BTreeSet<ForwardId>,
    blocked: BTreeMap<Place, Timestamp>,
    lanes: BTreeMap<(Place, Option<Bytes>), Timestamp>,
    /// Forwards, with the time when each was handed to the producer first.
    sent: BTreeMap<ForwardId, (Spot, Timestamp)>,
    /// Partitions taken over from one that vanished: until when it is wary, and whether it has named suspects last.
    inherited: BTreeMap<Place, (Timestamp, bool)>,
}

impl Desk {
    /// Looks for records that take processes down; from when it does not any more, everything is free.
    fn is_careful(&mut self, now: Timestamp) -> bool {
        let before = self.inherited.len();
        self.inherited.retain(|_, &mut (until, suspects)| suspects || now < until);
        if self.inherited.len() < before {
            self.kept = self.kept.max(now);
        }
        !self.inherited.is_empty()
    }
}

#[derive(Default)]
struct Watch {
    /// By offset and leader epoch: after an unclean election another record has the place.
    logs: BTreeMap<Place, BTreeMap<(i64, i32), Rc<Stored>>>,
    desks: BTreeMap<ProcessId, Desk>,
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    let Some(limits) = terms.limits else { return Vec::new() };
    // Fresh records and retries leave each other a part of the slots.
    let short = (limits.slots * 7 / 10).max(1);
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, (now, event)) in trace.entries().iter().enumerate() {
        let broken = watch.observe(*now, event, short, terms);
        violations.extend(broken.map(|what| Violation { promise: "nothing waits without a reason", at, what }));
    }
    violations
}

impl Watch {
    fn observe(&mut self, now: Timestamp, event: &Event, short: usize, terms: &Terms) -> Option<String> {
        match event {
            Event::Appended { place, record, .. } if terms.reads(&place.topic) => {
                self.logs.entry(place.clone()).or_default().insert((record.offset, record.epoch), Rc::clone(record));
            }
            Event::Delivered { process, slot, first, last, .. } => {
                self.delivered(now, *process, *slot, *first..*last + 1, terms)
            }
            Event::Began { process, spot, .. } => return self.began(now, *process, spot, short, terms),
            Event::Concluded { process, spot, ended, asked } => {
                let desk = self.desks.entry(*process).or_default();
                if desk.running >= short {
                    desk.kept = desk.kept.max(now);
                }
                desk.running = desk.running.saturating_sub(1);
                match ended {
                    Ended::Done | Ended::Discarded => self.settled(now, *process, spot, terms),
                    // A topic may be held meanwhile.
                    Ended::PutOff => desk.kept = desk.kept.max(now.after(asked.unwrap_or_default())),
                    Ended::Failed | Ended::Dropped => {}
                }
            }
            Event::Died { process } => drop(self.desks.remove(process)),
            other => self.hindered(now, other, terms),
        }
        None
    }

    fn delivered(
        &mut self,
        now: Timestamp,
        process: ProcessId,
        slot: Slot,
        offsets: std::ops::Range<i64>,
        terms: &Terms,
    ) {
        let desk = self.desks.entry(process).or_default();
        let Some(place) = desk.slots.get(&slot) else { return };
        for record in self
            .logs
            .get(place)
            .into_iter()
            .flat_map(|log| log.range((offsets.start, i32::MIN)..(offsets.end, i32::MIN)))
            .map(|(_, record)| record)
        {
            let due = super::early::due(place, record, terms).unwrap_or_default();
            desk.waiting.insert(Spot::of(place, record), now.max(due));
        }
    }

    fn began(
        &mut self,
        now: Timestamp,
        process: ProcessId,
        spot: &Spot,
        short: usize,
        terms: &Terms,
    ) -> Option<String> {
        let record = self.logs.get(&spot.place).and_then(|log| log.get(&(spot.offset, spot.epoch)));
        let desk = self.desks.entry(process).or_default();
        desk.running += 1;
        let since = desk.waiting.remove(spot)?;
        if desk.is_careful(now) {
            desk.kept = desk.kept.max(now);
            return None;
        }
        let lane = record.map(|record| (spot.place.clone(), terms.lane(record)));
        let turn = lane.and_then(|lane| desk.lanes.get(&lane)).copied().unwrap_or_default();
        let blocked = desk.blocked.get(&spot.place).copied().unwrap_or_default();
        let clock = if terms.tier(&spot.place.topic).is_some() { desk.clock } else { Timestamp::default() };
        let full = if desk.running > short { now } else { Timestamp::default() };
        let free = [since, desk.kept, turn, blocked, clock, full].into_iter().max()?;
        let waited = now.since(free);
        (waited > LATE).then(|| format!("{process:?} left {spot} waiting for {waited:?}, since {free}, for nothing"))
    }

    fn settled(&mut self, now: Timestamp, process: ProcessId, spot: &Spot, terms: &Terms) {
        let Some(record) = self.logs.get(&spot.place).and_then(|log| log.get(&(spot.offset, spot.epoch))) else {
            return;
        };
        let lane = (spot.place.clone(), terms.lane(record));
        self.desks.entry(process).or_default().lanes.insert(lane, now);
    }

    /// Takes note of what may keep a process from its work.
    fn hindered(&mut self, now: Timestamp, event: &Event, terms: &Terms) {
        match event {
            Event::Offered { process, slot, place, committed, .. } => {
                let desk = self.desks.entry(*process).or_default();
                let caution = |commit: &Committed| (terms.caution)(place, commit.offset, &commit.metadata);
                desk.inherited.remove(place);
                if committed.as_ref().map(caution).is_some_and(|caution| caution.still_here || caution.suspects) {
                    desk.inherited.insert(place.clone(), (now.after(WARY), false));
                }
                desk.slots.retain(|_, other| other != place);
                desk.slots.insert(*slot, place.clone());
                desk.waiting.retain(|spot, _| spot.place != *place);
            }
            Event::OutOfRange { process, slot, .. } => {
                let desk = self.desks.entry(*process).or_default();
                if let Some(place) = desk.slots.get(slot).cloned() {
                    desk.waiting.retain(|spot, _| spot.place != place);
                }
            }
            Event::Frozen { process, until } => self.keep(*process, *until),
            // It is late by as much as its clock stood, until writes tell it the broker's time again.
            Event::ClockStood { process, stood } => {
                let desk = self.desks.entry(*process).or_default();
                (desk.clock, desk.kept) = (Timestamp::MAX, desk.kept.after(*stood));
            }
            Event::CommitSent { process, id, .. } => {
                self.desks.entry(*process).or_default().commits.insert(*id, now);
            }
            Event::CommitApplied { process, part, .. } => {
                let caution = (terms.caution)(&part.place, part.offset, part.metadata.as_bytes());
                let desk = self.desks.entry(*process).or_default();
                if caution.suspects || desk.inherited.contains_key(&part.place) {
                    let (until, _) = desk.inherited.get(&part.place).copied().unwrap_or_default();
                    desk.inherited.insert(part.place.clone(), (until, caution.suspects));
                }
            }
            Event::CommitAnswered { process, id, result } => {
                let desk = self.desks.entry(*process).or_default();
                let sent = desk.commits.remove(id);
                match (result, sent, terms.lease) {
                    (CommitResult::Accepted { .. }, Some(sent), Some(lease)) => {
                        if desk.lease_until <= now {
                            desk.kept = desk.kept.max(now);
                        }
                        desk.lease_until = desk.lease_until.max(sent.after(lease));
                    }
                    (CommitResult::Expelled, ..) => desk.lease_until = Timestamp::default(),
                    _ => {}
                }
            }
            Event::Forwarded { process, id, from, .. } => {
                self.desks.entry(*process).or_default().sent.entry(*id).or_insert_with(|| (from.clone(), now));
            }
            Event::Acknowledged { process, id, result } => self.acknowledged(now, *process, *id, result, terms),
            _ => {}
        }
    }

    fn keep(&mut self, process: ProcessId, until: Timestamp) {
        let desk = self.desks.entry(process).or_default();
        desk.kept = desk.kept.max(until);
    }

    fn acknowledged(
        &mut self,
        now: Timestamp,
        process: ProcessId,
        id: ForwardId,
        result: &Result<(), ForwardError>,
        terms: &Terms,
    ) {
        let desk = self.desks.entry(process).or_default();
        let Some((spot, sent)) = desk.sent.get(&id).cloned() else { return };
        match result {
            Err(ForwardError::Purged) => {}
            Err(_) => drop(desk.refused.insert(id)),
            Ok(()) => {
                // Nobody answered for long: its partition was held like that of one that is refused (RULES 14).
                if desk.refused.remove(&id) || now.since(sent) >= UNANSWERED {
                    desk.blocked.insert(spot.place.clone(), now);
                }
                self.settled(now, process, &spot, terms);
            }
        }
    }
}
