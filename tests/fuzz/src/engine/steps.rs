//! What each step does to the world.

use super::{
    broker::{Headers, PLACES, Place, Rec, SOURCES, place_of_tier, subject},
    script::{Answer, Ending, Metadata, Past, Step, Stray, Writing},
    view::{Stage, View},
    world::{Running, World},
};
use retrial_core::{
    event::{
        self, Acknowledged, Appended, Arrival, Body, CommitResult, Committed, Event, Finished, Forward, ForwardError,
        Lineage, LogRange, Offer, Target,
    },
    history::{History, SourceTime},
    id::{CommitId, ForwardId, Origin, Slot},
    outcome::{Outcome, Reason},
    snapshot,
};
use std::{sync::Arc, time::Duration};

impl World {
    pub(super) fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { partition, count, gap, key } => {
                let place = usize::from(partition) % SOURCES;
                for index in 0..u64::from(count % 32) {
                    self.append(place, if index == 0 { i64::from(gap) } else { 0 }, (u64::from(key) + index) % 5);
                }
            }
            Step::Plant { tier, past } => self.plant(SOURCES + usize::from(tier) % (PLACES.len() - SOURCES), past),
            Step::Read { most } => self.read(usize::from(most) + 1),
            Step::End { which, ending } => self.finish(usize::from(which), ending),
            Step::EndMany { count } => (0..count % 32).for_each(|_| self.finish(0, Ending::Done)),
            Step::Write { which, how } => self.write(usize::from(which), how),
            Step::Answer(answer) => self.answer(answer),
            Step::Pass { millis } => self.pass(Duration::from_millis(u64::from(millis % 4_000_000))),
            Step::Wake => self.sleep(),
            Step::Revoke { lost, which } => self.revoke(lost, |place| which >> place & 1 == 1),
            Step::Assign { metadata } => self.assign(metadata),
            Step::Crash => self.crash(),
            Step::Stop { seconds } => {
                self.stopping = true;
                self.handle(Event::Stop(Duration::from_secs(u64::from(seconds))));
            }
            Step::Cut { partition, records } => self.cut(usize::from(partition) % SOURCES, usize::from(records)),
            Step::Retain { partition, records } => {
                let log = &mut self.logs[usize::from(partition) % SOURCES];
                let from = log.entries.get(usize::from(records)).map_or(log.end, |entry| entry.offset);
                log.retain_from(from);
            }
            Step::Memory { bytes } => {
                self.engine.set_memory_held(bytes as usize);
                self.turn();
            }
            Step::Stray(stray) => self.stray(stray),
        }
    }

    /// Until the engine wants to be called.
    pub(super) fn sleep(&mut self) {
        let Some(wake) = self.wake else { return };
        self.now = self.now.max(wake);
        self.turn();
    }

    fn plant(&mut self, place: Place, past: Past) {
        self.lineages += 1;
        let offset = 1_000_000 + self.lineages as i64;
        let origin = Origin { topic: "orders".into(), partition: 0, offset };
        let mut history = History::new(origin, SourceTime::None);
        let headers = match past {
            Past::Nothing => Headers::None,
            Past::Unreadable => Headers::Unreadable,
            Past::Usual { attempts, hop, due_seconds, expires } => {
                (history.attempts, history.step, history.hop) = (attempts.into(), attempts.into(), hop.into());
                history.due = Some(self.now.after(Duration::from_secs(due_seconds.into())));
                history.expires = expires.then_some(self.now.after(Duration::from_secs(30)));
                Headers::Known(Arc::new(history))
            }
            Past::Wild { counts, due, expires, unknown_topic } => {
                [history.attempts, history.crashes, history.step, history.hop, history.redrives] = counts;
                history.due = due.map(retrial_core::time::Timestamp::from_millis);
                history.expires = expires.map(retrial_core::time::Timestamp::from_millis);
                if unknown_topic {
                    history.origin.topic = "letters".into();
                }
                Headers::Known(Arc::new(history))
            }
        };
        self.logs[place].append(0, self.lineages, 0, headers, self.now);
    }

    pub(super) fn read(&mut self, most: usize) {
        let slots: Vec<Slot> = self.views.keys().copied().collect();
        for slot in slots {
            let Some(view) = self.views.get(&slot).filter(|view| view.stage == Stage::Reading) else { continue };
            let (next, range) = (view.next, self.logs[view.place].range());
            if next < range.start || next > range.end {
                self.out_of_range(slot, range);
                continue;
            }
            let room = self.engine.room(slot).min(most);
            self.deliver(slot, next, room);
        }
    }

    /// The engine says again where to read; it may find that the log is another one.
    fn out_of_range(&mut self, slot: Slot, range: LogRange) {
        if let Some(view) = self.views.get_mut(&slot).filter(|view| view.next >= range.start) {
            view.start_over();
        }
        self.handle(Event::OutOfRange(slot, range));
    }

    /// Delivers up to so many records from an offset on.
    fn deliver(&mut self, slot: Slot, from: i64, most: usize) {
        let Some(view) = self.views.get(&slot) else { return };
        let (place, reading) = (view.place, view.reading);
        let entries = self.logs[place].entries.iter().filter(|entry| entry.offset >= from).take(most);
        let entries: Vec<_> = entries.cloned().collect();
        let arrivals = entries.iter().map(|entry| Arrival {
            offset: entry.offset,
            leader_epoch: entry.epoch,
            appended: entry.appended,
            lane: self.lane(place, entry.key),
            record: Rec { place, at: entry.offset, reading, lineage: entry.lineage, _held: self.held.clone() },
            lineage: match &entry.headers {
                Headers::None => None,
                Headers::Unreadable => Some(Box::new(Lineage::Unreadable(Reason::new("headers", "damaged")))),
                Headers::Known(history) => Some(Box::new(Lineage::Known(history.clone()))),
            },
        });
        let arrivals: Vec<_> = arrivals.collect();
        for (entry, arrival) in entries.iter().zip(&arrivals) {
            let identity = if let Headers::Known(history) = &entry.headers { Some(history.identity()) } else { None };
            let view = self.views.get_mut(&slot).expect("looked up above");
            if entry.offset >= view.next {
                view.deliver(entry.offset, arrival.lane, entry.epoch, identity);
            }
        }
        if !arrivals.is_empty() {
            self.handle(Event::Arrived(slot, arrivals));
        }
    }

    pub(super) fn finish(&mut self, which: usize, ending: Ending) {
        if self.running.is_empty() {
            return;
        }
        let Running { work, abandoned } = self.running.remove(which % self.running.len());
        let (ticket, topic, class, lane) = (work.ticket, work.topic, work.class, work.lane);
        let finished = match ending.outcome() {
            _ if abandoned => Finished::Abandoned { ticket, topic, class },
            None if matches!(ending, Ending::Unstarted) => Finished::Unstarted(Box::new(work)),
            None => {
                self.settle(ticket.slot, &work.record);
                Finished::Done { ticket, topic, class, lane }
            }
            Some(outcome) => {
                if matches!(outcome, Outcome::Done | Outcome::Discard(_)) {
                    self.settle(ticket.slot, &work.record);
                }
                Finished::Other(Box::new((work, outcome)))
            }
        };
        self.handle(Event::Finished(vec![finished]));
    }

    /// A record ended for good; its assignment knows it if it still is one.
    fn settle(&mut self, slot: Slot, record: &Rec) {
        self.ended.insert(record.lineage);
        self.mark(slot, record);
    }

    fn mark(&mut self, slot: Slot, record: &Rec) {
        let view = self.views.get_mut(&slot).filter(|view| view.reading == record.reading);
        if let Some(cell) = view.and_then(|view| view.cells.get_mut(&record.at)) {
            cell.finished = true;
        }
    }

    pub(super) fn write(&mut self, which: usize, how: Writing) {
        if self.writing.is_empty() {
            return;
        }
        let forward = self.writing.remove(which % self.writing.len());
        let result = match how {
            Writing::TooLarge if forward.body == Body::Whole => Err(ForwardError::TooLarge),
            Writing::Refused | Writing::TooLarge => Err(ForwardError::Refused("no leader".into())),
            Writing::WrittenUnsaid => {
                self.store(&forward);
                Err(ForwardError::Refused("timed out".into()))
            }
            Writing::Written => {
                self.store(&forward);
                self.mark(forward.slot, &forward.record);
                self.unacknowledged.remove(&forward.id);
                Ok(Appended { sent: self.now, acknowledged: self.now, appended: Some(self.now) })
            }
        };
        self.handle(Event::Acknowledged(vec![Acknowledged { id: forward.id, result }]));
    }

    fn store(&mut self, forward: &Forward<Rec>) {
        let lineage = forward.record.lineage;
        match forward.target {
            Target::DeadLetters => drop(self.ended.insert(lineage)),
            Target::Tier(delay) => {
                let place = place_of_tier(delay).expect("checked when it was sent");
                self.logs[place].append(0, lineage, 0, Headers::Known(forward.history.clone()), self.now);
            }
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        let Some(sent) = self.commit.take() else { return };
        let mut refused = Vec::new();
        let result = match answer {
            Answer::Accepted | Answer::AcceptedInPart(_) | Answer::TakenUnsaid => {
                for (index, entry) in sent.entries.into_iter().enumerate() {
                    let Some(view) = self.views.get_mut(&entry.slot) else { continue };
                    if matches!(answer, Answer::AcceptedInPart(which) if usize::from(which % 8) == index) {
                        refused.push((entry.slot, "unknown partition".to_owned()));
                        continue;
                    }
                    view.accepted = entry.offset;
                    let (offset, leader_epoch) = (entry.offset, entry.leader_epoch);
                    let metadata = entry.metadata.into_bytes();
                    self.logs[view.place].commit(Committed { offset, leader_epoch, metadata });
                }
                if matches!(answer, Answer::TakenUnsaid) {
                    CommitResult::Failed("no answer".into())
                } else {
                    self.alive = self.alive.max(Some(sent.at));
                    CommitResult::Accepted { refused }
                }
            }
            Answer::Rebalancing => CommitResult::Rebalancing,
            Answer::Failed => CommitResult::Failed("coordinator moved".into()),
            Answer::Expelled => {
                self.alive = None;
                CommitResult::Expelled
            }
        };
        let expelled = result == CommitResult::Expelled;
        self.handle(Event::Committed(sent.id, result));
        if expelled {
            self.revoke(true, |_| true);
        }
    }

    pub(super) fn revoke(&mut self, lost: bool, which: impl Fn(Place) -> bool) {
        let slots: Vec<Slot> = self.views.iter().filter(|(_, view)| which(view.place)).map(|(slot, _)| *slot).collect();
        for slot in &slots {
            self.views.get_mut(slot).expect("just seen").stage = Stage::Revoking;
        }
        if !slots.is_empty() {
            self.handle(Event::Revoking { slots, lost });
        }
    }

    /// Offers what this process does not have.
    pub(super) fn assign(&mut self, metadata: Metadata) {
        let free: Vec<Place> = (0..PLACES.len()).filter(|&place| self.slot_of(place).is_none()).collect();
        let offers: Vec<Offer> = free.into_iter().map(|place| self.offer(place, metadata)).collect();
        if !offers.is_empty() {
            self.handle(Event::Offered(offers));
        }
    }

    fn offer(&mut self, place: Place, metadata: Metadata) -> Offer {
        self.generation += 1;
        let slot = Slot { index: place as u32, generation: self.generation };
        let mut view = View::new(place);
        let log = &mut self.logs[place];
        if matches!(metadata, Metadata::Older) && log.before.is_some() {
            log.committed.clone_from(&log.before);
        }
        let mut committed = log.committed.clone();
        if let Some(committed) = &mut committed {
            match metadata {
                Metadata::Own | Metadata::Older => {}
                Metadata::None => committed.metadata.clear(),
                Metadata::Soup(soup) => committed.metadata = soup.to_string().into_bytes(),
                Metadata::Swapped => {
                    let other = self.logs[(place + 1) % PLACES.len()].committed.as_ref();
                    committed.metadata = other.map(|other| other.metadata.clone()).unwrap_or_default();
                }
            }
        }
        let range = self.logs[place].range();
        // A cut log is another one, as far as the map goes.
        if let Some(committed) = committed.as_ref().filter(|committed| committed.offset <= range.end) {
            let read = snapshot::decode(&committed.metadata, &subject(place, committed.offset));
            view.restored = read.ok().flatten().map(|read| read.finished).unwrap_or_default();
        }
        self.views.insert(slot, view);
        let (topic, partition, _) = PLACES[place];
        let past = if committed.is_some() { event::Past::Read } else { event::Past::New };
        Offer { slot, topic: topic.into(), partition, topic_id: None, committed, log: Some(range), past }
    }

    /// Only with leader epochs can anybody tell that a log was cut.
    fn cut(&mut self, place: Place, records: usize) {
        if !self.epochs {
            return;
        }
        // A commit of the old log that lands later would be taken for one of the new.
        self.answer(Answer::Failed);
        self.logs[place].cut(records);
        let range = self.logs[place].range();
        if let Some(slot) = self.slot_of(place).filter(|slot| self.views[slot].next > range.end) {
            match self.views[&slot].stage {
                Stage::Reading => self.out_of_range(slot, range),
                // It may commit once more what it read of the old log.
                Stage::Revoking | Stage::Offered => self.revoke(true, |other| other == place),
            }
        }
    }

    fn stray(&mut self, stray: Stray) {
        let now = self.now;
        let slot = |index: u8, generation: u32| Slot { index: u32::from(index % 16), generation };
        match stray {
            Stray::Committed { id, expelled } => {
                let under_way = self.commit.as_ref().is_some_and(|sent| sent.id == CommitId(id));
                let result =
                    if expelled { CommitResult::Expelled } else { CommitResult::Accepted { refused: Vec::new() } };
                if !under_way {
                    self.handle(Event::Committed(CommitId(id), result));
                }
            }
            Stray::Acknowledged { id, refused } => {
                let appended = Appended { sent: now, acknowledged: now, appended: Some(now) };
                let result = if refused { Err(ForwardError::TooLarge) } else { Ok(appended) };
                if !self.unacknowledged.contains_key(&ForwardId(id)) {
                    self.handle(Event::Acknowledged(vec![Acknowledged { id: ForwardId(id), result }]));
                }
            }
            Stray::Arrived { index, generation } => {
                let slot = slot(index, generation);
                if !self.views.contains_key(&slot) {
                    self.handle(Event::Arrived(slot, vec![self.stray_arrival()]));
                }
            }
            Stray::Again { partition } => {
                let place = usize::from(partition) % PLACES.len();
                let Some(slot) = self.slot_of(place).filter(|slot| self.views[slot].stage == Stage::Reading) else {
                    return;
                };
                let (from, next) = (self.logs[place].start, self.views[&slot].next);
                let read = self.logs[place].entries.iter().filter(|entry| entry.offset < next).count();
                self.deliver(slot, from, read);
            }
            Stray::OutOfRange { index, generation, start, end } => {
                let slot = slot(index, generation);
                if !self.views.contains_key(&slot) {
                    self.handle(Event::OutOfRange(slot, LogRange { start, end }));
                }
            }
            Stray::Revoking { index, generation, lost } => {
                let slot = slot(index, generation);
                if !self.views.contains_key(&slot) {
                    self.handle(Event::Revoking { slots: vec![slot, slot], lost });
                }
            }
            Stray::Offered => {
                self.generation += 1;
                let slot = Slot { index: 15, generation: self.generation };
                let (topic, log) = ("billing.dlq".into(), Some(LogRange { start: 0, end: 9 }));
                let offer =
                    Offer { slot, topic, partition: 0, topic_id: None, committed: None, log, past: event::Past::New };
                self.handle(Event::Offered(vec![offer]));
            }
            Stray::RevokedTwice { lost } => {
                let slots = self.views.iter().filter(|(_, view)| view.stage == Stage::Revoking).map(|(slot, _)| *slot);
                let slots: Vec<Slot> = slots.collect();
                self.handle(Event::Revoking { slots, lost });
            }
            Stray::Frozen => self.now = self.now.after(self.config.session_timeout + Duration::from_millis(1)),
        }
    }

    fn stray_arrival(&self) -> Arrival<Rec> {
        let record = Rec { place: 0, at: 0, reading: 0, lineage: 0, _held: self.held.clone() };
        Arrival { offset: 0, leader_epoch: 0, appended: self.now, lane: 0, record, lineage: None }
    }
}
