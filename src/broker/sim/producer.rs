//! One producer: writes queued per partition, one request at a time and in order, tried again without end.
//!
//! # Invariants
//! 1. Within a session every write lands once: the leader knows the session's sequence (idempotence).
//! 2. Across sessions (a new process, a replaced producer) a write whose acknowledgement was lost lands again.
//! 3. Records of one partition land in the order they were sent.

use super::{
    cluster::{State, Step},
    faults::Fault,
    log::Message,
    trace::{Event, Place, ProcessId},
};
use retrial_core::{
    event::{Acknowledged, Appended, ForwardError},
    id::{ForwardId, Slot},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

#[derive(Clone, Debug)]
struct Write {
    id: ForwardId,
    slot: Slot,
    /// Whether it was on the wire already.
    tried: bool,
    message: Message,
    sequence: u64,
    sent: Timestamp,
}

/// A request on the wire.
#[derive(Debug)]
pub(super) struct Batch {
    process: ProcessId,
    session: u64,
    place: Place,
    writes: Vec<Write>,
}

/// What a leader answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Written {
    /// Stored, now or by an earlier request, at the broker's time.
    Stored(Timestamp),
    /// Not now.
    Later,
    /// No.
    Refused,
    /// The partition is not there any more.
    Gone,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Write>,
    /// How many of them, from the front, are on the wire.
    wired: usize,
    planned: bool,
}

/// The producer of one process.
#[derive(Debug)]
pub(super) struct Producer {
    session: u64,
    sequence: u64,
    lanes: BTreeMap<Place, Lane>,
    results: Vec<Acknowledged>,
}

impl State {
    /// Connects a producer.
    pub(super) fn open_producer(&mut self, process: ProcessId) {
        let session = self.random.number();
        let producer = Producer { session, sequence: 0, lanes: BTreeMap::new(), results: Vec::new() };
        self.producers.insert(process, producer);
    }

    /// Queues a write for a partition of a topic.
    pub(super) fn write(
        &mut self,
        process: ProcessId,
        (id, slot): (ForwardId, Slot),
        topic: &str,
        partition: i32,
        message: Message,
    ) {
        let size = message.size();
        let settings = self.topics.get(topic).map(|topic| topic.settings.clone());
        let (Some(settings), Some(place)) = (settings, self.topics.place(topic, partition)) else {
            let refused = ForwardError::Refused(format!("topic {topic} does not exist"));
            return self.written(process, id, Err(refused));
        };
        // An operator may have set the limit lower since.
        if size > settings.max_bytes || self.fails(Fault::TooLarge) {
            self.fault(Fault::TooLarge);
            return self.written(process, id, Err(ForwardError::TooLarge));
        }
        let sent = self.local(process);
        let Some(producer) = self.producers.get_mut(&process) else { return };
        producer.sequence += 1;
        let write = Write { id, slot, tried: false, message, sequence: producer.sequence, sent };
        producer.lanes.entry(place.clone()).or_default().queue.push_back(write);
        let linger = self.random.millis(&self.timing.linger.clone());
        self.plan_flush(process, &place, linger);
    }

    fn plan_flush(&mut self, process: ProcessId, place: &Place, delay: std::time::Duration) {
        let producer = self.producers.get_mut(&process);
        let lane = producer.and_then(|producer| producer.lanes.get_mut(place));
        if let Some(lane) = lane.filter(|lane| !lane.planned && lane.wired == 0 && !lane.queue.is_empty()) {
            lane.planned = true;
            self.after(delay, Step::Flush(process, place.clone()));
        }
    }

    /// Sends what is queued for a partition, if nothing of it is on the wire.
    pub(super) fn flush(&mut self, process: ProcessId, place: &Place) {
        let sent = self.local(process);
        let Some(producer) = self.producers.get_mut(&process) else { return };
        let Some(lane) = producer.lanes.get_mut(place) else { return };
        lane.planned = false;
        if lane.wired > 0 || lane.queue.is_empty() {
            return;
        }
        lane.wired = lane.queue.len();
        let owned = |slot: &Slot| self.clients.get(&process).is_some_and(|client| client.slots.contains_key(slot));
        let late = lane.queue.iter().find(|write| !write.tried && !owned(&write.slot)).map(|write| write.id);
        for write in &mut lane.queue {
            (write.sent, write.tried) = (sent, true);
        }
        let writes = lane.queue.iter().cloned().collect();
        let batch = Rc::new(Batch { process, session: producer.session, place: place.clone(), writes });
        // What is on the wire may land after its owner gave the partition up; what is not must not set out.
        if let Some(id) = late {
            self.misuse(process, format!("{id:?} sets out, of a partition that was given up"));
        }
        let mut delay = self.latency();
        if self.breaks(Fault::ProduceLate) {
            let longest = self.timing.request_timeout.as_millis() as u64;
            delay += self.faults.dice(Fault::ProduceLate).millis(&(1..=longest));
        }
        self.after(delay, Step::Produce(batch));
    }

    /// A request arrives at the leader.
    pub(super) fn produce(&mut self, batch: &Rc<Batch>) {
        let written = if self.topics.log(&batch.place).is_none() {
            Written::Gone
        } else if self.breaks(Fault::ProduceRetried) {
            Written::Later
        } else if self.breaks(Fault::ProduceRefused) {
            Written::Refused
        } else {
            self.store(batch);
            Written::Stored(self.now)
        };
        let landed = matches!(written, Written::Stored(_)) && self.producers.contains_key(&batch.process);
        if landed && self.breaks(Fault::ProducerReplaced) {
            return self.replace_producer(batch.process);
        }
        let mut delay = self.latency();
        let answer = if landed && self.breaks(Fault::ProduceUnanswered) {
            delay += self.timing.request_timeout;
            Written::Later
        } else {
            written
        };
        self.after(delay, Step::Produced(Rc::clone(batch), answer));
    }

    fn store(&mut self, batch: &Batch) {
        for write in &batch.writes {
            let last = self.written.entry((batch.session, batch.place.clone())).or_default();
            if write.sequence > *last {
                *last = write.sequence;
                self.append(&batch.place, write.sent, write.message.clone(), Some((batch.process, write.id)));
            }
        }
    }

    /// The producer breaks for good; a new one sends again whatever has no answer.
    fn replace_producer(&mut self, process: ProcessId) {
        let (session, backoff) = (self.random.number(), self.timing.retry_backoff);
        let Some(producer) = self.producers.get_mut(&process) else { return };
        producer.session = session;
        producer.lanes.values_mut().for_each(|lane| lane.wired = 0);
        let places: Vec<Place> = producer.lanes.keys().cloned().collect();
        places.iter().for_each(|place| self.plan_flush(process, place, backoff));
    }

    /// The answer of a leader arrives.
    pub(super) fn produced(&mut self, batch: &Rc<Batch>, written: Written) {
        let Batch { process, session, ref place, ref writes } = **batch;
        let local = self.local(process);
        let append_time = self.topics.get(&place.topic).is_some_and(|topic| topic.settings.append_time);
        let Some(producer) = self.producers.get_mut(&process).filter(|producer| producer.session == session) else {
            return;
        };
        let Some(lane) = producer.lanes.get_mut(place) else { return };
        lane.wired = 0;
        let backoff = if matches!(written, Written::Later) { self.timing.retry_backoff } else { Default::default() };
        if !matches!(written, Written::Later) {
            lane.queue.drain(..writes.len());
            for write in writes {
                let result = match written {
                    Written::Stored(at) => {
                        let appended = append_time.then_some(at);
                        Ok(Appended { sent: write.sent, acknowledged: local, appended })
                    }
                    Written::Gone => Err(ForwardError::Refused(format!("topic {} was deleted", place.topic))),
                    Written::Refused | Written::Later => Err(ForwardError::Refused("not authorized".into())),
                };
                self.written(process, write.id, result);
            }
        }
        self.plan_flush(process, place, backoff);
    }

    /// A write ended; the owner's next poll finds it.
    pub(super) fn written(&mut self, process: ProcessId, id: ForwardId, result: Result<Appended, ForwardError>) {
        if let Some(producer) = self.producers.get_mut(&process) {
            producer.results.push(Acknowledged { id, result });
        }
        if let Some(client) = self.client(process) {
            client.wake();
        }
    }

    /// What ended since the owner last asked.
    pub(super) fn take_results(&mut self, process: ProcessId) -> Vec<Acknowledged> {
        let producer = self.producers.get_mut(&process);
        let results = producer.map(|producer| std::mem::take(&mut producer.results)).unwrap_or_default();
        for Acknowledged { id, result } in &results {
            let result = result.clone().map(drop);
            self.seen(Event::Acknowledged { process, id: *id, result });
        }
        results
    }

    /// Takes out what is not on the wire.
    pub(super) fn purge(&mut self, process: ProcessId) {
        let Some(producer) = self.producers.get_mut(&process) else { return };
        let unsent = producer.lanes.values_mut().flat_map(|lane| lane.queue.drain(lane.wired..));
        let unsent: Vec<ForwardId> = unsent.map(|write| write.id).collect();
        unsent.into_iter().for_each(|id| self.written(process, id, Err(ForwardError::Purged)));
    }
}
