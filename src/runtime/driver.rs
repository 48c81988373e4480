//! The driver: owns engine, source and sink on one thread, and turns them.
//!
//! A turn takes in what has happened, lets the engine decide, and carries the decisions out. It never waits; the
//! loop around it does ([`super::service`] on a real broker, the simulator in virtual time).

use super::{
    board::{Board, Shown},
    crew::{Command, Crew, Report},
    gauges::Gauges,
    notices::Notices,
    permit::Permits,
    saboteur::{Saboteur, sabotaged},
};
use crate::{
    broker::{ClockSample, Sink, Source, SourceEvent, Waker},
    record::{Batch, Meter, Record},
};
use retrial_core::{
    engine::Engine,
    event::{
        Acknowledged, Action, Actions, Appended, Arrival, CommitResult, Event, HoldReason, Lineage, Notice, Offer, Work,
    },
    history::{History, HistoryError},
    id::{CommitId, Slot, TopicIndex},
    order::Order,
    outcome::Reason,
    time::Timestamp,
};
use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::time::Instant;

/// Work is handed to one worker in runs of at most this many records: as many as are read of a partition in one go, so
/// that the records of one batch mostly stay with one core; few enough to share the load evenly.
const RUN: usize = 256;

/// What the past of a record of a tier takes in memory, in bytes: some three hundred, and its texts.
const HISTORY_BYTES: usize = 640;

/// What the driver knows of a source topic besides the engine.
#[derive(Debug)]
pub(crate) struct TopicPlan {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// What must run in order.
    pub(crate) order: Order,
    /// Which of the crews runs its handler.
    pub(crate) crew: usize,
}

/// What remembers that a partition was read: its topic, its number, and the topic's identity.
pub(crate) type Mark = Box<dyn FnMut(&Arc<str>, i32, Option<[u8; 16]>) + Send>;

/// Everything a driver is made of.
pub(crate) struct Parts<S, K> {
    pub(crate) engine: Engine<Record>,
    pub(crate) source: S,
    pub(crate) sink: K,
    pub(crate) crews: Vec<Crew>,
    pub(crate) topics: Vec<TopicPlan>,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) samples: mpsc::Receiver<ClockSample>,
    /// Why the service must end, from whoever found out.
    pub(crate) alarms: mpsc::Receiver<String>,
    pub(crate) permits: Arc<Permits>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) notices: Notices,
    pub(crate) board: Arc<Board>,
    pub(crate) group: Arc<str>,
    pub(crate) session_timeout: Duration,
    /// Bytes of records that may be held.
    pub(crate) memory: usize,
    /// Remembers that the group has read a source partition, told at its first accepted commit (RULES 6).
    pub(crate) mark: Mark,
}

/// An assigned partition, as its commits and records are to be understood.
struct Owned {
    topic: Arc<str>,
    partition: i32,
    topic_id: Option<[u8; 16]>,
    marked: bool,
}

/// The commit under way.
struct Said {
    id: CommitId,
    at: Instant,
    slots: Vec<Slot>,
}

/// Turns engine, source and sink. See the module's header.
pub(crate) struct Driver<S, K> {
    parts: Parts<S, K>,
    by_name: HashMap<Arc<str>, usize>,
    gauges: Gauges,
    actions: Actions<Record>,
    events: Vec<SourceEvent>,
    results: Vec<Acknowledged>,
    owned: HashMap<Slot, Owned>,
    said: Option<Said>,
    joined: bool,
    leaving: bool,
    left: bool,
    fatal: Option<String>,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Whether anything happened: then another turn should follow at once.
    pub(crate) busy: bool,
    /// When the next turn is due if nothing happens before.
    pub(crate) wake_at: Option<Timestamp>,
}

impl<S: Source, K: Sink> Driver<S, K> {
    pub(crate) fn new(parts: Parts<S, K>) -> Self {
        let by_name = parts.topics.iter().enumerate().map(|(i, topic)| (topic.name.clone(), i)).collect();
        parts.board.begin(parts.crews.iter().flat_map(Crew::inboxes).collect());
        let gauges = Gauges::new(Arc::clone(&parts.board));
        Self {
            parts,
            by_name,
            gauges,
            actions: Actions::default(),
            events: Vec::new(),
            results: Vec::new(),
            owned: HashMap::new(),
            said: None,
            joined: false,
            leaving: false,
            left: false,
            fatal: None,
        }
    }

    /// One turn at a time of the process's clock.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Turn {
        while let Ok(sample) = self.parts.samples.try_recv() {
            self.parts.engine.observe_clock(sample.sent, sample.acknowledged, sample.appended);
        }
        if let Ok(why) = self.parts.alarms.try_recv() {
            self.parts.permits.end_lease();
            self.fatal.get_or_insert(why);
        }
        let reported = self.take_reports(now);
        let acknowledged = self.take_results(now);
        let fetched = self.take_events(now);
        let wake_at = self.parts.engine.advance(now, &mut self.actions);
        let acted = self.carry_out();
        if self.gauges.turned(now) {
            self.set_gauges(now);
        }
        Turn { busy: reported || acknowledged || fetched || acted, wake_at }
    }

    /// Takes nothing new, finishes what runs within the time, and leaves the group.
    pub(crate) fn stop(&mut self, now: Timestamp, drain: Duration) {
        self.parts.engine.handle(now, Event::Stop(drain), &mut self.actions);
    }

    /// Whether the group was left.
    pub(crate) fn has_left(&self) -> bool {
        self.left
    }

    /// Why the client is broken for good, if it is.
    pub(crate) fn fatal(&self) -> Option<&str> {
        self.fatal.as_deref()
    }

    /// Waits until something may have happened, at most this long.
    pub(crate) fn wait(&mut self, limit: Duration) {
        self.parts.source.wait(limit);
    }

    /// What ends a wait.
    pub(crate) fn waker(&self) -> Waker {
        self.parts.source.waker()
    }

    /// The ports, to be closed at the end.
    pub(crate) fn into_ports(self) -> (S, K) {
        (self.parts.source, self.parts.sink)
    }

    fn set_gauges(&mut self, now: Timestamp) {
        let mut standing = self.parts.engine.standing(now);
        let buffer = self.parts.meter.held();
        let topics = std::mem::take(&mut standing.topics);
        let forwarding = standing.partitions.iter().map(|partition| partition.forwarding).sum();
        let topics = self.parts.notices.levels(now, &topics, buffer, self.parts.memory, forwarding);
        let (joined, stopping) = (self.joined, self.parts.engine.is_stopping());
        let rest = Shown { topics, buffer, joined, stopping, ..Shown::default() };
        self.gauges.set(now, standing, self.parts.notices.held(), rest);
    }

    fn take_reports(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while let Ok(report) = self.parts.reports.try_recv() {
            any = true;
            if let Some(crew) = self.parts.crews.get_mut(report.crew) {
                crew.reported(report.worker, report.finished.len());
            }
            self.parts.notices.finished(&report);
            self.parts.engine.handle(now, Event::Finished(report.finished), &mut self.actions);
        }
        any
    }

    fn take_results(&mut self, now: Timestamp) -> bool {
        self.parts.sink.poll(&mut self.results);
        if self.results.is_empty() {
            return false;
        }
        let mut results = std::mem::take(&mut self.results);
        if sabotaged(Saboteur::HidesRefusals) {
            let written = Appended { sent: now, acknowledged: now, appended: None };
            results.iter_mut().for_each(|ended| ended.result = Ok(ended.result.clone().unwrap_or(written)));
        }
        self.parts.engine.handle(now, Event::Acknowledged(results), &mut self.actions);
        true
    }

    fn take_events(&mut self, now: Timestamp) -> bool {
        let engine = &mut self.parts.engine;
        engine.set_memory_held(self.parts.meter.held());
        self.parts.source.poll(&mut |slot| engine.room(slot), &mut self.events);
        let mut events = std::mem::take(&mut self.events);
        let any = !events.is_empty();
        for event in events.drain(..) {
            self.take_event(now, event);
        }
        self.events = events;
        any
    }

    fn take_event(&mut self, now: Timestamp, event: SourceEvent) {
        let event = match event {
            SourceEvent::Records(slot, batch) => {
                self.gauges.arrived(slot, &batch);
                Event::Arrived(slot, self.arrivals(slot, &batch))
            }
            SourceEvent::Offered(offers) => self.offered(offers),
            SourceEvent::Revoking { slots, lost } => {
                self.joined &= !lost;
                slots.iter().for_each(|&slot| self.parts.permits.close(slot));
                self.parts.notices.revoking(&slots, lost);
                Event::Revoking { slots, lost }
            }
            SourceEvent::OutOfRange(slot, log) => Event::OutOfRange(slot, log),
            SourceEvent::Cut { slot, position, end, log } => Event::Cut { slot, position, end, log },
            SourceEvent::MadeAnew { slot, topic_id, log } => {
                if let Some(owned) = self.owned.get_mut(&slot) {
                    owned.topic_id = Some(topic_id);
                    owned.marked = !self.by_name.contains_key(&owned.topic);
                }
                Event::MadeAnew { slot, topic_id, log }
            }
            SourceEvent::Committed(id, result) => {
                let said = self.said.take_if(|said| said.id == id);
                if let (Some(said), CommitResult::Accepted { refused }) = (said, &result) {
                    self.parts.notices.acknowledged(self.parts.permits.now() - said.at);
                    let late = sabotaged(Saboteur::CountsLeaseFromAnswer);
                    let alive = if late { self.parts.permits.now() } else { said.at };
                    self.parts.permits.extend_lease(alive, self.parts.session_timeout);
                    self.mark(&said.slots, refused);
                }
                self.parts.notices.committed(&result);
                Event::Committed(id, result)
            }
            SourceEvent::Unreadable(slot, detail) => {
                let why = HoldReason::ReadRefused;
                return self.parts.notices.notice(&Notice::Held { slot, why, detail });
            }
            SourceEvent::Readable(slot) => {
                return self.parts.notices.notice(&Notice::Resumed { slot, why: HoldReason::ReadRefused });
            }
            SourceEvent::Trouble(text) => return self.parts.notices.trouble(&text),
            SourceEvent::Fatal(text) => {
                self.parts.permits.end_lease();
                self.fatal.get_or_insert(text);
                return;
            }
            SourceEvent::Left => {
                self.left = true;
                return;
            }
        };
        self.parts.engine.handle(now, event, &mut self.actions);
    }

    fn offered(&mut self, offers: Vec<Offer>) -> Event<Record> {
        self.joined = true;
        for offer in &offers {
            let (topic, partition, topic_id) = (offer.topic.clone(), offer.partition, offer.topic_id);
            let marked = !self.by_name.contains_key(&topic);
            self.gauges.owned(offer.slot, &topic, partition, !marked);
            self.owned.insert(offer.slot, Owned { topic, partition, topic_id, marked });
            self.parts.notices.owned(offer);
        }
        Event::Offered(offers)
    }

    /// Remembers source partitions whose position was committed for the first time.
    fn mark(&mut self, slots: &[Slot], refused: &[(Slot, String)]) {
        for slot in slots.iter().filter(|slot| !refused.iter().any(|(refused, _)| refused == *slot)) {
            if let Some(owned) = self.owned.get_mut(slot).filter(|owned| !owned.marked) {
                owned.marked = true;
                (self.parts.mark)(&owned.topic, owned.partition, owned.topic_id);
            }
        }
    }

    /// What the engine must know of each record of a batch.
    fn arrivals(&self, slot: Slot, batch: &Arc<Batch>) -> Vec<Arrival<Record>> {
        let source = self.owned.get(&slot).and_then(|owned| self.by_name.get(&owned.topic));
        let order = source.map(|&topic| self.parts.topics[topic].order);
        if order.is_none() {
            batch.charge_for_each(HISTORY_BYTES);
        }
        let arrival = |record: Record| {
            let (lane, lineage) = match order {
                Some(order) => (lane(&order, &record), None),
                None => (0, Some(Box::new(lineage(&self.parts.group, &record)))),
            };
            let (offset, leader_epoch) = (record.offset(), record.leader_epoch());
            let appended = record.timestamp();
            Arrival { offset, leader_epoch, appended, lane, record, lineage }
        };
        batch.records().map(arrival).collect()
    }

    /// Does what the engine decided: writes and answers first, work last.
    fn carry_out(&mut self) -> bool {
        if self.actions.is_empty() {
            return false;
        }
        for forward in self.actions.forwards.drain(..) {
            self.parts.sink.send(forward);
        }
        let mut others = std::mem::take(&mut self.actions.others);
        others.drain(..).for_each(|action| self.act(action));
        self.actions.others = others;
        self.hand_out();
        true
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { slot, offset } => {
                self.parts.permits.open(slot);
                self.parts.source.start(slot, offset);
            }
            Action::Commit(id, entries) => {
                self.parts.notices.committing(&entries);
                let slots = entries.iter().map(|entry| entry.slot).collect();
                self.said = Some(Said { id, at: self.parts.permits.now(), slots });
                self.parts.source.commit(id, entries);
            }
            Action::Release(slots) => {
                for slot in &slots {
                    self.parts.permits.close(*slot);
                    self.owned.remove(slot);
                    self.gauges.released(*slot);
                }
                self.parts.notices.released(&slots);
                self.parts.source.release(&slots);
            }
            Action::Hurry(slot) => self.command(|| Command::Hurry(slot)),
            Action::Abandon(slot) => {
                self.parts.permits.close(slot);
                self.command(|| Command::Abandon(slot));
            }
            Action::Trim(slot, before) => self.parts.source.trim(slot, before),
            Action::Purge if sabotaged(Saboteur::NeverPurges) => {}
            Action::Purge => self.parts.sink.purge(),
            Action::Leave if !self.leaving => {
                self.leaving = true;
                self.parts.source.leave();
            }
            Action::Leave => {}
            Action::Notice(notice) => self.parts.notices.notice(&notice),
        }
    }

    fn command(&mut self, command: impl Fn() -> Command) {
        self.parts.crews.iter().for_each(|crew| crew.tell_all(&command));
    }

    /// Shares the work out among the workers of each topic's crew.
    fn hand_out(&mut self) {
        // A handler may block its thread, and whatever waits behind it: so a short list is shared out, too.
        let workers: usize = self.parts.crews.iter().map(Crew::len).sum();
        let longest = self.actions.work.len().div_ceil(workers.max(1)).clamp(1, RUN);
        let Parts { topics, crews, .. } = &mut self.parts;
        let crew_of = |work: &Work<Record>| topics[index(work.topic)].crew;
        let mut left = self.actions.work.drain(..);
        while let Some(first) = left.as_slice().first() {
            let crew = crew_of(first);
            let count = run(left.as_slice(), longest, crew_of);
            crews[crew].give(left.by_ref().take(count).collect());
            if sabotaged(Saboteur::LosesWork) {
                break;
            }
        }
    }
}

/// How much of the work goes to one worker together: at most `longest`, of one crew; not more of another partition once
/// it is half as long. Cores that count references to the same batch wait for each other at every record.
pub(super) fn run(work: &[Work<Record>], longest: usize, crew_of: impl Fn(&Work<Record>) -> usize) -> usize {
    let Some(first) = work.first() else { return 0 };
    let (crew, slot) = (crew_of(first), first.ticket.slot);
    let goes_on = |(place, work): &(usize, &Work<Record>)| {
        crew_of(work) == crew && (*place < longest.div_ceil(2) || work.ticket.slot == slot)
    };
    work.iter().take(longest).enumerate().take_while(goes_on).count()
}

fn index(topic: TopicIndex) -> usize {
    usize::from(topic.0)
}

/// What a record shares with those it must not overtake. Records without a key have no order among themselves.
fn lane(order: &Order, record: &Record) -> u64 {
    match (order, record.key()) {
        (Order::ByKey(_), Some(key)) if !sabotaged(Saboteur::ScattersKeys) => hash(key),
        (Order::ByKey(_), _) => hash(&record.offset().to_be_bytes()),
        _ => 0,
    }
}

/// Two keys of one hash share a lane: they wait for each other, and nothing else.
fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

fn lineage(group: &str, record: &Record) -> Lineage {
    match History::decode(group, record.headers()) {
        Ok(Some(history)) => Lineage::Known(Arc::new(history)),
        Ok(None) => Lineage::Unreadable(Reason::new("no-history", "no retrial-version header")),
        Err(error) => Lineage::Unreadable(Reason::new("bad-history", &unreadable(&error))),
    }
}

fn unreadable(error: &HistoryError) -> String {
    error.to_string()
}
