//! The simulated cluster with its workers and its observer, in a runtime whose time is virtual.

use super::{
    chronicle::Chronicle,
    fault::{Fault, plan},
    idle::{NotIdle, Why},
    journal::Journal,
    message::Message,
    observer::Observer,
    run::Run,
    simulation::{self, MakeApp, START, Simulation},
    standstill::Standstill,
    story::Story,
};
use crate::{
    app::HandlerSet,
    broker::sim::{Timing, trace::ProcessId},
    layer::layered,
    topic::Registered,
};
use retrial_core::{id::Origin, time::Timestamp};
use std::{
    collections::{BTreeMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// Makes the handlers of a process.
pub(super) type MakeHandlers = Box<dyn Fn() -> HandlerSet + Send>;

/// What a world is made of.
pub(super) struct Plan {
    pub(super) handlers: MakeHandlers,
    pub(super) seed: u64,
    pub(super) workers: usize,
    /// Partitions of the source topics that are to have more than one.
    pub(super) partitions: BTreeMap<String, i32>,
    pub(super) faults: Vec<Fault>,
    pub(super) patience: Option<Duration>,
    /// Real time that a blocking function may take.
    pub(super) blocking_limit: Duration,
}

pub(super) struct World {
    runtime: Runtime,
    simulation: Simulation,
    observer: Observer,
}

/// Session and heartbeats as Kafka's clients and retrial have them by default.
fn timing() -> Timing {
    // A worker is turned when something happens, and between two commits of its lease nothing may happen.
    let max_poll = LEASE;
    Timing { session: Duration::from_secs(10), heartbeat: Duration::from_secs(3), max_poll, ..Timing::default() }
}

/// Bytes of records that a worker may hold, as a service has it by default.
const MEMORY: usize = 64 << 20;

/// See [`lease`].
const LEASE: Duration = Duration::from_secs(3600);

/// How long a worker trusts an accepted commit. Commits that only show that it lives would be most of what happens in a
/// day of waiting. They matter to workers that stand still and go on; where none do, they may be rare.
fn lease(faults: &[Fault], session: Duration) -> Duration {
    if faults.contains(&Fault::Freeze) { session } else { LEASE }
}

impl World {
    pub(super) fn new(plan: Plan) -> Self {
        let mut builder = Builder::new_current_thread();
        if plan.patience.is_some() {
            builder.enable_all()
        } else {
            builder.enable_time()
        };
        let runtime = builder.start_paused(true).build().expect("this thread can be a runtime");
        let (simulation, observer) = runtime.block_on(async { begin(plan) });
        Self { runtime, simulation, observer }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.simulation.cluster.now()
    }

    /// Where the message was written; `None` if there is no such partition.
    pub(super) fn send(&mut self, topic: &str, message: Message) -> Option<Origin> {
        let (partition, created, message) = message.into_parts();
        let spot = self.simulation.cluster.produce_to(topic, partition, created, message)?;
        self.observer.chronicle.read(&self.simulation.cluster.trace());
        Some(Origin { topic: spot.place.topic, partition: spot.place.partition, offset: spot.offset })
    }

    /// Lets so much virtual time pass.
    pub(super) fn advance(&mut self, time: Duration) -> Result<(), NotIdle> {
        self.run(self.now().after(time), false);
        self.judge()
    }

    /// Lets time pass until everything is settled, at most so much. Returns how much it was.
    pub(super) fn settle(&mut self, limit: Duration) -> Result<Duration, NotIdle> {
        let began = self.now();
        self.run(began.after(limit), true);
        if self.observer.verdict.is_none() && !self.observer.is_idle(&self.simulation.cluster) {
            let deserted = self.simulation.is_deserted();
            self.observer.verdict = Some(if deserted { Why::Deserted } else { Why::Time(limit) });
        }
        self.judge()?;
        Ok(self.now().since(began))
    }

    fn run(&mut self, end: Timestamp, until_idle: bool) {
        let Self { runtime, simulation, observer } = self;
        observer.until_idle = until_idle;
        let journal = Arc::clone(&observer.journal);
        runtime.block_on(simulation.run_watched(end, &journal.alarm, observer));
    }

    fn judge(&mut self) -> Result<(), NotIdle> {
        let Some(why) = self.observer.verdict.take() else { return Ok(()) };
        let stories = self.stories().into_iter().filter(|story| !story.state().is_final());
        Err(NotIdle { why, unsettled: stories.collect() })
    }

    pub(super) fn story(&self, origin: &Origin) -> Option<Story> {
        self.observer.chronicle.story(origin, self.now())
    }

    pub(super) fn stories(&self) -> Vec<Story> {
        self.observer.chronicle.stories(self.now()).collect()
    }

    pub(super) fn runs(&self) -> Vec<Run> {
        self.observer.chronicle.runs().cloned().collect()
    }

    pub(super) fn crash(&mut self) {
        for seat in 0..self.simulation.seats() {
            self.simulation.crash(seat);
        }
    }

    pub(super) fn crash_worker(&mut self, seat: usize) -> bool {
        self.simulation.crash(seat)
    }

    pub(super) fn join(&mut self) -> usize {
        self.simulation.join();
        self.simulation.seats() - 1
    }

    /// False if nobody is there.
    pub(super) fn stop(&mut self, seat: usize, drain: Duration) -> bool {
        self.runtime.block_on(async { self.simulation.dismiss(seat, drain) })
    }

    pub(super) fn calm(&mut self) {
        self.simulation.cluster.calm();
        self.observer.faults.clear();
    }

    /// Ends the world without waiting for functions that block its threads.
    pub(super) fn end(self) {
        let Self { runtime, simulation, observer } = self;
        drop((simulation, observer));
        runtime.shutdown_background();
    }
}

/// Must be called in the runtime.
fn begin(plan: Plan) -> (Simulation, Observer) {
    let Plan { handlers, seed, workers, partitions, faults, patience, blocking_limit } = plan;
    let HandlerSet { names, topics, .. } = handlers();
    let journal = Journal::new();
    let noted = Arc::clone(&journal);
    let app: MakeApp = Rc::new(move |witness| watched(handlers(), &noted, witness.process()));
    let sources: Vec<(&str, i32)> =
        topics.iter().map(|topic| (&*topic.topic, partitions.get(&*topic.topic).copied().unwrap_or(1))).collect();
    let (timing, pool) = (timing(), Arc::clone(&journal));
    let lease = lease(&faults, timing.session);
    let world = simulation::World {
        seed,
        members: workers,
        sources: &sources,
        faults: self::plan(&faults),
        timing,
        memory: MEMORY,
    };
    let mut simulation = Simulation::of(world, app);
    simulation.equip(lease, Rc::new(move || Arc::new(Standstill::new(&pool, blocking_limit))));
    let timeouts = topics.iter().map(|topic| (topic.topic.clone(), topic.settings.timeout)).collect();
    let observer = Observer {
        chronicle: Chronicle::new(names.clone(), timeouts, START),
        sources: topics.iter().map(|topic| topic.topic.clone()).collect(),
        journal,
        names,
        faults,
        struck_within: HashSet::new(),
        struck_after: HashSet::new(),
        patience,
        until_idle: false,
        verdict: None,
    };
    (simulation, observer)
}

/// These handlers, with everything that they do noted.
fn watched(set: HandlerSet, journal: &Arc<Journal>, process: ProcessId) -> HandlerSet {
    let HandlerSet { names, ladder, topics } = set;
    let watch = |topic: Registered| Registered {
        handler: layered(vec![Arc::new(journal.layer(process))], topic.handler),
        ..topic
    };
    HandlerSet { names, ladder, topics: topics.into_iter().map(watch).collect() }
}

/// The same handlers once more, with the same state.
pub(super) fn copy(set: &HandlerSet) -> HandlerSet {
    let copy = |topic: &Registered| Registered {
        topic: Arc::clone(&topic.topic),
        handler: topic.handler.fork(),
        settings: topic.settings.clone(),
    };
    let (names, ladder) = (set.names.clone(), set.ladder.clone());
    HandlerSet { names, ladder, topics: set.topics.iter().map(copy).collect() }
}
