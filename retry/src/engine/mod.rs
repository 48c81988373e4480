//! The engine: composes the machines into one that the runtime feeds with events and the time.
//!
//! `handle` takes an event, `advance` does what has become possible or due since; both append what is to be carried
//! out. Nothing else has an effect, so a list of events with their times replays every decision exactly.
//!
//! # Invariants
//! 1. An offset is committed only if every record below it was done, discarded, or forwarded and acknowledged.
//! 2. Results of an assignment that ended change nothing but the count of running attempts.
//! 3. Nothing starts, and nothing is forwarded, while the lease is expired (RULES 17).
//! 4. What waits is bounded: by room in the commit metadata, by memory, and by the length of the ready queues.

mod careful;
mod commit;
mod config;
mod departure;
mod dispatch;
mod forwarding;
mod intake;
mod partition;
mod settle;
mod standing;
mod topic;

pub use config::{CommitConfig, EngineConfig, TopicConfig};
pub use standing::{PartitionStanding, Stage, Standing, TopicStanding};

use crate::{
    budget::Budget,
    event::{Action, Actions, Event, Notice, Payload, Work},
    gate::BrokerClock,
    id::{CommitId, ForwardId, Slot, TopicIndex},
    naming::GroupNames,
    pace::Pace,
    saboteur::{Saboteur, sabotaged},
    time::Timestamp,
};
use forwarding::Pending;
use partition::Partition;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
    time::Duration,
};
use topic::Topic;

/// The decisions of one group member. See the module's header.
#[derive(Debug)]
pub struct Engine<R> {
    config: EngineConfig,
    names: GroupNames,
    by_name: BTreeMap<Arc<str>, TopicIndex>,
    topics: Vec<Topic<R>>,
    partitions: Vec<Option<Partition<R>>>,
    tier_partitions: usize,
    budget: Budget,
    clock: BrokerClock,
    pace: Pace,
    resting: BinaryHeap<Reverse<Resting<R>>>,
    rested: u64,
    /// Boxed: nodes of a tree that hold many of them are large, and what is large the allocator gives slowly.
    forwards: BTreeMap<ForwardId, Box<Pending<R>>>,
    next_forward: u64,
    /// The soonest time at which a refused forward is sent again.
    resend_at: Timestamp,
    /// No forward goes unanswered for too long before this time.
    unanswered_at: Timestamp,
    commit: commit::Committing,
    careful: careful::Careful<R>,
    finished_since_commit: usize,
    stop: departure::Stop,
    random: u64,
    memory_held: usize,
}

/// Work that waits in memory for a time of our own clock.
#[derive(Debug)]
struct Resting<R> {
    at: Timestamp,
    order: u64,
    work: Work<R>,
}

impl<R> PartialEq for Resting<R> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<R> Eq for Resting<R> {}

impl<R> PartialOrd for Resting<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> Ord for Resting<R> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl<R: Payload> Engine<R> {
    /// An engine that owns nothing yet. `names` must be those of `config.group`.
    #[must_use]
    pub fn new(config: EngineConfig, names: GroupNames) -> Self {
        let limits: Vec<usize> = config.topics.iter().map(|topic| topic.concurrency).collect();
        let by_name =
            config.topics.iter().enumerate().map(|(i, topic)| (topic.name.clone(), TopicIndex(i as u16))).collect();
        Self {
            names,
            by_name,
            topics: config.topics.iter().map(Topic::new).collect(),
            partitions: Vec::new(),
            tier_partitions: 0,
            budget: Budget::new(config.service_limit, &limits),
            clock: BrokerClock::new(),
            pace: commit::pace(&config),
            resting: BinaryHeap::new(),
            rested: 0,
            forwards: BTreeMap::new(),
            next_forward: 0,
            resend_at: Timestamp::MAX,
            unanswered_at: Timestamp::MAX,
            commit: commit::Committing::default(),
            careful: careful::Careful::default(),
            finished_since_commit: 0,
            stop: departure::Stop::default(),
            random: config.seed,
            memory_held: 0,
            config,
        }
    }

    /// Takes an event at a time of the process's clock. Times must not go back.
    pub fn handle(&mut self, now: Timestamp, event: Event<R>, out: &mut Actions<R>) {
        // A process that stood still finds results of its own waiting before it finds out how long it stood.
        self.check_lease(now, out);
        match event {
            Event::Offered(offers) => {
                // A rebalance that had refused commits is over.
                self.pace.retry();
                offers.into_iter().for_each(|offer| self.offered(now, offer, out));
            }
            Event::Revoking { slots, lost } => self.revoking(now, &slots, lost, out),
            Event::Arrived(slot, arrivals) => self.arrived(now, slot, arrivals),
            Event::OutOfRange(slot, log) => self.out_of_range(slot, log, out),
            Event::Cut { slot, position, end, log } => self.cut(slot, position, end, log, out),
            Event::MadeAnew { slot, topic_id, log } => self.made_anew(slot, topic_id, log, out),
            Event::Finished(mut attempts) => {
                self.look_for_test(&mut attempts, out);
                for attempt in attempts {
                    self.finished(now, attempt, out);
                }
            }
            Event::Acknowledged(results) => {
                for result in results {
                    self.acknowledged(now, result, out);
                }
            }
            Event::Committed(id, result) => self.committed(now, id, result, out),
            Event::Stop(drain) => self.stop(now, drain),
        }
    }

    /// Does what has become possible or due. Returns when it must be called again at the latest, if nothing else
    /// happens before.
    pub fn advance(&mut self, now: Timestamp, out: &mut Actions<R>) -> Option<Timestamp> {
        self.check_lease(now, out);
        self.wake_rested(now, out);
        self.open_gates(now, out);
        self.resend(now, out);
        self.block_unanswered(now, out);
        self.depart(now, out);
        self.tread(now, out);
        self.dispatch(now, out);
        self.send_commit(now, out);
        self.next_wake(now)
    }

    /// Tells how many bytes of records are held in memory now.
    pub fn set_memory_held(&mut self, bytes: usize) {
        self.memory_held = bytes;
    }

    /// Learns from a write that was no forward: when it was sent and acknowledged by our clock, and appended by the
    /// broker's. Without one, the gates of a process that only reads stay shut for [`crate::gate::PATIENCE`].
    pub fn observe_clock(&mut self, sent: Timestamp, acknowledged: Timestamp, appended: Timestamp) {
        self.clock.acknowledged(sent, acknowledged, appended);
    }

    /// A lower bound of what the broker's clock shows.
    #[must_use]
    pub fn broker_now(&self, now: Timestamp) -> Timestamp {
        self.clock.broker_now(now)
    }

    /// Whether the stop that was asked for is complete.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.stop.is_complete()
    }

    fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let resting = self.resting.peek().map(|Reverse(resting)| resting.at);
        let gates = self.partitions.iter().flatten().filter_map(|partition| self.gate_opens(partition));
        let departures = self.partitions.iter().flatten().filter_map(Self::departure_due);
        let holds = self.topics.iter().filter_map(|topic| topic.held_until(now));
        let commits = [self.commit_due(now), self.last_commit_due(now), self.lease_ends()];
        let others = commits.into_iter().chain([resting, self.unanswered_due(), self.careful_due(now)]);
        // Without a lease nothing is sent, and its renewal is an event.
        let resend = Some(self.resend_at).filter(|&at| at != Timestamp::MAX && !self.commit.lease_expired());
        let timers = others.flatten().chain(gates).chain(departures).chain(holds).chain(resend);
        timers.min()
    }

    fn partition(&self, slot: Slot) -> Option<&Partition<R>> {
        let any = sabotaged(Saboteur::AcceptsOldGenerations);
        self.partitions.get(slot.index as usize)?.as_ref().filter(|partition| partition.slot == slot || any)
    }

    fn partition_mut(&mut self, slot: Slot) -> Option<&mut Partition<R>> {
        let any = sabotaged(Saboteur::AcceptsOldGenerations);
        self.partitions.get_mut(slot.index as usize)?.as_mut().filter(|partition| partition.slot == slot || any)
    }

    /// The next number of a sequence that the seed fixes (SplitMix64, Steele, Lea and Flood 2014).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Puts work aside until a time of our own clock.
    fn rest(&mut self, at: Timestamp, work: Work<R>) {
        self.rested += 1;
        self.resting.push(Reverse(Resting { at, order: self.rested, work }));
    }

    fn notice(out: &mut Actions<R>, notice: Notice) {
        out.others.push(Action::Notice(notice));
    }
}

/// The time a duration from now.
fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.after(delay)
}

/// Names of commits.
#[derive(Debug, Default)]
struct CommitIds(u64);

impl CommitIds {
    fn next(&mut self) -> CommitId {
        self.0 += 1;
        CommitId(self.0)
    }
}
