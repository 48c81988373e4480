//! The consumer of a group as a [`Source`]: one turn after the other, all on one thread.
//!
//! A turn carries out what was asked since the last one, answers rebalances, serves events and replies, and reads
//! what is ready. What must wait for a broker is asked by the [`super::asker`]'s thread; every other call ends within
//! librdkafka itself.

use super::{
    asker::TopicIds,
    client::Lasting,
    commits::{Commits, Group},
    context::{Client, Notes},
    ffi::{self, OffsetList, Queue},
    intake::Intake,
    pasts::Pasts,
    ready::{Marks, Ready},
    rebalance::{Partition, Rebalances},
    slots::{Flow, Held, Slots},
};
use crate::{
    broker::{Source, SourceEvent, Waker},
    record::Meter,
};
use rdkafka::{ClientConfig, config::RDKafkaLogLevel, consumer::Consumer, error::RDKafkaErrorCode as Known};
use retrial_core::{
    event::CommitEntry,
    id::{CommitId, Slot},
};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// After this time without a ring everything is looked at anyway. No ring was ever lost in trials; this keeps a lost
/// one from costing more than a moment, and the group from waiting for a poll.
const SWEEP: Duration = Duration::from_millis(100);

/// What a [`KafkaSource`] is made of.
pub(crate) struct SourceSetup {
    /// The client's configuration, from [`super::ClientProperties::consumer`].
    pub(crate) config: ClientConfig,
    /// The topics to subscribe to; not empty.
    pub(crate) topics: Vec<String>,
    /// What batches are charged to.
    pub(crate) meter: Arc<Meter>,
    /// Looks up the identities of topics. Called on a thread that may wait for it.
    pub(crate) topic_ids: TopicIds,
    /// What is known of the group's past.
    pub(crate) pasts: Pasts,
}

/// Why a source was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// librdkafka refused the configuration as a whole.
    #[error("the Kafka consumer was not created: {0}")]
    Client(String),
    /// The subscription was refused.
    #[error("the topics {topics:?} cannot be subscribed to: {why}")]
    Subscription {
        /// The topics.
        topics: Vec<String>,
        /// librdkafka's words.
        why: String,
    },
    /// A resource of this process is missing.
    #[error("no {0} could be made")]
    Resource(&'static str),
}

/// One member of a consumer group.
pub(crate) struct KafkaSource {
    pub(super) consumer_queue: Queue,
    pub(super) replies: Queue,
    pub(super) ready: Ready,
    pub(super) marks: Marks,
    pub(super) slots: Slots,
    pub(super) rebalances: Rebalances,
    pub(super) commits: Commits,
    pub(super) intake: Intake,
    /// Slots whose start is not carried out yet.
    pub(super) errands: Vec<Slot>,
    /// Look-ups and log ranges that failed and are asked again.
    pub(super) again: Vec<(Instant, Again)>,
    /// Events that arose outside of a turn.
    pub(super) told: Vec<SourceEvent>,
    /// A rebalance was answered: dead records are to be taken out of held queues.
    pub(super) sift: bool,
    pub(super) leaving: bool,
    pub(super) broken: bool,
    left: bool,
    /// The next turn has something to do for certain.
    pub(super) busy: bool,
    sweep: bool,
    served: Instant,
    /// When it was asked last whether the topics are still the same.
    pub(super) identified: Instant,
    pub(super) turn: u32,
    pub(super) listed: Vec<u32>,
    /// The member's `group.instance.id`, if it has one.
    instance: Option<String>,
    pub(super) group: Group,
    /// Whether the group has ever given it a partition.
    pub(super) was_member: bool,
    /// Last, because fields are dropped in order, and every queue handle must go before the client.
    pub(super) client: Lasting,
}

/// A question to be asked again.
#[derive(Debug)]
pub(super) enum Again {
    Offsets(Vec<Partition>),
    Range(Slot),
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSource")
            .field("slots", &self.slots)
            .field("leaving", &self.leaving)
            .finish_non_exhaustive()
    }
}

impl KafkaSource {
    /// Connects and subscribes. The source belongs to the thread that first waits on it or polls it.
    ///
    /// # Errors
    /// What librdkafka refuses, as a [`SourceError`]. A broker that cannot be reached is none: it is told as trouble.
    pub(crate) fn new(setup: SourceSetup) -> Result<Self, SourceError> {
        let SourceSetup { mut config, topics, meter, topic_ids, pasts } = setup;
        // What the property `debug` asks for is written only at this level.
        let level = if config.get("debug").is_some() { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info };
        config.set_log_level(level);
        let instance = config.get("group.instance.id").map(str::to_owned);
        let group = Group(config.get("group.id").unwrap_or_default().into());
        let client: Client =
            config.create_with_context(Notes::default()).map_err(|error| SourceError::Client(error.to_string()))?;
        let client = Arc::new(client);
        let ready = Ready::default();
        let queue = |made: Option<Queue>| made.ok_or(SourceError::Resource("queue of the client"));
        let consumer_queue = queue(Queue::of_consumer(&client, ready.event_bell()))?;
        let replies = queue(Queue::new(&client, ready.event_bell()))?;
        let client = Lasting::new(client, ready.event_bell(), topic_ids, pasts)
            .map_err(|_| SourceError::Resource("thread for look-ups"))?;
        let source = Self {
            consumer_queue,
            replies,
            ready,
            marks: Marks::default(),
            slots: Slots::default(),
            rebalances: Rebalances::default(),
            commits: Commits::default(),
            intake: Intake::new(meter),
            errands: Vec::new(),
            again: Vec::new(),
            told: Vec::new(),
            sift: false,
            leaving: false,
            broken: false,
            left: false,
            busy: true,
            sweep: false,
            served: Instant::now(),
            identified: Instant::now(),
            turn: 0,
            listed: Vec::new(),
            instance,
            group,
            was_member: false,
            client,
        };
        source.subscribe(&topics)?;
        Ok(source)
    }

    /// Replaces the subscription; the group is balanced anew if it differs.
    ///
    /// # Errors
    /// [`SourceError::Subscription`].
    pub(crate) fn subscribe(&self, topics: &[String]) -> Result<(), SourceError> {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let refused = |why: String| SourceError::Subscription { topics: topics.to_vec(), why };
        self.client.subscribe(&names).map_err(|error| refused(error.to_string()))
    }

    /// Why the client is broken for good, and what to do where that is known.
    pub(super) fn verdict(&self, code: Option<Known>, text: String) -> String {
        match &self.instance {
            Some(instance) if code == Some(Known::FencedInstanceId) => format!(
                "another process has joined the group with this one's group.instance.id {instance:?}, and has its \
                 partitions now: give each process an id of its own ({text})"
            ),
            _ => text,
        }
    }

    /// When something must be done though nothing rings.
    fn alarm(&mut self) -> Option<Instant> {
        let Self { errands, slots, again, .. } = self;
        let starts = errands.iter().filter_map(|&slot| slots.get(slot)?.wanted.map(|(_, due)| due));
        starts.chain(again.iter().map(|(due, _)| *due)).min()
    }

    fn has_left(&self) -> bool {
        self.leaving
            && self.slots.is_empty()
            && self.rebalances.is_empty()
            && self.commits.is_empty()
            && self.consumer_queue.len() == 0
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, room: &mut dyn FnMut(Slot) -> usize, events: &mut Vec<SourceEvent>) {
        let now = Instant::now();
        self.ready.belong_to_this_thread();
        self.turn = self.turn.wrapping_add(1);
        self.busy = false;
        events.append(&mut self.told);
        if self.sweep {
            self.sweep = false;
            self.slots.iter().for_each(|held| self.marks.set(held.slot.index));
        }
        let rung = self.ready.take(&mut self.marks);
        self.answer_rebalances(events);
        self.carry_out_starts(now);
        if rung || now.duration_since(self.served) >= SWEEP {
            self.served = now;
            self.serve(events);
            self.tell_readable(now, events);
        }
        self.ask_again(now);
        self.ask_identities(now);
        self.read(now, room, events);
        if self.has_left() && !self.left {
            self.left = true;
            events.push(SourceEvent::Left);
        }
        self.busy |= !self.rebalances.waits() || !self.told.is_empty();
    }

    fn start(&mut self, slot: Slot, offset: i64) {
        let Some(held) = self.slots.get(slot) else { return };
        if held.flow != Flow::Revoked {
            held.wanted = Some((offset, Instant::now()));
            self.errands.push(slot);
            self.busy = true;
        }
    }

    fn commit(&mut self, id: CommitId, entries: Vec<CommitEntry>) {
        self.send_commit(id, entries);
    }

    fn release(&mut self, slots: &[Slot]) {
        for &slot in slots {
            self.rebalances.released(slot);
        }
        self.busy = true;
    }

    fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            self.rebalances.decline();
            self.again.clear();
            self.client.unsubscribe();
            self.ready.event_bell().ring();
        }
    }

    fn trim(&mut self, slot: Slot, before: i64) {
        let Some(held) = self.slots.get(slot) else { return };
        let mut list = OffsetList::new(1);
        list.add(&held.partition.topic, held.partition.number, before);
        ffi::delete_records(&self.client, &list, &self.replies, slot.index as usize);
    }

    fn wait(&mut self, limit: Duration) {
        self.ready.belong_to_this_thread();
        if self.busy || self.ready.rung() {
            return;
        }
        let mut span = limit.min(SWEEP);
        if let Some(alarm) = self.alarm() {
            span = span.min(alarm.saturating_duration_since(Instant::now()));
        }
        thread::park_timeout(span);
        self.sweep |= span == SWEEP && !self.ready.rung();
    }

    fn waker(&self) -> Waker {
        let bell = self.ready.wake_bell();
        Waker::new(move || bell.ring())
    }

    fn close(self: Box<Self>, limit: Duration) {
        super::closing::close(*self, limit);
    }
}

impl KafkaSource {
    /// Reads what is marked, not held, and has room.
    fn read(&mut self, now: Instant, room: &mut dyn FnMut(Slot) -> usize, events: &mut Vec<SourceEvent>) {
        let mut listed = std::mem::take(&mut self.listed);
        self.marks.list(self.turn, &mut listed);
        for &index in &listed {
            self.read_one(index, now, room, events);
        }
        self.listed = listed;
        self.sift = false;
    }

    fn read_one(
        &mut self,
        index: u32,
        now: Instant,
        room: &mut dyn FnMut(Slot) -> usize,
        events: &mut Vec<SourceEvent>,
    ) {
        let reads = |held: &&mut Held| held.flow == Flow::Reading;
        let Some(held) = self.slots.at(index).filter(reads).filter(|_| !self.leaving) else {
            return self.marks.clear(index);
        };
        let slot = held.slot;
        let mut left = room(slot);
        if left == 0 {
            if self.sift && held.in_hand.is_empty() {
                self.sift_one(index, now, events);
            }
            return;
        }
        while let Some(batch) = held.in_hand.pop_front() {
            left = left.saturating_sub(batch.len());
            events.push(SourceEvent::Records(slot, batch));
            if left == 0 {
                self.busy = true;
                return;
            }
        }
        let after = self.intake.read(held, left, |batch| events.push(SourceEvent::Records(slot, batch)));
        self.after_read(slot, after, now, events);
    }

    /// Takes one record out of a held queue, which throws out the dead ones before it: a pause does not empty a queue of
    /// one's own, and they would crowd out what is fetched anew.
    fn sift_one(&mut self, index: u32, now: Instant, events: &mut Vec<SourceEvent>) {
        let Some(held) = self.slots.at(index) else { return };
        let slot = held.slot;
        let mut in_hand = std::mem::take(&mut held.in_hand);
        let after = self.intake.read(held, 1, |batch| in_hand.push_back(batch));
        held.in_hand = in_hand;
        let held_back = !held.in_hand.is_empty();
        self.after_read(slot, after, now, events);
        if held_back {
            self.marks.set(index);
        }
    }
}
