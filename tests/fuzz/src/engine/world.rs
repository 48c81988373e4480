//! Everything outside the engine, and how events reach it.

use super::{
    broker::{Headers, Log, PLACES, Place, Rec, SOURCES},
    script::{GROUP, Setup},
    view::View,
};
use retrial_core::{
    engine::{Engine, EngineConfig},
    event::{Actions, CommitEntry, Event, Forward, Work},
    id::{CommitId, ForwardId, Slot},
    naming::GroupNames,
    order::Order,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

/// So often may the engine be called at one moment before it must have said when it wants to be called next.
const MOST_TURNS: usize = 64;

/// A commit that was sent and not answered.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: CommitId,
    pub(super) at: Timestamp,
    pub(super) entries: Vec<CommitEntry>,
}

/// An attempt that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) work: Work<Rec>,
    /// Its future was dropped; the worker has not said so yet.
    pub(super) abandoned: bool,
}

pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) engine: Engine<Rec>,
    pub(super) out: Actions<Rec>,
    pub(super) config: EngineConfig,
    pub(super) limits: (usize, [usize; 2]),
    pub(super) epochs: bool,
    pub(super) logs: Vec<Log>,
    pub(super) views: BTreeMap<Slot, View>,
    pub(super) generation: u32,
    pub(super) running: Vec<Running>,
    /// With the producer.
    pub(super) writing: Vec<Forward<Rec>>,
    /// Not acknowledged: slot, offset and reading of the record.
    pub(super) unacknowledged: HashMap<ForwardId, (Slot, i64, u32)>,
    pub(super) commit: Option<Sent>,
    /// When the last accepted commit was sent.
    pub(super) alive: Option<Timestamp>,
    pub(super) wake: Option<Timestamp>,
    pub(super) lineages: u64,
    /// Lineages that were done, discarded or buried.
    pub(super) ended: HashSet<u64>,
    pub(super) stopping: bool,
    pub(super) left: bool,
    pub(super) held: Rc<()>,
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let config = setup.config();
        let mut world = Self {
            now: Timestamp::from_millis(1_800_000_000_000),
            engine: engine(&config),
            out: Actions::default(),
            config,
            limits: setup.limits(),
            epochs: setup.epochs,
            logs: (0..PLACES.len())
                .map(|_| Log { epoch: if setup.epochs { 3 } else { -1 }, ..Log::default() })
                .collect(),
            views: BTreeMap::new(),
            generation: 0,
            running: Vec::new(),
            writing: Vec::new(),
            unacknowledged: HashMap::new(),
            commit: None,
            alive: None,
            wake: None,
            lineages: 0,
            ended: HashSet::new(),
            stopping: false,
            left: false,
            held: Rc::new(()),
        };
        for (place, count) in setup.records.iter().enumerate() {
            (0..count % 64).for_each(|key| world.append(place, 0, u64::from(key % 5)));
        }
        world.assign(super::script::Metadata::Own);
        world
    }

    pub(super) fn append(&mut self, place: Place, gap: i64, key: u64) {
        if !self.logs[place].waits_for_the_group() {
            self.lineages += 1;
            self.logs[place].append(gap, self.lineages, key, Headers::None, self.now);
        }
    }

    pub(super) fn order_of(&self, place: Place) -> Order {
        match place {
            0 | 1 => self.config.topics[0].order,
            _ => Order::Unordered,
        }
    }

    /// What a record of a source partition shares with those it must not overtake.
    pub(super) fn lane(&self, place: Place, key: u64) -> u64 {
        if place < SOURCES && matches!(self.order_of(place), Order::ByPartition(_)) { 0 } else { key }
    }

    pub(super) fn slot_of(&self, place: Place) -> Option<Slot> {
        self.views.iter().find(|(_, view)| view.place == place).map(|(slot, _)| *slot)
    }

    /// Whether the group counts this process in.
    pub(super) fn has_lease(&self) -> bool {
        self.alive.is_some_and(|alive| alive.after(self.config.session_timeout) > self.now)
    }

    pub(super) fn handle(&mut self, event: Event<Rec>) {
        self.engine.handle(self.now, event, &mut self.out);
        self.carry_out();
        self.turn();
    }

    /// Calls the engine until it has nothing to do now.
    pub(super) fn turn(&mut self) {
        for _ in 0..MOST_TURNS {
            self.wake = self.engine.advance(self.now, &mut self.out);
            self.carry_out();
            if self.wake.is_none_or(|wake| wake > self.now) {
                return;
            }
        }
        panic!("the engine wants to be called at once, again and again: {:?} at {}", self.wake, self.now);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.turn();
    }

    /// Another process takes over: nothing is left of this one but what reached the broker.
    pub(super) fn crash(&mut self) {
        self.engine = engine(&self.config);
        self.out = Actions::default();
        self.views.clear();
        self.running.clear();
        self.writing.clear();
        self.unacknowledged.clear();
        self.commit = None;
        self.alive = None;
        self.wake = None;
        (self.stopping, self.left) = (false, false);
        assert_eq!(Rc::strong_count(&self.held), 1, "somebody outside the engine holds records");
        self.assign(super::script::Metadata::Own);
    }
}

fn engine(config: &EngineConfig) -> Engine<Rec> {
    Engine::new(config.clone(), GroupNames::new(GROUP, None).expect("a group"))
}
