//! One member: what a service is made of, on the ports of the simulator.

use crate::{
    app::HandlerSet,
    broker::{
        ClockSample, Source,
        sim::{Cluster, SimSink, SimSource, Standstill, trace::ProcessId},
    },
    extract::Threads,
    record::Meter,
    runtime::{
        Notices, Permits,
        blocking::BlockingThreads,
        crew::{Crew, Workplace},
        driver::{Driver, Parts, TopicPlan},
        permit::Machine,
    },
    topic::Registered,
};
use retrial_core::{
    engine::{CommitConfig, Engine, EngineConfig, TopicConfig},
    naming::{GroupNames, OwnTopic},
    start::StartAt,
    time::Timestamp,
};
use std::{
    rc::Rc,
    sync::{Arc, mpsc},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{runtime::Handle, time::Instant};

/// Bytes of records that a member may hold, unless it is told otherwise.
pub(super) const MEMORY: usize = 1 << 20;

/// The longest that a member goes without a turn. A real one turns ten times a second, and a client whose owner does not
/// poll for a minute leaves its group.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Partitions that a member may own at once.
const SLOTS: usize = 1_024;

/// Makes a process's threads for blocking handlers.
pub(crate) type MakeThreads = Rc<dyn Fn() -> Arc<dyn Threads>>;

/// How a member is set up, besides its handlers.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) session: Duration,
    pub(crate) revoke_drain: Duration,
    pub(crate) commit: CommitConfig,
    /// Bytes of records that it may hold.
    pub(crate) memory: usize,
    pub(crate) threads: MakeThreads,
}

impl Setup {
    /// What a service has by default, but for a small memory and a single thread.
    pub(crate) fn new(session: Duration) -> Self {
        Self {
            session,
            revoke_drain: Duration::from_secs(2),
            commit: CommitConfig::default(),
            memory: MEMORY,
            threads: Rc::new(|| Arc::new(BlockingThreads::new(1))),
        }
    }
}

/// A member that is running.
pub(super) struct Member {
    pub(super) process: ProcessId,
    pub(super) driver: Driver<SimSource, SimSink>,
    permits: Arc<Permits>,
    /// When its next turn is due by itself, by the broker's clock.
    pub(super) due: Option<Timestamp>,
}

impl Member {
    /// Joins the group. Must be called within the runtime that handlers run on.
    pub(super) fn start(cluster: &Cluster, process: ProcessId, app: HandlerSet, setup: &Setup, seed: u64) -> Self {
        let HandlerSet { names, ladder, topics } = app;
        let meter = Arc::new(Meter::default());
        let source = SimSource::join(cluster, process, names.group(), wanted(&names, &topics), Arc::clone(&meter));
        let machine = Arc::new(Standing(cluster.standstill(process)));
        let permits = Arc::new(Permits::with(SLOTS, Some(machine)));
        let sink = SimSink::open(cluster, process, Rc::new(names.clone()));
        let group: Arc<str> = names.group().into();
        let (reports, reported) = mpsc::channel();
        // There is no control topic that is written at the start, so what its acknowledgement would tell is told.
        let (samples, sampled) = mpsc::channel();
        let local = cluster.local(process);
        let told = samples.send(ClockSample { sent: local, acknowledged: local, appended: cluster.now() });
        debug_assert!(told.is_ok());
        let engine = Engine::new(engine_config(&names, ladder, &topics, setup, seed), names);
        let handlers: Arc<[Registered]> = topics.into();
        let place = Workplace {
            handlers: Arc::clone(&handlers),
            group: Arc::clone(&group),
            permits: Arc::clone(&permits),
            reports,
            waker: source.waker(),
            threads: (setup.threads)(),
        };
        let limits = handlers.iter().map(|topic| (topic.topic.clone(), topic.settings.concurrency));
        let plan = |topic: &Registered| TopicPlan { name: topic.topic.clone(), order: topic.settings.order, crew: 0 };
        let parts = Parts {
            engine,
            source,
            sink,
            crews: vec![Crew::start(0, 2, &Handle::current(), &place)],
            topics: handlers.iter().map(plan).collect(),
            reports: reported,
            samples: sampled,
            alarms: mpsc::channel().1,
            permits: Arc::clone(&permits),
            meter,
            memory: setup.memory,
            board: Arc::default(),
            notices: Notices::new(Arc::clone(&group), limits.collect::<Vec<_>>()),
            group,
            session_timeout: setup.session,
            // The simulated group remembers by itself what it has committed.
            mark: Box::new(|_, _, _| {}),
        };
        Self { process, driver: Driver::new(parts), permits, due: Some(cluster.now()) }
    }

    /// Turns once; whether there was anything to do. Then another turn is due at once, as in a service: what a partition
    /// has, and had no room before, is read only then.
    pub(super) fn turn(&mut self, cluster: &Cluster) -> bool {
        let (now, local) = (cluster.now(), cluster.local(self.process));
        let turn = self.driver.turn(local);
        // Its clock may differ from the broker's; a wait is as long by either.
        let wait = turn.wake_at.map_or(LONGEST_WAIT, |at| at.since(local).min(LONGEST_WAIT));
        self.due = Some(if turn.busy { now } else { now.after(wait) });
        turn.busy
    }

    /// The process is gone: what its tasks had not begun, they do not begin any more.
    pub(super) fn vanish(self) {
        self.permits.end_lease();
    }
}

/// The machine of a simulated process: it stands still when the cluster says so.
struct Standing(Arc<Standstill>);

impl Machine for Standing {
    fn now(&self) -> Instant {
        Instant::now() - self.0.lost()
    }

    fn poll_runs(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_runs(cx)
    }
}

/// The source topics, and every tier, configured or not (RULES 4).
fn wanted(names: &GroupNames, topics: &[Registered]) -> impl Fn(&str) -> bool + 'static {
    let sources: Vec<Arc<str>> = topics.iter().map(|topic| topic.topic.clone()).collect();
    let names = names.clone();
    move |topic| {
        let tier = matches!(names.parse(topic), Some(OwnTopic::Tier(_)));
        tier || sources.iter().any(|source| **source == *topic)
    }
}

fn engine_config(
    names: &GroupNames,
    ladder: retrial_core::ladder::Ladder,
    topics: &[Registered],
    setup: &Setup,
    seed: u64,
) -> EngineConfig {
    let topic = |topic: &Registered| TopicConfig {
        name: topic.topic.clone(),
        concurrency: topic.settings.concurrency,
        order: topic.settings.order,
        retry: topic.settings.retry.clone(),
    };
    let topics: Vec<TopicConfig> = topics.iter().map(topic).collect();
    EngineConfig {
        group: names.group().to_owned(),
        ladder,
        service_limit: topics.iter().map(|topic| topic.concurrency).sum(),
        topics,
        session_timeout: setup.session,
        commit: setup.commit,
        revoke_drain: setup.revoke_drain,
        memory: setup.memory,
        start_at: StartAt::Unset,
        seed,
    }
}
