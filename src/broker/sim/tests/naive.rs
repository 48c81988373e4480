//! A consumer as one would write it by hand: one record of a partition at a time, contiguous commits, two tiers.
//!
//! It keeps the promises, so that what a judge finds in its traces is the judge's or the simulator's mistake; with a
//! [`Flaw`] it breaks one of them on purpose.

use crate::{
    broker::{
        Sink, Source, SourceEvent,
        sim::{Cluster, SimSink, SimSource, random::Random, trace::Ended, trace::ProcessId},
    },
    record::{Meter, Record},
};
use retrial_core::{
    event::{Acknowledged, Body, CommitEntry, CommitResult, Committed, Forward, ForwardError, LogRange, Offer, Target},
    history::{History, SourceTime},
    id::{CommitId, ForwardId, Origin, Slot},
    naming::GroupNames,
    outcome::Cause,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

pub(super) const TIERS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
pub(super) const SESSION: Duration = Duration::from_secs(6);
const PATIENCE: Duration = Duration::from_secs(2);

/// A mistake that a consumer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Commits what was delivered, done or not.
    CommitsEarly,
    /// Does not wait for a tier's time.
    RunsEarly,
    /// Goes on with partitions it was told are lost, and keeps no lease.
    WorksOn,
    /// Takes the next record while one runs.
    Overtakes,
    /// Counts attempts from zero at every hop.
    ForgetsAttempts,
    /// Reads a partition from its start, whatever is committed.
    IgnoresCommits,
    /// Runs a forward as often as it was written.
    RunsRepeats,
}

#[derive(Debug)]
struct Held {
    topic: Arc<str>,
    metadata: String,
    queue: VecDeque<Record>,
    running: Vec<(Record, Timestamp)>,
    forwarding: Option<(ForwardId, Forward<Record>)>,
    retry_forward: Option<Timestamp>,
    next: i64,
    epoch: i32,
    delivered: i64,
    seen: BTreeSet<u64>,
    revoking: Option<(Timestamp, Option<CommitId>)>,
}

pub(super) struct Naive {
    cluster: Cluster,
    pub(super) process: ProcessId,
    source: SimSource,
    sink: SimSink,
    names: Rc<GroupNames>,
    flaw: Flaw,
    random: Random,
    held: BTreeMap<Slot, Held>,
    ids: u64,
    commit: Option<(CommitId, Timestamp)>,
    next_commit: Timestamp,
    /// When the last accepted commit was sent, and when those were whose answers are not in.
    renewed: Timestamp,
    sent: BTreeMap<CommitId, Timestamp>,
    pub(super) over: bool,
}

impl Naive {
    pub(super) fn start(cluster: &Cluster, names: &Rc<GroupNames>, flaw: Flaw, random: Random) -> Self {
        let process = cluster.start_process(names.group());
        let wanted = Rc::clone(names);
        let wants = move |topic: &str| {
            topic == "orders"
                || wanted.parse(topic).is_some_and(|own| own != retrial_core::naming::OwnTopic::DeadLetters)
        };
        let source = SimSource::join(cluster, process, names.group(), wants, Arc::new(Meter::default()));
        let sink = SimSink::open(cluster, process, Rc::clone(names));
        let now = cluster.now();
        Self {
            cluster: cluster.clone(),
            process,
            source,
            sink,
            names: Rc::clone(names),
            flaw,
            random,
            held: BTreeMap::new(),
            ids: 0,
            commit: None,
            next_commit: now,
            renewed: Timestamp::default(),
            sent: BTreeMap::new(),
            over: false,
        }
    }

    pub(super) fn leave(&mut self) {
        self.source.leave();
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// One turn; returns when the next one is due by itself.
    pub(super) fn turn(&mut self) -> Option<Timestamp> {
        let now = self.cluster.now();
        let mut events = Vec::new();
        let held = &self.held;
        self.source.poll(&mut |slot| held.get(&slot).map_or(0, |held| 20 - held.queue.len().min(20)), &mut events);
        events.into_iter().for_each(|event| self.event(now, event));
        let mut results = Vec::new();
        self.sink.poll(&mut results);
        results.into_iter().for_each(|result| self.forwarded(now, result));
        self.finish(now);
        self.let_go(now);
        self.begin(now);
        self.commit_all(now);
        let runs = self.held.values().flat_map(|held| held.running.iter().map(|&(_, end)| end));
        let gates = self.held.values().filter_map(|held| self.gate(held)).filter(|&gate| gate > now);
        let retries = self.held.values().filter_map(|held| held.retry_forward);
        let drains = self.held.values().filter_map(|held| held.revoking.as_ref().map(|&(until, _)| until));
        [self.next_commit]
            .into_iter()
            .chain(runs)
            .chain(gates)
            .chain(retries)
            .chain(drains)
            .filter(|&at| at > now)
            .min()
    }

    fn event(&mut self, now: Timestamp, event: SourceEvent) {
        match event {
            SourceEvent::Offered(offers) => offers.into_iter().for_each(|offer| self.take(offer)),
            SourceEvent::Records(slot, batch) => {
                let held = self.held.get_mut(&slot).expect("records of a slot that was started");
                for record in batch.records() {
                    assert!(record.offset() >= held.delivered, "none twice, and in order");
                    held.delivered = record.offset() + 1;
                    held.queue.push_back(record);
                }
            }
            SourceEvent::Cut { .. }
            | SourceEvent::MadeAnew { .. }
            | SourceEvent::Unreadable(..)
            | SourceEvent::Readable(_) => unreachable!("nobody tells members here"),
            SourceEvent::OutOfRange(slot, LogRange { start, end }) => {
                let held = self.held.get_mut(&slot).expect("a slot that was started");
                let to = held.next.clamp(start, end);
                held.queue.clear();
                (held.next, held.delivered, held.forwarding, held.retry_forward) = (to, to, None, None);
                for (record, _) in std::mem::take(&mut held.running) {
                    self.cluster.concluded(self.process, &record, Ended::Dropped, None);
                }
                self.source.start(slot, to);
            }
            SourceEvent::Revoking { slots, lost: true } if self.flaw != Flaw::WorksOn => {
                self.drop_all(&slots);
                self.source.release(&slots);
            }
            SourceEvent::Revoking { slots, .. } => {
                for slot in slots {
                    let held = self.held.get_mut(&slot).expect("a slot that was offered");
                    held.queue.clear();
                    held.revoking = Some((now.after(PATIENCE), None));
                }
            }
            SourceEvent::Committed(id, result) => {
                let sent = self.sent.remove(&id);
                if let (CommitResult::Accepted { .. }, Some(sent)) = (result, sent) {
                    self.renewed = self.renewed.max(sent);
                }
                if self.commit.is_some_and(|(sent, _)| sent == id) {
                    self.commit = None;
                }
                let done: Vec<Slot> = self
                    .held
                    .iter()
                    .filter(|(_, held)| matches!(held.revoking, Some((_, Some(sent))) if sent == id))
                    .map(|(&slot, _)| slot)
                    .collect();
                self.give_up(&done);
            }
            SourceEvent::Trouble(_) => {}
            SourceEvent::Fatal(_) => {
                self.cluster.kill(self.process);
                self.over = true;
            }
            SourceEvent::Left => self.over = true,
        }
    }

    fn take(&mut self, offer: Offer) {
        let start = offer.log.map_or(0, |log| log.start);
        let ours = |committed: &Committed| !matches!(self.flaw, Flaw::IgnoresCommits) && same_topic(committed, &offer);
        let (next, epoch) = match offer.committed.as_ref().filter(|committed| ours(committed)) {
            Some(committed) => (committed.offset, committed.leader_epoch),
            None => (start, -1),
        };
        self.source.start(offer.slot, next);
        let (queue, running) = (VecDeque::new(), Vec::new());
        let metadata = format!("naive {}.", identity(offer.topic_id));
        let held = Held {
            topic: offer.topic,
            metadata,
            queue,
            running,
            forwarding: None,
            retry_forward: None,
            next,
            epoch,
            delivered: next,
            seen: BTreeSet::new(),
            revoking: None,
        };
        self.held.insert(offer.slot, held);
    }

    fn gate(&self, held: &Held) -> Option<Timestamp> {
        let retrial_core::naming::OwnTopic::Tier(delay) = self.names.parse(&held.topic)? else { return None };
        Some(held.queue.front()?.timestamp().after(delay))
    }

    fn begin(&mut self, now: Timestamp) {
        let lease = now.since(self.renewed) <= SESSION || self.flaw == Flaw::WorksOn;
        let slots: Vec<Slot> = self.held.keys().copied().collect();
        for slot in slots {
            let held = &self.held[&slot];
            let gated = self.gate(held).is_some_and(|gate| gate > now) && self.flaw != Flaw::RunsEarly;
            let most = if self.flaw == Flaw::Overtakes { 4 } else { 1 };
            if gated || !lease || held.revoking.is_some() || held.forwarding.is_some() || held.running.len() >= most {
                continue;
            }
            let Some(record) = self.held.get_mut(&slot).and_then(|held| held.queue.pop_front()) else { continue };
            let past = self.past(&record);
            let identity = past.as_ref().map(History::identity).filter(|_| self.flaw != Flaw::RunsRepeats);
            if let (Some(identity), Some(held)) = (identity, self.held.get_mut(&slot))
                && !held.seen.insert(identity)
            {
                self.advance(slot, &record);
                continue;
            }
            let (origin, attempts) = past.map_or((here(&record), 0), |past| (past.origin, past.attempts));
            self.cluster.began(self.process, &record, origin, attempts + 1);
            let end = now.after(self.random.millis(&(0..=40)));
            self.held.get_mut(&slot).into_iter().for_each(|held| held.running.push((record.clone(), end)));
        }
    }

    fn past(&self, record: &Record) -> Option<History> {
        self.names.parse(record.topic())?;
        History::decode(self.names.group(), record.headers()).expect("our own headers")
    }

    fn finish(&mut self, now: Timestamp) {
        let slots: Vec<Slot> = self.held.keys().copied().collect();
        for slot in slots {
            let Some(held) = self.held.get_mut(&slot) else { continue };
            let ended = held.running.iter().position(|&(_, end)| end <= now).filter(|_| held.forwarding.is_none());
            if let Some((record, _)) = ended.map(|index| held.running.remove(index)) {
                self.conclude(slot, &record);
            }
            if self.held[&slot].retry_forward.is_some_and(|at| at <= now) {
                self.send(now, slot);
            }
        }
    }

    /// The body says how often the record fails, as in `fail 2`.
    fn conclude(&mut self, slot: Slot, record: &Record) {
        let body = std::str::from_utf8(record.body().unwrap_or_default()).unwrap_or_default();
        let fails: u32 = body.strip_prefix("fail ").and_then(|times| times.parse().ok()).unwrap_or(0);
        let mut history = self.past(record).unwrap_or_else(|| History::new(here(record), SourceTime::None));
        if history.attempts >= fails {
            self.cluster.concluded(self.process, record, Ended::Done, None);
            return self.advance(slot, record);
        }
        self.cluster.concluded(self.process, record, Ended::Failed, None);
        history.attempts = if self.flaw == Flaw::ForgetsAttempts { 0 } else { history.attempts + 1 };
        history.hop += u32::from(self.flaw == Flaw::ForgetsAttempts);
        let tier = TIERS.get(history.attempts.saturating_sub(1) as usize).map(|&delay| Target::Tier(delay));
        history.cause = tier.is_none().then_some(Cause::Exhausted);
        let (target, id) = (tier.unwrap_or(Target::DeadLetters), ForwardId(self.id()));
        let (record, history) = (record.clone(), Arc::new(history));
        let forward = Forward { id, slot, target, body: Body::Whole, record, history };
        let held = self.held.get_mut(&slot).expect("still held");
        held.forwarding = Some((id, forward));
        held.retry_forward = Some(self.cluster.now());
    }

    fn send(&mut self, now: Timestamp, slot: Slot) {
        let id = ForwardId(self.id());
        let lease = now.since(self.renewed) <= SESSION || self.flaw == Flaw::WorksOn;
        let Some(held) = self.held.get_mut(&slot) else { return };
        held.retry_forward = None;
        if !lease {
            held.retry_forward = Some(now.after(Duration::from_millis(200)));
            return;
        }
        if let Some((sent, forward)) = held.forwarding.as_mut() {
            (*sent, forward.id) = (id, id);
            let forward = forward.clone();
            self.sink.send(forward);
        }
    }

    fn forwarded(&mut self, now: Timestamp, Acknowledged { id, result }: Acknowledged) {
        let fits = |held: &Held| held.forwarding.as_ref().is_some_and(|(sent, _)| *sent == id);
        let Some((&slot, held)) = self.held.iter_mut().find(|(_, held)| fits(held)) else { return };
        match result {
            Ok(_) => {
                let record = held.forwarding.take().map(|(_, forward)| forward.record);
                record.iter().for_each(|record| self.advance(slot, record));
            }
            Err(ForwardError::TooLarge) => {
                held.forwarding.as_mut().into_iter().for_each(|(_, forward)| forward.body = Body::Reference);
                held.retry_forward = Some(now);
            }
            Err(_) => held.retry_forward = Some(now.after(Duration::from_millis(500))),
        }
    }

    fn advance(&mut self, slot: Slot, record: &Record) {
        if let Some(held) = self.held.get_mut(&slot) {
            (held.next, held.epoch) = (record.offset() + 1, record.leader_epoch());
        }
    }

    fn entry(&self, slot: Slot, held: &Held) -> CommitEntry {
        let early = self.flaw == Flaw::CommitsEarly;
        let offset = if early { held.delivered } else { held.next };
        CommitEntry { slot, offset, leader_epoch: held.epoch, metadata: held.metadata.clone() }
    }

    fn commit_all(&mut self, now: Timestamp) {
        let stale = self.commit.is_some_and(|(_, sent)| now.since(sent) > Duration::from_secs(20));
        if now < self.next_commit || (self.commit.is_some() && !stale) {
            return;
        }
        self.next_commit = now.after(Duration::from_secs(1));
        let kept = self.held.iter().filter(|(_, held)| held.revoking.is_none());
        let entries: Vec<CommitEntry> = kept.map(|(&slot, held)| self.entry(slot, held)).collect();
        if !entries.is_empty() {
            let id = CommitId(self.id());
            self.commit = Some((id, now));
            self.sent.insert(id, now);
            self.source.commit(id, entries);
        }
    }

    /// Drains what is revoked: lets run what runs, commits, waits for the answer, and gives up; all within a limit.
    fn let_go(&mut self, now: Timestamp) {
        let revoked: Vec<Slot> =
            self.held.iter().filter(|(_, held)| held.revoking.is_some()).map(|(&slot, _)| slot).collect();
        let idle = |held: &Held| held.running.is_empty() && held.forwarding.is_none();
        let late: Vec<Slot> = revoked
            .iter()
            .copied()
            .filter(|slot| self.held[slot].revoking.is_some_and(|(until, _)| until <= now))
            .collect();
        if revoked.is_empty() {
            return;
        }
        if late.is_empty() && !revoked.iter().all(|slot| idle(&self.held[slot])) {
            return;
        }
        let unsent = revoked.iter().all(|slot| matches!(self.held[slot].revoking, Some((_, None))));
        if !late.is_empty() {
            self.drop_all(&late);
            self.source.release(&late);
        } else if unsent && self.commit.is_none() {
            let id = CommitId(self.id());
            let entries = revoked.iter().map(|&slot| self.entry(slot, &self.held[&slot])).collect();
            for slot in &revoked {
                self.held
                    .get_mut(slot)
                    .into_iter()
                    .for_each(|held| held.revoking = held.revoking.map(|(until, _)| (until, Some(id))));
            }
            self.sent.insert(id, now);
            self.source.commit(id, entries);
        }
    }

    fn give_up(&mut self, slots: &[Slot]) {
        self.drop_all(slots);
        self.source.release(slots);
    }

    fn drop_all(&mut self, slots: &[Slot]) {
        for slot in slots {
            if self.held.get(slot).is_some_and(|held| held.forwarding.is_some()) {
                self.sink.purge();
            }
            for (record, _) in self.held.remove(slot).into_iter().flat_map(|held| held.running) {
                self.cluster.concluded(self.process, &record, Ended::Dropped, None);
            }
        }
    }
}

/// Metadata names the topic's identity: a commit that a topic's predecessor left is none. Without readable metadata
/// the offset alone has to do.
fn same_topic(committed: &Committed, offer: &Offer) -> bool {
    let named =
        std::str::from_utf8(&committed.metadata).ok().and_then(|text| text.strip_prefix("naive ")?.strip_suffix('.'));
    named.is_none_or(|named| named == identity(offer.topic_id))
}

fn identity(topic_id: Option<[u8; 16]>) -> String {
    topic_id.into_iter().flatten().map(|byte| format!("{byte:02x}")).collect()
}

fn here(record: &Record) -> Origin {
    Origin { topic: Arc::clone(record.topic_shared()), partition: record.partition(), offset: record.offset() }
}
