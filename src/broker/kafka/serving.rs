//! What a turn does with events, replies and answers.

use super::{
    asker::{Answer, Found, MadeAnew},
    consumer::{Again, KafkaSource},
    context::Fault,
    ffi::{Code, Failed, Queue, Refusal, Reply},
    intake::After,
    missing,
    rebalance::{Noted, Partition},
    rights,
    slots::{Flow, Held},
    truncation::Truncation,
};
use crate::broker::SourceEvent;
use rdkafka::{consumer::Consumer, error::RDKafkaErrorCode as Known, message::Message};
use retrial_core::{
    event::{LogRange, Offer},
    id::Slot,
};
use std::time::{Duration, Instant};

/// The pause before something that failed is tried again; it doubles with every failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// After so many errors in a row a partition counts as unreadable.
const UNREADABLE: u32 = 5;
/// How often it is asked whether the topics are still the same ones.
const IDENTIFY: Duration = Duration::from_secs(10);
/// The pause before a look-up that failed is made again.
const LOOK_UP_PAUSE: Duration = Duration::from_millis(500);

impl KafkaSource {
    /// Serves the consumer's queue, the replies and the answers until they are empty.
    pub(super) fn serve(&mut self, events: &mut Vec<SourceEvent>) {
        // `poll` returns nothing both for "empty" and for "served an event", so the length decides.
        while self.consumer_queue.len() > 0 {
            let stray = self.client.poll(Duration::ZERO).and_then(Result::ok);
            let stray = stray.map(|record| (record.topic().into(), record.partition()));
            if let Some((topic, number)) = stray {
                self.stray_record(&Partition { topic, number }, events);
            }
        }
        for fault in self.client.context().take_faults() {
            self.fault(fault, events);
        }
        for noted in self.client.context().take_rebalances() {
            self.note(noted);
        }
        while let Some(reply) = Reply::take(&self.replies) {
            match reply {
                Reply::Commit { key, result } => self.commit_answered(key, result),
                Reply::Deletion { key, result } => self.trimmed(key, result, events),
                Reply::Other => {}
            }
        }
        events.append(&mut self.told);
        if self.client.asker().has_ended() {
            self.fail("the look-up thread panicked".to_owned(), events);
        }
        while let Some(answer) = self.client.asker().answer() {
            match answer {
                Answer::Offsets(found) => self.looked_up(found, events),
                Answer::Range(slot, range) => self.ranged(slot, range, events),
                Answer::Identities(found) => self.identified(found, events),
            }
        }
    }

    /// Nothing more is read of a partition from the moment on that its revocation is known.
    fn note(&mut self, noted: Noted) {
        if let Noted::Revoked { partitions, .. } = &noted {
            for partition in partitions {
                if let Some(held) = self.slots.of(partition) {
                    held.flow = Flow::Revoked;
                    held.in_hand.clear();
                }
            }
        }
        self.was_member |= matches!(&noted, Noted::Assigned(partitions) if !partitions.is_empty());
        self.rebalances.note(noted);
        if self.leaving {
            self.rebalances.decline();
        }
    }

    fn fault(&mut self, fault: Fault, events: &mut Vec<SourceEvent>) {
        let Fault { code, text } = fault;
        match code {
            Some(Known::Fatal) => {
                let (code, why) =
                    self.client.client().fatal_error().map_or((None, text), |(code, why)| (Some(code), why));
                self.fail(self.verdict(code, why), events);
            }
            Some(Known::GroupAuthorizationFailed) => {
                let why = rights::missing("READ", "group", &self.group.0);
                // At the start it is a mistake in a deployment. From a member that works, it was taken, and may be given back.
                if self.was_member { events.push(SourceEvent::Trouble(why)) } else { self.fail(why, events) }
            }
            Some(Known::TopicAuthorizationFailed) => {
                events.push(SourceEvent::Trouble(format!("a right on a topic is missing: {text}")));
            }
            Some(Known::InconsistentGroupProtocol) => {
                let why = "the group has members of another kind (another assignment strategy or group protocol)";
                self.fail(format!("{why}; stop them first: {text}"), events);
            }
            Some(code) => events.push(SourceEvent::Trouble(format!("{code}: {text}"))),
            None => events.push(SourceEvent::Trouble(text)),
        }
    }

    /// Ends all reading. librdkafka takes assignments away in silence after a fatal error, so the revocation is ours.
    pub(super) fn fail(&mut self, why: String, events: &mut Vec<SourceEvent>) {
        if !std::mem::replace(&mut self.broken, true) {
            events.push(SourceEvent::Fatal(why));
            let partitions = self.slots.iter().map(|held| held.partition.clone()).collect();
            self.note(Noted::Revoked { partitions, lost: true });
        }
    }

    /// A record on the consumer's queue: its partition's queue was forwarded again. It is not delivered, since its
    /// place in the order is not known; the position goes back.
    fn stray_record(&mut self, partition: &Partition, events: &mut Vec<SourceEvent>) {
        let Some(held) = self.slots.of(partition) else { return };
        let slot = held.slot;
        let text = "a record came past the partition's own queue".to_owned();
        self.set_back(slot, text, Instant::now(), events);
    }

    fn trimmed(&mut self, index: usize, result: Result<Vec<Failed>, Refusal>, events: &mut Vec<SourceEvent>) {
        let why = match result {
            Ok(failed) => failed.first().map(|failed| failed.code.to_string()),
            Err(refusal) => Some(refusal.text),
        };
        let held = u32::try_from(index).ok().and_then(|index| self.slots.at(index));
        if let (Some(why), Some(held)) = (why, held)
            && !std::mem::replace(&mut held.trim_told, true)
        {
            let Partition { topic, number } = &held.partition;
            events.push(SourceEvent::Trouble(format!("finished records of {topic}/{number} cannot be deleted: {why}")));
        }
    }

    fn looked_up(&mut self, found: Result<Vec<Found>, (Vec<Partition>, String)>, events: &mut Vec<SourceEvent>) {
        if !self.rebalances.looks_up() || self.leaving {
            return;
        }
        match found {
            Ok(found) => self.offer(found, events),
            Err((partitions, why)) => {
                events.push(SourceEvent::Trouble(why));
                self.again.push((Instant::now() + LOOK_UP_PAUSE, Again::Offsets(partitions)));
            }
        }
    }

    fn offer(&mut self, found: Vec<Found>, events: &mut Vec<SourceEvent>) {
        let mut offers = Vec::with_capacity(found.len());
        for Found { partition, committed, log, topic_id, past } in found {
            let slot = self.slots.next_slot();
            let bell = self.ready.bell(slot.index);
            let Some(queue) = Queue::of_partition(self.client.shared(), &partition.topic, partition.number, bell)
            else {
                let Partition { topic, number } = partition;
                events.push(SourceEvent::Trouble(format!("{topic}/{number} has no queue and is not read")));
                continue;
            };
            let before = committed.as_ref().map(|committed| (committed.offset, committed.leader_epoch));
            let Partition { topic, number } = partition.clone();
            self.slots.put(Held { topic_id, ..Held::new(slot, partition, queue, before) });
            offers.push(Offer { slot, topic, partition: number, topic_id, committed, log, past });
        }
        self.rebalances.offered(offers.iter().map(|offer| offer.slot).collect());
        events.push(SourceEvent::Offered(offers));
    }

    fn ranged(&mut self, slot: Slot, range: Result<LogRange, String>, events: &mut Vec<SourceEvent>) {
        match range {
            // A start that came meanwhile, or a revocation, has made the question void.
            Ok(log) => {
                let waits = |held: &&mut Held| held.flow == Flow::Waiting && held.wanted.is_none();
                let Some(held) = self.slots.get(slot).filter(waits) else { return };
                events.push(match held.cut.take() {
                    Some(Truncation { position, end }) => SourceEvent::Cut { slot, position, end, log },
                    None => SourceEvent::OutOfRange(slot, log),
                });
            }
            Err(why) => {
                events.push(SourceEvent::Trouble(why));
                self.again.push((Instant::now() + LOOK_UP_PAUSE, Again::Range(slot)));
            }
        }
    }

    /// Tells which partitions can be read again: records came, or no error for longer than between two tries.
    pub(super) fn tell_readable(&mut self, now: Instant, events: &mut Vec<SourceEvent>) {
        for held in self.slots.iter_mut().filter(|held| held.flow == Flow::Reading) {
            let readable = |since: &mut Instant| held.errors == 0 || now.duration_since(*since) > 2 * LONGEST_PAUSE;
            if held.unreadable.take_if(readable).is_some() {
                held.errors = 0;
                events.push(SourceEvent::Readable(held.slot));
            }
        }
    }

    /// Asks now and then whether the topics are still those that were started: librdkafka goes on in one that was made
    /// anew as if nothing had happened (rd_kafka_topic_metadata_update of 2.12 has it as a FIXME).
    pub(super) fn ask_identities(&mut self, now: Instant) {
        if now.duration_since(self.identified) < IDENTIFY || self.leaving {
            return;
        }
        self.identified = now;
        let held = self.slots.iter().filter(|held| held.flow != Flow::Revoked);
        let asked: Vec<_> = held.filter_map(|held| Some((held.slot, held.partition.clone(), held.topic_id?))).collect();
        if !asked.is_empty() {
            self.client.asker().identities(asked);
        }
    }

    fn identified(&mut self, found: Result<Vec<MadeAnew>, String>, events: &mut Vec<SourceEvent>) {
        match found {
            Ok(found) => {
                for MadeAnew { slot, topic_id, log } in found {
                    let Some(held) = self.slots.get(slot).filter(|held| held.flow != Flow::Revoked) else { continue };
                    held.flow = Flow::Waiting;
                    held.wanted = None;
                    held.committed = None;
                    held.topic_id = Some(topic_id);
                    held.in_hand.clear();
                    events.push(SourceEvent::MadeAnew { slot, topic_id, log });
                }
            }
            // Asked again soon enough; that brokers do not answer is told by the clients themselves.
            Err(why) => tracing::debug!(why, "whether topics are the same is not known"),
        }
    }

    /// Asks again what failed, when its time has come.
    pub(super) fn ask_again(&mut self, now: Instant) {
        if self.again.is_empty() {
            return;
        }
        let (due, later) = std::mem::take(&mut self.again).into_iter().partition(|(at, _)| *at <= now);
        self.again = later;
        let due: Vec<(Instant, Again)> = due;
        for (_, question) in due {
            match question {
                Again::Offsets(partitions) => self.rebalances.look_up_again(partitions),
                Again::Range(slot) => {
                    if let Some(held) = self.slots.get(slot) {
                        self.client.asker().range(slot, held.partition.clone());
                    }
                }
            }
        }
    }

    pub(super) fn after_read(&mut self, slot: Slot, after: After, now: Instant, events: &mut Vec<SourceEvent>) {
        match after {
            After::End => self.marks.clear(slot.index),
            After::More => self.busy = true,
            After::Error(code, text) => self.partition_error(slot, code, text, now, events),
        }
    }

    fn partition_error(&mut self, slot: Slot, code: Code, text: String, now: Instant, events: &mut Vec<SourceEvent>) {
        if code.known() != Some(Known::AutoOffsetReset) {
            if let Some(held) = self.slots.get(slot) {
                let refused = rights::of_topic("READ", &held.partition.topic, code);
                if refused.is_some() || held.errors >= UNREADABLE {
                    let why = refused.unwrap_or_else(|| text.clone());
                    if held.unreadable.replace(now).is_none() {
                        events.push(SourceEvent::Unreadable(slot, why));
                    }
                }
            }
            return self.set_back(slot, text, now, events);
        }
        if let Some(held) = self.slots.get(slot) {
            held.flow = Flow::Waiting;
            held.stopped = true;
            held.cut = Truncation::read(&text);
            self.client.asker().range(slot, held.partition.clone());
        }
    }

    /// Sets the position back to the next expected offset, after a pause: librdkafka counts an error entry as
    /// read, and would go on behind a record that never came.
    fn set_back(&mut self, slot: Slot, text: String, now: Instant, events: &mut Vec<SourceEvent>) {
        let Some(held) = self.slots.get(slot) else { return };
        if held.flow != Flow::Reading {
            return;
        }
        // What is in hand was read and not delivered.
        let in_hand = held.in_hand.front().and_then(|batch| batch.records().next());
        held.next = in_hand.map_or(held.next, |record| record.offset());
        held.in_hand.clear();
        let pause = FIRST_PAUSE.saturating_mul(1 << held.errors.min(6)).min(LONGEST_PAUSE);
        held.errors += 1;
        held.flow = Flow::Waiting;
        held.wanted = Some((held.next, now + pause));
        // One that stays unreadable is told once.
        if held.unreadable.is_none() {
            let Partition { topic, number } = &held.partition;
            let hint = missing::decompression_hint(&text);
            events.push(SourceEvent::Trouble(format!("{topic}/{number} stops at offset {}: {text}{hint}", held.next)));
        }
        self.errands.push(slot);
    }
}
