//! The [`Sink`] on Kafka: an idempotent producer that keeps trying without limit.
//!
//! # Invariants
//! 1. Every forward is answered exactly once, unless the sink is closed first.
//! 2. Nothing here waits: what librdkafka has no room for stays in line and goes out at a later poll. The line is
//!    bounded; beyond it a forward is refused at once, which the engine answers by holding its partition.
//! 3. A producer that is broken for good is replaced, and what it left unresolved is sent again, under the same
//!    forward id and into the same partition (RULES 13, 16). Readers drop what was written twice.
//! 4. A record is "too large" only if it was refused alone: Kafka compares a topic's limit with a whole batch, and
//!    librdkafka does not split a batch that was refused.

use super::{
    ffi::produce::{Outgoing, Report, Ticket},
    fingerprint::spread,
    letter::{Kept, Letter, cost},
    rights,
    wire::{Pending, Wire, producer_settings, retire},
};
use crate::{
    broker::{Sink, Waker},
    clock,
    record::Record,
};
use rdkafka::{ClientConfig, error::KafkaError, types::RDKafkaErrorCode};
use retrial_core::{
    event::{Acknowledged, Appended, Body, Forward, ForwardError, Target},
    history::{History, OwnHeaders},
    id::ForwardId,
    naming::{DelayError, GroupNames},
    time::Timestamp,
};
use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// Records smaller than this share batches, in bytes; larger ones travel alone.
const BATCH_BYTES: usize = 64 * 1024;

/// How many forwards may stand in line. Each keeps its record's batch in memory, which the service's budget counts.
const LINE: usize = 100_000;

/// What a sink must know.
#[derive(Clone, Debug)]
pub(crate) struct SinkSetup {
    /// The connection; [`producer_settings`] adds the rest.
    pub(crate) connection: ClientConfig,
    /// Names of the group's own topics.
    pub(crate) names: GroupNames,
    /// Whether the broker stamps what it appends. Only the embedded one does not: there the time of sending serves.
    pub(crate) broker_stamps: bool,
    /// How much the producer is given at a time, in bytes of its memory.
    pub(crate) queue: usize,
    /// How long each source topic keeps a record, for dead letters by reference; missing: unknown; `None`: for ever.
    pub(crate) retention: HashMap<String, Option<Duration>>,
}

/// What stands in line.
#[derive(Debug)]
struct Waiting {
    forward: Forward<Record>,
    lone: bool,
}

/// Writes forwards to the group's own topics on a Kafka cluster.
#[derive(Debug)]
pub(crate) struct KafkaSink {
    setup: SinkSetup,
    waker: Waker,
    /// Of the few targets that there are.
    topics: Vec<(Target, Arc<str>)>,
    /// Where the headers of each forward are written.
    headers: OwnHeaders,
    shared: Wire,
    /// Sends one record per batch; made when first needed.
    lone: Option<Wire>,
    line: VecDeque<Waiting>,
    ready: Vec<Acknowledged>,
    reports: Vec<Report>,
    next_token: u64,
    replaced: u64,
}

impl KafkaSink {
    /// A sink that rings the waker when there is something to poll for. Does not connect yet.
    ///
    /// # Errors
    /// A setting that librdkafka refuses.
    pub(crate) fn new(setup: SinkSetup, waker: Waker) -> Result<Self, KafkaError> {
        let shared = Wire::new(producer_settings(&setup.connection), setup.queue, waker.clone())?;
        Ok(Self {
            setup,
            waker,
            topics: Vec::new(),
            headers: OwnHeaders::default(),
            shared,
            lone: None,
            line: VecDeque::new(),
            ready: Vec::new(),
            reports: Vec::new(),
            next_token: 0,
            replaced: 0,
        })
    }

    fn topic(&mut self, target: Target) -> Result<Arc<str>, DelayError> {
        if let Some((_, name)) = self.topics.iter().find(|(known, _)| *known == target) {
            return Ok(Arc::clone(name));
        }
        let name: Arc<str> = match target {
            Target::Tier(delay) => self.setup.names.tier(delay)?.into(),
            Target::DeadLetters => self.setup.names.dead_letters().into(),
        };
        self.topics.push((target, Arc::clone(&name)));
        Ok(name)
    }

    fn kept(&self, history: &History) -> Kept {
        match (self.setup.retention.get(&*history.origin.topic), history.time.timestamp()) {
            (Some(None), _) => Kept::Unlimited,
            (Some(Some(retention)), Some(time)) => Kept::Until(time.after(*retention)),
            _ => Kept::Unknown,
        }
    }

    /// The wire that a forward goes out on.
    fn wire(&mut self, lone: bool) -> Result<&mut Wire, KafkaError> {
        if !lone {
            return Ok(&mut self.shared);
        }
        if self.lone.is_none() {
            let mut settings = producer_settings(&self.setup.connection);
            settings.set("batch.num.messages", "1");
            self.lone = Some(Wire::new(settings, self.setup.queue, self.waker.clone())?);
        }
        Ok(self.lone.as_mut().expect("it was made above when it was missing"))
    }

    /// Hands one forward to librdkafka; gives it back when there is no room.
    fn submit(&mut self, waiting: Waiting) -> Option<Waiting> {
        let mut headers = mem::take(&mut self.headers);
        let left = self.submit_with(&mut headers, waiting);
        self.headers = headers;
        left
    }

    fn submit_with(&mut self, headers: &mut OwnHeaders, Waiting { forward, lone }: Waiting) -> Option<Waiting> {
        let topic = match self.topic(forward.target) {
            Ok(topic) => topic,
            Err(error) => return self.refuse(forward.id, error.to_string()),
        };
        let kept = if forward.body == Body::Reference { self.kept(&forward.history) } else { Kept::Unknown };
        let letter = Letter::new(&forward.record, &forward.history, headers, &self.setup.names, forward.body, kept);
        let size = letter.size();
        let (bytes, cost) = (size.1, cost(size));
        let token = self.next_token;
        let wire = match self.wire(lone) {
            Ok(wire) => wire,
            Err(error) => return self.refuse(forward.id, error.to_string()),
        };
        if !wire.has_room(cost) {
            drop(letter);
            return Some(Waiting { forward, lone });
        }
        let sent = clock::now();
        let outgoing = Outgoing { topic: &topic, key: letter.key, body: letter.body.as_deref(), time: sent };
        let ticket = Ticket { token, spread: spread(&forward.history.origin) };
        let produced = wire.producer.produce(outgoing, letter.headers(), ticket);
        drop(letter);
        match produced {
            Ok(()) => {
                wire.put(token, Pending { forward, bytes, cost, sent, lone });
                self.next_token += 1;
                None
            }
            // A broken producer is replaced at the next poll.
            Err(RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::Fatal) => Some(Waiting { forward, lone }),
            Err(RDKafkaErrorCode::MessageSizeTooLarge) => self.answer(forward.id, Err(ForwardError::TooLarge)),
            Err(code) => self.refuse(forward.id, refusal(&topic, code)),
        }
    }

    fn answer(&mut self, id: ForwardId, result: Result<Appended, ForwardError>) -> Option<Waiting> {
        self.ready.push(Acknowledged { id, result });
        None
    }

    fn refuse(&mut self, id: ForwardId, why: String) -> Option<Waiting> {
        self.answer(id, Err(ForwardError::Refused(why)))
    }

    /// Sends what stands in line while there is room.
    fn advance(&mut self) {
        while let Some(waiting) = self.line.pop_front() {
            if let Some(waiting) = self.submit(waiting) {
                self.line.push_front(waiting);
                break;
            }
        }
    }

    /// Collects the reports of one wire, and replaces its producer if it broke.
    fn collect(&mut self, lone: bool) {
        let wire = if lone { self.lone.as_mut() } else { Some(&mut self.shared) };
        let Some(wire) = wire else { return };
        let mut reports = mem::take(&mut self.reports);
        wire.producer.poll(&mut reports);
        // Asked for after the reports were taken: a report that a fatal error caused is behind that error.
        let fatal = wire.producer.fatal();
        let now = clock::now();
        for report in reports.drain(..) {
            self.settle(now, lone, report, fatal.is_some());
        }
        self.reports = reports;
        if let Some(reason) = fatal {
            self.replace(lone, &reason);
        }
    }

    fn settle(&mut self, now: Timestamp, lone: bool, Report { token, result }: Report, broken: bool) {
        let broker_stamps = self.setup.broker_stamps;
        let Ok(wire) = self.wire(lone) else { return };
        let asked_for = token < wire.purged_below;
        match result {
            Ok(_) | Err(RDKafkaErrorCode::MessageSizeTooLarge) => {}
            Err(RDKafkaErrorCode::PurgeQueue) if asked_for => {}
            // Also for a purge: a producer that breaks purges its own queue. What is pending is sent by its successor.
            Err(_) if broken => return,
            // Sent after a purge was asked for and caught by it, since nobody waits until brokers' threads did it.
            Err(RDKafkaErrorCode::PurgeQueue) => {
                let caught = wire.take(token).map(|Pending { forward, lone, .. }| Waiting { forward, lone });
                self.line.extend(caught);
                return;
            }
            Err(_) => {}
        }
        let Some(Pending { forward, bytes, sent, lone, .. }) = wire.take(token) else { return };
        let answer = match result {
            Ok(stamp) => Ok(Appended {
                sent,
                acknowledged: now,
                appended: if broker_stamps { append_time(stamp) } else { Some(sent) },
            }),
            Err(RDKafkaErrorCode::MessageSizeTooLarge) if !lone && bytes < BATCH_BYTES => {
                self.line.push_front(Waiting { forward, lone: true });
                return;
            }
            Err(RDKafkaErrorCode::MessageSizeTooLarge) => Err(ForwardError::TooLarge),
            Err(RDKafkaErrorCode::PurgeQueue) => Err(ForwardError::Purged),
            Err(code) => {
                let topic = self.topic(forward.target).unwrap_or_else(|_| "unnamed".into());
                Err(ForwardError::Refused(refusal(&topic, code)))
            }
        };
        self.answer(forward.id, answer);
    }

    fn replace(&mut self, lone: bool, reason: &str) {
        let replaced = self.wire(lone).and_then(Wire::replace);
        match replaced {
            Ok(unresolved) => {
                self.replaced += 1;
                let resent = unresolved.len();
                tracing::warn!(reason, resent, times = self.replaced, "the producer broke and was replaced");
                crate::metrics::client_restarted();
                for Pending { forward, lone, .. } in unresolved.into_iter().rev() {
                    self.line.push_front(Waiting { forward, lone });
                }
            }
            Err(error) => tracing::error!(reason, %error, "the producer broke; its successor cannot be made yet"),
        }
    }

    fn unresolved(&self) -> usize {
        self.line.len() + self.shared.pending.len() + self.lone.as_ref().map_or(0, |wire| wire.pending.len())
    }
}

impl Sink for KafkaSink {
    fn send(&mut self, forward: Forward<Record>) {
        if self.line.len() >= LINE {
            self.refuse(forward.id, format!("{LINE} forwards are waiting for Kafka already"));
        } else {
            self.line.push_back(Waiting { forward, lone: false });
            if self.line.len() == 1 {
                self.advance();
            }
        }
        if !self.ready.is_empty() {
            self.waker.wake();
        }
    }

    fn poll(&mut self, results: &mut Vec<Acknowledged>) {
        self.collect(false);
        self.collect(true);
        self.advance();
        results.append(&mut self.ready);
    }

    fn purge(&mut self) {
        for Waiting { forward, .. } in mem::take(&mut self.line) {
            self.answer(forward.id, Err(ForwardError::Purged));
        }
        for wire in [Some(&mut self.shared), self.lone.as_mut()].into_iter().flatten() {
            wire.purged_below = self.next_token;
            wire.producer.purge_queue();
        }
        self.waker.wake();
    }

    fn close(mut self: Box<Self>, limit: Duration) {
        let deadline = Instant::now() + limit;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut results = Vec::new();
        while self.unresolved() > 0 && !left().is_zero() {
            let step = left().min(Duration::from_millis(100));
            self.shared.producer.flush(step);
            if let Some(wire) = &mut self.lone {
                wire.producer.flush(step);
            }
            self.poll(&mut results);
        }
        if self.unresolved() > 0 {
            tracing::warn!(forwards = self.unresolved(), "closed with forwards that were not acknowledged");
        }
        let Self { shared, lone, .. } = *self;
        for wire in [Some(shared), lone].into_iter().flatten() {
            // The thread is left alone after the limit: with a broker that hangs it may take minutes.
            let _ = retire(wire.producer).recv_timeout(left());
        }
    }
}

/// The broker's own time; a record of a topic that keeps the producer's time has none.
pub(super) fn append_time(stamp: rdkafka::Timestamp) -> Option<Timestamp> {
    match stamp {
        rdkafka::Timestamp::LogAppendTime(millis) => Some(Timestamp::from_millis(millis)),
        rdkafka::Timestamp::CreateTime(_) | rdkafka::Timestamp::NotAvailable => None,
    }
}

fn refusal(topic: &str, code: RDKafkaErrorCode) -> String {
    if code == RDKafkaErrorCode::TopicAuthorizationFailed {
        return rights::missing("WRITE", "topic", topic);
    }
    format!("{topic}: {}", KafkaError::MessageProduction(code))
}

#[cfg(test)]
impl KafkaSink {
    pub(super) fn break_for_good(&self) {
        self.shared.producer.break_for_good();
    }

    pub(super) fn flush(&mut self) {
        self.shared.producer.flush(Duration::from_secs(30));
    }

    pub(super) fn replaced(&self) -> u64 {
        self.replaced
    }

    pub(super) fn in_line(&self) -> usize {
        self.line.len()
    }

    pub(super) fn fill_line(&mut self, forward: Forward<Record>) {
        self.line.resize_with(LINE, || Waiting { forward: forward.clone(), lone: false });
    }
}
