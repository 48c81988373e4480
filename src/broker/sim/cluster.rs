//! The cluster as one value: topics, groups, clients, producers, and the agenda of what happens next.
//!
//! Nothing happens but by [`Cluster::advance`] and by calls of the ports; equal seeds and equal calls give equal
//! traces. Behaviour lives beside its owner: `group` (coordinator), `client` and `fetch` (a consumer's background
//! threads), `producer`, `disturb` (faults that come by themselves).

use super::{
    client::Client,
    disturb,
    faults::{Fault, Faults},
    group::{Alarm, Answer, Effect, Group, Request},
    log::{Message, PartitionLog, Stored},
    producer::{Batch, Producer, Written},
    random::Random,
    standstill::Standstill,
    timing::Timing,
    topics::{TopicSettings, Topics, partition_of},
    trace::{Ended, Event, Place, ProcessId, Removal, Spot, Trace},
};
use crate::{broker::Waker, record::Record};
use retrial_core::{
    event::Committed,
    id::{ForwardId, Origin, Slot},
    time::Timestamp,
};
use std::{
    cell::{Ref, RefCell, RefMut},
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// What happens at a point in time.
#[derive(Debug)]
pub(super) enum Step {
    /// A request arrives at the coordinator.
    Request(ProcessId, Request),
    /// An answer arrives at a client.
    Answer(ProcessId, Answer),
    /// A timer of a group's coordinator.
    Alarm(Arc<str>, Alarm),
    /// A client shows a sign of life.
    Beat(ProcessId),
    /// A client's view of the topics becomes true.
    Refresh(ProcessId),
    /// A parked commit may go out.
    Unpark(ProcessId, Box<super::group::CommitRequest>),
    /// A fetch is answered.
    Fetched(ProcessId, Slot),
    /// Queued writes of a partition become a request.
    Flush(ProcessId, Place),
    /// A write request arrives at a leader.
    Produce(Rc<Batch>),
    /// Its answer arrives.
    Produced(Rc<Batch>, Written),
    /// DeleteRecords arrives.
    Trim(ProcessId, Place, i64),
    /// A frozen process goes on; its clock stood still for so long.
    Thaw(ProcessId, Duration),
    /// The workers of a process get turns again.
    Feed(ProcessId),
    /// A member reaches the coordinator again.
    Reconnect(ProcessId),
    /// A fault comes by itself, and then another.
    Disturb,
    /// This fault comes by itself.
    Strike(Fault),
}

/// Everything there is.
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) random: Random,
    pub(super) timing: Timing,
    pub(super) faults: Faults,
    pub(super) topics: Topics,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) clients: BTreeMap<ProcessId, Client>,
    pub(super) producers: BTreeMap<ProcessId, Producer>,
    pub(super) trace: Trace,
    /// Called when a worker wakes a member, besides the member's own flag.
    pub(super) alarm: Option<Waker>,
    /// Highest sequence number written by a producer session, per partition: what makes a retry harmless.
    pub(super) written: BTreeMap<(u64, Place), u64>,
    agenda: BTreeMap<(Timestamp, u64), Step>,
    steps: u64,
    processes: u32,
    pub(super) began: Timestamp,
    /// A process of another group, for which nothing goes wrong.
    pub(super) spared: Option<ProcessId>,
}

impl State {
    /// Puts a step on the agenda.
    pub(super) fn at(&mut self, time: Timestamp, step: Step) {
        self.steps += 1;
        self.agenda.insert((time.max(self.now), self.steps), step);
    }

    /// Puts a step on the agenda.
    pub(super) fn after(&mut self, delay: Duration, step: Step) {
        self.at(self.now.after(delay), step);
    }

    /// One way of a message.
    pub(super) fn latency(&mut self) -> Duration {
        self.random.millis(&self.timing.network)
    }

    /// Writes down what happened.
    pub(super) fn seen(&mut self, event: Event) {
        self.trace.record(self.now, event);
    }

    /// Counts a fault that changes what happens next.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.count(fault);
        self.seen(Event::Fault(fault));
    }

    /// Whether this occasion goes wrong. The caller makes it so, and then [counts](Self::fault) it.
    pub(super) fn fails(&mut self, fault: Fault) -> bool {
        self.faults.befalls(fault)
    }

    /// Whether this occasion goes wrong, counted.
    pub(super) fn breaks(&mut self, fault: Fault) -> bool {
        let fails = self.fails(fault);
        if fails {
            self.fault(fault);
        }
        fails
    }

    /// Records that ceased to exist.
    pub(super) fn removed(&mut self, place: Place, records: Vec<Rc<Stored>>, why: Removal) {
        if !records.is_empty() {
            self.seen(Event::Removed { place, records, why });
        }
    }

    /// Appends at the broker's time, and tells who reads there.
    pub(super) fn append(
        &mut self,
        place: &Place,
        created: Timestamp,
        message: Message,
        by: Option<(ProcessId, ForwardId)>,
    ) -> Option<Rc<Stored>> {
        let record = self.topics.append(place, self.now, created, message)?;
        if self.topics.log_mut(place).is_some_and(PartitionLog::was_skipped) {
            self.fault(Fault::Marker);
        }
        self.seen(Event::Appended { place: place.clone(), record: Rc::clone(&record), by });
        self.feed(place);
        Some(record)
    }

    /// Has a group's coordinator do something, and carries out what comes of it.
    pub(super) fn coordinate(&mut self, group: &Arc<str>, act: impl FnOnce(&mut Group, Timestamp, &mut Vec<Effect>)) {
        let mut effects = Vec::new();
        let Some(coordinator) = self.groups.get_mut(group) else { return };
        act(coordinator, self.now, &mut effects);
        for effect in effects {
            match effect {
                Effect::Answer(process, answer) => self.answer(process, answer),
                Effect::After(delay, alarm) => self.after(delay, Step::Alarm(Arc::clone(group), alarm)),
                Effect::Seen(event) => self.seen(event),
            }
        }
    }

    fn next(&self) -> Option<Timestamp> {
        self.agenda.first_key_value().map(|(&(time, _), _)| time)
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Request(process, request) => self.request_arrived(process, request),
            Step::Answer(process, answer) => self.answer_arrived(process, answer),
            Step::Alarm(group, alarm) => self.coordinate(&group, |group, now, out| group.alarm(now, alarm, out)),
            Step::Beat(process) => self.beat(process),
            Step::Refresh(process) => self.refresh(process),
            Step::Unpark(process, commit) => self.unpark(process, *commit),
            Step::Fetched(process, slot) => self.fetched(process, slot),
            Step::Flush(process, place) => self.flush(process, &place),
            Step::Produce(batch) => self.produce(&batch),
            Step::Produced(batch, written) => self.produced(&batch, written),
            Step::Trim(process, place, before) => self.trim(process, place, before),
            Step::Thaw(process, stood) => self.thaw(process, stood),
            Step::Feed(process) => self.feed_workers(process),
            Step::Reconnect(process) => self.reconnect(process),
            Step::Disturb => self.disturb(),
            Step::Strike(fault) => self.strike(fault),
        }
    }
}

/// A handle to the simulated cluster. Clones are the same cluster.
#[derive(Clone)]
pub(crate) struct Cluster(pub(super) Rc<RefCell<State>>);

impl Cluster {
    /// An empty cluster. The seed decides everything that the caller does not.
    pub(crate) fn new(seed: u64, start: Timestamp, timing: Timing, mut faults: Faults) -> Self {
        faults.seed(seed);
        let mut state = State {
            now: start,
            random: Random::new(seed),
            timing,
            faults,
            topics: Topics::default(),
            groups: BTreeMap::new(),
            clients: BTreeMap::new(),
            producers: BTreeMap::new(),
            trace: Trace::default(),
            alarm: None,
            written: BTreeMap::new(),
            agenda: BTreeMap::new(),
            steps: 0,
            processes: 0,
            began: start,
            spared: None,
        };
        disturb::begin(&mut state);
        Self(Rc::new(RefCell::new(state)))
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// The broker's clock, which is also the true time of the simulation.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    /// The clock of a process: what its `now` arguments mean.
    pub(crate) fn local(&self, process: ProcessId) -> Timestamp {
        self.0.borrow().local(process)
    }

    /// When something happens next, if anything does.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        self.0.borrow().next()
    }

    /// Lets everything happen up to and including this time, which is the time afterwards. Time never goes back.
    pub(crate) fn advance(&self, to: Timestamp) {
        let mut state = self.state();
        while let Some(entry) = state.agenda.first_entry().filter(|entry| entry.key().0 <= to) {
            let ((time, _), step) = entry.remove_entry();
            state.now = time;
            state.run(step);
        }
        state.now = state.now.max(to);
    }

    /// Lets everything happen before this time, which is the time afterwards.
    pub(crate) fn reach(&self, to: Timestamp) {
        self.advance(to.shifted(-1));
        let mut state = self.state();
        state.now = state.now.max(to);
    }

    /// Has every waker of a member's source call this, too: whoever runs the members sleeps until then.
    pub(crate) fn on_wake(&self, alarm: Waker) {
        self.state().alarm = Some(alarm);
    }

    /// Makes a topic.
    pub(crate) fn create_topic(&self, name: &str, settings: TopicSettings) {
        let mut state = self.state();
        state.topics.create(name, settings);
        state.metadata_changed();
    }

    /// Appends one message from outside, to the partition of its key, and says where it is.
    pub(crate) fn produce(&self, topic: &str, message: Message) -> Option<Spot> {
        let mut state = self.state();
        let partitions = state.topics.get(topic)?.settings.partitions;
        let otherwise = state.random.number();
        let place = state.topics.place(topic, partition_of(message.key.as_deref(), otherwise, partitions))?;
        let created = state.now;
        let record = state.append(&place, created, message, None)?;
        Some(Spot::of(&place, &record))
    }

    /// Starts a life of a process. Its source and sink are made with the handle that comes back.
    pub(crate) fn start_process(&self, group: &str) -> ProcessId {
        let mut state = self.state();
        state.processes += 1;
        let (process, group) = (ProcessId(state.processes), Arc::<str>::from(group));
        state.seen(Event::Born { process, group });
        process
    }

    /// Starts a process for which nothing goes wrong: what it sees is what others do to it.
    pub(crate) fn start_bystander(&self, group: &str) -> ProcessId {
        let process = self.start_process(group);
        self.state().spared = Some(process);
        process
    }

    /// What the workers of a process go by.
    pub(crate) fn standstill(&self, process: ProcessId) -> Arc<Standstill> {
        self.0.borrow().clients.get(&process).map(|client| Arc::clone(&client.standstill)).unwrap_or_default()
    }

    /// Whether a group has committed past every record of the topics whose names fit.
    pub(crate) fn is_settled(&self, group: &str, fits: impl Fn(&str) -> bool) -> bool {
        let state = self.0.borrow();
        let Some(group) = state.groups.get(group) else { return false };
        state.topics.places(fits).all(|place| {
            let last = state.topics.log(&place).and_then(|log| log.records().last());
            let committed = group.committed(&place.topic, place.partition).map(|kept| &kept.committed);
            // A commit speaks of records up to its own leader epoch (KIP-320).
            let covers = |read: &Committed, last: &Stored| {
                read.offset > last.offset && (read.leader_epoch < 0 || last.epoch <= read.leader_epoch)
            };
            last.is_none_or(|last| committed.is_some_and(|read| covers(read, last)))
        })
    }

    /// Whether the process still exists. One that does not must be dropped by whoever runs it.
    pub(crate) fn is_alive(&self, process: ProcessId) -> bool {
        self.0.borrow().clients.get(&process).is_some_and(|client| client.alive)
    }

    /// Whether the process stands still: it must not be run until it goes on.
    pub(crate) fn is_frozen(&self, process: ProcessId) -> bool {
        self.0.borrow().clients.get(&process).is_some_and(|client| client.frozen)
    }

    /// Whether something may be ready for the process since this was asked last.
    pub(crate) fn wakes(&self, process: ProcessId) -> bool {
        let state = self.0.borrow();
        state.clients.get(&process).is_some_and(|client| client.awake.swap(false, Ordering::Relaxed))
    }

    /// Notes that a process was asked to finish and leave.
    pub(crate) fn stopping(&self, process: ProcessId) {
        self.state().seen(Event::Stopping { process });
    }

    /// Kills a process, as `kill -9` does.
    pub(crate) fn kill(&self, process: ProcessId) {
        self.state().kill(process);
    }

    /// Brings a fault about now, where it finds something to break. Returns whether it did.
    #[cfg(test)]
    pub(crate) fn inject(&self, fault: Fault) -> bool {
        let mut state = self.state();
        let before = state.trace.entries().len();
        state.strike(fault);
        state.trace.entries().len() > before
    }

    /// No more faults from now on.
    pub(crate) fn calm(&self) {
        self.state().faults.cease();
    }

    /// How often a fault changed what happened.
    pub(crate) fn counted(&self, fault: Fault) -> u64 {
        self.0.borrow().faults.counted(fault)
    }

    /// The occasions, counted from 1, at which a fault befell the run.
    pub(crate) fn fell(&self, fault: Fault) -> Vec<u64> {
        self.0.borrow().faults.fell(fault).to_vec()
    }

    /// What a group has committed for a partition.
    #[cfg(test)]
    pub(crate) fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        self.0.borrow().groups.get(group)?.committed(&topic.into(), partition).map(|kept| kept.committed.clone())
    }

    /// Notes that a handler of this process began an attempt, counted from 1. Nothing is noted of a dead process.
    pub(crate) fn began(&self, process: ProcessId, record: &Record, origin: Origin, attempt: u32) {
        self.note(process, record, |spot| Event::Began { process, spot, origin, attempt });
    }

    /// Notes that it ended, and after which time it asked to run again.
    pub(crate) fn concluded(&self, process: ProcessId, record: &Record, ended: Ended, asked: Option<Duration>) {
        self.note(process, record, |spot| Event::Concluded { process, spot, ended, asked });
    }

    fn note(&self, process: ProcessId, record: &Record, event: impl FnOnce(Spot) -> Event) {
        let mut state = self.state();
        let client = state.clients.get(&process).filter(|client| client.alive);
        if let Some(place) = client.and_then(|client| client.place_read(record.topic(), record.partition())) {
            let event = event(Spot::read(place, record));
            state.seen(event);
        }
    }

    /// What happened so far.
    pub(crate) fn trace(&self) -> Ref<'_, Trace> {
        Ref::map(self.0.borrow(), |state| &state.trace)
    }
}
