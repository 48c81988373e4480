//! One consumer client: what librdkafka's own threads do for a member, whether or not its owner turns.
//!
//! This room has its connection to the coordinator and its signs of life; `membership` has rounds and rebalances,
//! `commits` and `fetch` what they say.
//!
//! # Invariants
//! 1. Requests and answers of one client keep their order, as on one connection.
//! 2. A dead process sends and hears nothing; what it had sent arrives.
//! 3. A frozen process and one that is cut off hear later what they missed.

use super::{
    cluster::{State, Step},
    faults::Fault,
    fetch::Assigned,
    group::{Answer, CommitRequest, MemberId, Request},
    membership::Rebalance,
    standstill::Standstill,
    trace::{Event, Place, ProcessId},
};
use crate::broker::SourceEvent;
use retrial_core::{event::CommitResult, id::Slot, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Where a client stands with its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    Out,
    Joining,
    In,
}

/// How far a client is with leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    Asked,
    Said,
}

pub(super) struct Client {
    pub(super) group: Arc<str>,
    pub(super) wants: Rc<dyn Fn(&str) -> bool>,
    pub(super) alive: bool,
    pub(super) broken: bool,
    pub(super) frozen: bool,
    pub(super) cut_off: bool,
    cut_noted: bool,
    /// Milliseconds that the process's clock is ahead of the broker's.
    pub(super) skew: i64,
    /// Whether that was not counted yet.
    is_wrong: bool,
    pub(super) standstill: Arc<Standstill>,
    pub(super) starved: bool,
    pub(super) last_poll: Timestamp,
    pub(super) awake: Arc<AtomicBool>,
    held_answers: Vec<Answer>,
    held_requests: Vec<Request>,
    sent_until: Timestamp,
    answered_until: Timestamp,
    pub(super) member: Option<MemberId>,
    pub(super) generation: i32,
    pub(super) membership: Membership,
    pub(super) rejoin: bool,
    pub(super) leaving: Leaving,
    /// The partitions that it joined for.
    pub(super) view: BTreeSet<Place>,
    pub(super) rebalances: VecDeque<Rebalance>,
    pub(super) slots: BTreeMap<Slot, Assigned>,
    /// Every slot it ever had.
    pub(super) places: BTreeMap<Slot, Place>,
    pub(super) events: VecDeque<SourceEvent>,
    /// Commits that wait for the end of a round.
    pub(super) parked: Vec<CommitRequest>,
    pub(super) offsets_asked: u64,
}

impl Client {
    fn new(group: Arc<str>, wants: Rc<dyn Fn(&str) -> bool>, now: Timestamp) -> Self {
        Self {
            group,
            wants,
            alive: true,
            broken: false,
            frozen: false,
            cut_off: false,
            cut_noted: false,
            skew: 0,
            is_wrong: false,
            standstill: Arc::default(),
            starved: false,
            last_poll: now,
            awake: Arc::new(AtomicBool::new(true)),
            held_answers: Vec::new(),
            held_requests: Vec::new(),
            sent_until: now,
            answered_until: now,
            member: None,
            generation: -1,
            membership: Membership::Out,
            rejoin: false,
            leaving: Leaving::No,
            view: BTreeSet::new(),
            rebalances: VecDeque::new(),
            slots: BTreeMap::new(),
            places: BTreeMap::new(),
            events: VecDeque::new(),
            parked: Vec::new(),
            offsets_asked: 0,
        }
    }

    /// Something may be ready for its owner.
    pub(super) fn wake(&self) {
        self.awake.store(true, Ordering::Relaxed);
    }

    /// Puts an event where the owner's next poll finds it.
    pub(super) fn tell(&mut self, event: SourceEvent) {
        self.events.push_back(event);
        self.wake();
    }

    /// Where it reads, or last read, a partition of a topic.
    pub(super) fn place_read(&self, topic: &str, partition: i32) -> Option<&Place> {
        let fits = |place: &&Place| &*place.topic == topic && place.partition == partition;
        let latest = self.places.iter().filter(|(_, place)| fits(place)).max_by_key(|(slot, _)| slot.generation);
        latest.map(|(_, place)| place)
    }

    /// A slot for a new assignment: the lowest free index, and a generation that was never used.
    pub(super) fn new_slot(&self) -> Slot {
        let taken: BTreeSet<u32> = self.slots.keys().map(|slot| slot.index).collect();
        let index = (0..).find(|index| !taken.contains(index)).unwrap_or(u32::MAX);
        let generation = self.places.keys().map(|slot| slot.generation + 1).max().unwrap_or(1);
        Slot { index, generation }
    }
}

impl State {
    /// The clock of a process.
    pub(super) fn local(&self, process: ProcessId) -> Timestamp {
        self.now.shifted(self.clients.get(&process).map_or(0, |client| client.skew))
    }

    /// Something happened that a process with a wrong clock decides by it.
    pub(super) fn felt_clock(&mut self, process: ProcessId) {
        if self.client(process).is_some_and(|client| std::mem::take(&mut client.is_wrong)) {
            self.fault(Fault::ClockWrong);
        }
    }

    /// Whether the process exists.
    pub(super) fn lives(&self, process: ProcessId) -> bool {
        self.clients.get(&process).is_some_and(|client| client.alive)
    }

    /// Whether nothing goes wrong for the process.
    pub(super) fn is_spared(&self, process: ProcessId) -> bool {
        self.spared == Some(process)
    }

    /// A client that still exists.
    pub(super) fn client(&mut self, process: ProcessId) -> Option<&mut Client> {
        self.clients.get_mut(&process).filter(|client| client.alive)
    }

    /// Connects a new client, which joins its group at once.
    pub(super) fn connect(&mut self, process: ProcessId, group: &Arc<str>, wants: Rc<dyn Fn(&str) -> bool>) {
        let timing = self.timing.clone();
        let sync = self.latency();
        let coordinator = || super::group::Group::new(Arc::clone(group), timing.session, timing.max_poll, sync);
        self.groups.entry(Arc::clone(group)).or_insert_with(coordinator);
        let mut client = Client::new(Arc::clone(group), wants, self.now);
        if !self.is_spared(process) && self.fails(Fault::ClockWrong) {
            let most = 20_000;
            client.skew = self.faults.dice(Fault::ClockWrong).between(&(0..=2 * most)) as i64 - most as i64;
            client.is_wrong = client.skew != 0;
        }
        self.clients.insert(process, client);
        self.after(timing.heartbeat, Step::Beat(process));
        self.join(process);
    }

    /// Sends a request to the coordinator, after those that were sent before it.
    pub(super) fn send(&mut self, process: ProcessId, request: Request) {
        let arrives = self.now.after(self.latency());
        let Some(client) = self.clients.get_mut(&process) else { return };
        client.sent_until = client.sent_until.max(arrives);
        let time = client.sent_until;
        self.at(time, Step::Request(process, request));
    }

    /// A request reaches the coordinator, unless the way is cut.
    pub(super) fn request_arrived(&mut self, process: ProcessId, request: Request) {
        let Some(client) = self.clients.get_mut(&process) else { return };
        let group = Arc::clone(&client.group);
        if client.cut_off {
            self.note_cut(process);
            return self.not_arrived(process, request);
        }
        match request {
            Request::Commit(commit) => self.commit_arrived(process, &group, commit),
            Request::Offsets { number, .. }
                if self.lives(process) && !self.is_spared(process) && self.breaks(Fault::OffsetsUnreadable) =>
            {
                self.answer(process, Answer::OffsetsUnreadable { number });
            }
            request => self.coordinate(&group, |group, now, out| group.handle(now, process, request, out)),
        }
    }

    fn not_arrived(&mut self, process: ProcessId, request: Request) {
        match request {
            Request::Heartbeat { .. } => {}
            Request::Commit(commit) => self.commit_cut_off(process, commit),
            request => {
                if let Some(client) = self.client(process) {
                    client.held_requests.push(request);
                }
            }
        }
    }

    fn note_cut(&mut self, process: ProcessId) {
        let first = self.client(process).is_some_and(|client| !std::mem::replace(&mut client.cut_noted, true));
        if first {
            self.fault(Fault::CutOff);
        }
    }

    /// The coordinator answers.
    pub(super) fn answer(&mut self, process: ProcessId, answer: Answer) {
        if !self.lives(process) {
            return;
        }
        let mut delay = self.latency();
        let answer = match answer {
            Answer::Commit { id, result: CommitResult::Accepted { refused } } => {
                let (result, late) = self.commit_answer(refused);
                delay += late;
                Answer::Commit { id, result }
            }
            Answer::Offsets { number, committed } => {
                let committed = committed.into_iter().map(|(place, read)| (place, self.tampered(read))).collect();
                Answer::Offsets { number, committed }
            }
            other => other,
        };
        let arrives = self.now.after(delay);
        let Some(client) = self.clients.get_mut(&process) else { return };
        client.answered_until = client.answered_until.max(arrives);
        let time = client.answered_until;
        self.at(time, Step::Answer(process, answer));
    }

    /// An answer reaches its client, unless it cannot hear now.
    pub(super) fn answer_arrived(&mut self, process: ProcessId, answer: Answer) {
        let Some(client) = self.client(process) else { return };
        if client.frozen || client.cut_off {
            let cut_off = client.cut_off;
            client.held_answers.push(answer);
            if cut_off {
                self.note_cut(process);
            }
            return;
        }
        match answer {
            Answer::Joined { member, generation, assigned } => self.joined(process, member, generation, assigned),
            Answer::Rejoin { joining } => self.rejoin(process, joining),
            Answer::Fenced { known, joining } => self.fenced(process, known, joining),
            Answer::Commit { id, result } => client.tell(SourceEvent::Committed(id, result)),
            Answer::Offsets { number, committed } => self.offsets_read(process, number, committed),
            Answer::OffsetsUnreadable { number } => self.offsets_unread(process, number),
            Answer::Left => self.left(process),
        }
    }

    /// Time for a sign of life. A client whose owner has not polled for too long leaves by itself, as librdkafka does.
    pub(super) fn beat(&mut self, process: ProcessId) {
        let (now, interval, spared) = (self.now, self.timing.heartbeat, self.is_spared(process));
        let max_poll = if spared { Duration::MAX } else { self.timing.max_poll };
        let Some(client) = self.client(process) else { return };
        if client.broken {
            return;
        }
        if let (Some(member), Membership::In, false) = (client.member, client.membership, client.frozen) {
            let generation = client.generation;
            if now.since(client.last_poll) > max_poll {
                self.send(process, Request::Leave { member });
                self.fenced(process, false, false);
            } else {
                self.send(process, Request::Heartbeat { member, generation });
            }
        }
        self.after(interval, Step::Beat(process));
    }

    /// The process goes on, and hears what it missed. It counts if there was anything; `stood` says how long its
    /// clock did, too.
    pub(super) fn thaw(&mut self, process: ProcessId, stood: Duration) {
        if let Some(client) = self.client(process) {
            client.frozen = false;
            let worked = client.standstill.end(stood);
            let missed = client.awake.swap(true, Ordering::Relaxed) || worked || !client.held_answers.is_empty();
            client.skew -= stood.as_millis() as i64;
            if missed {
                self.fault(if stood.is_zero() { Fault::Freeze } else { Fault::ClockStood });
            }
            if !stood.is_zero() {
                self.seen(Event::ClockStood { process, stood });
            }
            self.catch_up(process);
        }
    }

    /// The workers of a process get turns again. It counts if they had wanted one.
    pub(super) fn feed_workers(&mut self, process: ProcessId) {
        if let Some(client) = self.client(process)
            && std::mem::take(&mut client.starved)
            && !client.frozen
            && client.standstill.end(Duration::ZERO)
        {
            self.fault(Fault::Starved);
        }
    }

    /// The way to the coordinator is open again.
    pub(super) fn reconnect(&mut self, process: ProcessId) {
        if let Some(client) = self.client(process) {
            (client.cut_off, client.cut_noted) = (false, false);
            let requests = std::mem::take(&mut client.held_requests);
            requests.into_iter().for_each(|request| self.send(process, request));
            self.catch_up(process);
        }
    }

    fn catch_up(&mut self, process: ProcessId) {
        let missed = self.client(process).map(|client| std::mem::take(&mut client.held_answers));
        missed.into_iter().flatten().for_each(|answer| self.answer_arrived(process, answer));
    }

    /// The process is gone, without a word to anybody.
    pub(super) fn kill(&mut self, process: ProcessId) {
        let Some(client) = self.client(process) else { return };
        client.alive = false;
        client.standstill.end(Duration::ZERO);
        client.wake();
        client.slots.clear();
        self.producers.remove(&process);
        self.seen(Event::Died { process });
    }

    /// A port was used against its contract.
    pub(super) fn misuse(&mut self, process: ProcessId, what: impl Into<String>) {
        let what = what.into();
        self.seen(Event::Misuse { process, what });
    }
}
