//! A service under test.

use super::{
    fault::Fault,
    idle::NotIdle,
    letter::DeadLetter,
    message::Message,
    run::Run,
    simulation::START,
    stage::Stage,
    story::Story,
    world::{MakeHandlers, Plan, copy},
};
use crate::app::HandlerSet;
use retrial_core::{id::Origin, time::Timestamp};
use std::{collections::BTreeMap, fmt, sync::OnceLock, time::Duration};

/// Virtual time after which a service that is still not idle is said never to be: more than twice the default schedule.
const LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Real time after which a blocking handler is said to be stuck: long for a test, short for whoever waits for it.
const BLOCKING_LIMIT: Duration = Duration::from_secs(60);

/// An app that runs in virtual time, on a simulated cluster, on one thread: the counterpart of
/// [`Service`](crate::Service) in tests.
///
/// ```
/// use retrial::{App, Attempt, Cause, Failure, Retry, handler, hours, mins, testkit::TestService};
///
/// async fn charge(cents: String, attempt: Attempt) -> Result<(), Failure> {
///     match cents.as_str() {
///         "0" => Err(Failure::dead("an order that costs nothing").kind("free")),
///         _ if attempt.number() < 3 => Err(Failure::retry("the bank does not answer")),
///         _ => Ok(()),
///     }
/// }
///
/// let orders = handler(charge).retry(Retry::delays([mins(5), hours(1)]));
/// let app = App::group("billing").tiers([mins(5), hours(1)]).topic("orders", orders).build()?;
///
/// let mut service = TestService::new(app);
/// let order = service.send("orders", "4200");
/// service.run_until_idle();
/// service.story(&order).assert_done().assert_waits([mins(5), hours(1)]);
///
/// let free = service.send("orders", "0");
/// service.run_until_idle();
/// service.story(&free).assert_dead(Cause::Refused).assert_failure("free").assert_attempts(1);
/// # Ok::<(), retrial::BuildError>(())
/// ```
///
/// It stands until it is told to run. Needs no runtime, and may be used within one: handlers run on a thread of its
/// own, and methods that let time pass block the caller until it has.
pub struct TestService {
    /// Until it begins.
    plan: Option<Plan>,
    stage: OnceLock<Stage>,
    group: String,
    topics: Vec<String>,
    limit: Duration,
}

impl TestService {
    /// An app with one worker and one partition for each source topic. State that handlers share lives on when a
    /// worker crashes, as what is outside of it does.
    pub fn new(app: HandlerSet) -> Self {
        Self::from_fn(move || copy(&app))
    }

    /// As [`TestService::new`], with an app that is built anew for each worker that is started, also after a crash: for
    /// handlers whose state is the process's own, such as a cache. It must be the same app each time.
    ///
    /// ```
    /// use retrial::{App, State, handler, testkit::TestService};
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// #[derive(Clone, Default)]
    /// struct Cache(Arc<AtomicU32>);
    ///
    /// async fn count(State(cache): State<Cache>) -> Result<(), String> {
    ///     match cache.0.fetch_add(1, Ordering::Relaxed) {
    ///         0 => Ok(()),
    ///         _ => Err("the cache has seen a record".to_owned()),
    ///     }
    /// }
    ///
    /// let app = || App::group("cached").state(Cache::default()).topic("orders", handler(count)).build().unwrap();
    /// let mut service = TestService::from_fn(app);
    /// let first = service.send("orders", "1");
    /// service.run_until_idle();
    /// service.crash();
    /// let second = service.send("orders", "2");
    /// service.run_until_idle();
    /// service.assert_all_done();
    /// # let _ = (first, second);
    /// ```
    pub fn from_fn(app: impl Fn() -> HandlerSet + Send + 'static) -> Self {
        let first = app();
        let (group, topics) = (first.group().to_owned(), first.topics().map(str::to_owned).collect());
        let handlers: MakeHandlers = Box::new(app);
        let (partitions, faults) = (BTreeMap::new(), Vec::new());
        let blocking_limit = BLOCKING_LIMIT;
        let plan = Plan { handlers, seed: 0, workers: 1, partitions, faults, patience: None, blocking_limit };
        Self { plan: Some(plan), stage: OnceLock::new(), group, topics, limit: LIMIT }
    }

    #[track_caller]
    fn planned(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        match &mut self.plan {
            Some(plan) => change(plan),
            None => panic!("the test service runs already: set it up before the first record"),
        }
        self
    }

    /// Everything that is left to chance is drawn from this number: latencies, the partition of a record without a key,
    /// when faults strike. One seed is one run, but for the order among `blocking` handlers that run at once. Default
    /// 0.
    #[must_use]
    #[track_caller]
    pub fn with_seed(self, seed: u64) -> Self {
        self.planned(|plan| plan.seed = seed)
    }

    /// Gives a source topic so many partitions. Default 1, in which records arrive in the order of sending.
    ///
    /// # Panics
    /// If the app has no such topic, or for fewer than 1 or more than 100.
    #[must_use]
    #[track_caller]
    pub fn with_partitions(self, topic: &str, partitions: i32) -> Self {
        self.know(topic);
        assert!((1..=100).contains(&partitions), "a topic has 1 to 100 partitions here, not {partitions}");
        self.planned(|plan| plan.partitions.extend([(topic.to_owned(), partitions)]))
    }

    /// Begins with so many workers: processes of the group. Default 1.
    #[must_use]
    #[track_caller]
    pub fn with_workers(self, workers: usize) -> Self {
        self.planned(|plan| plan.workers = workers)
    }

    /// Has something go wrong, besides what was asked for before.
    #[must_use]
    #[track_caller]
    pub fn with_fault(self, fault: Fault) -> Self {
        self.with_faults([fault])
    }

    /// Has all of these go wrong.
    #[must_use]
    #[track_caller]
    pub fn with_faults(self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.planned(|plan| plan.faults.extend(faults))
    }

    /// How much virtual time [`TestService::run_until_idle`] may take. Default 7 days.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Has virtual time wait so long, in real time, whenever handlers run and nothing moves: for handlers that ask
    /// something outside the program, such as a database. Choose it longer than the slowest answer.
    ///
    /// Without it a handler cannot open a socket (its attempt fails with a panic of tokio's that says so), and an answer that
    /// comes from another thread meets handlers whose time limit is long over, since nothing tells that it is on its
    /// way. `blocking` handlers and tokio's `spawn_blocking` need no patience: virtual time stands still meanwhile.
    #[must_use]
    #[track_caller]
    pub fn with_patience(self, real: Duration) -> Self {
        self.planned(|plan| plan.patience = Some(real))
    }

    /// How long a `blocking` handler may take, in real time, before the test fails. Default 1 min.
    #[must_use]
    #[track_caller]
    pub fn with_blocking_limit(self, real: Duration) -> Self {
        self.planned(|plan| plan.blocking_limit = real)
    }

    fn stage(&mut self) -> &Stage {
        if let Some(plan) = self.plan.take() {
            drop(self.stage.set(Stage::open(plan)));
        }
        self.stage.get().expect("it was opened with its plan")
    }

    #[track_caller]
    fn know(&self, topic: &str) {
        let known = self.topics.iter().any(|known| known == topic);
        assert!(known, "the app of group {:?} has no topic {topic:?}, but {:?}", self.group, self.topics);
    }

    /// Writes a record to a source topic, and returns where it stands. It runs when time passes.
    ///
    /// # Panics
    /// If the app has no such topic, or the topic no such partition.
    #[track_caller]
    pub fn send(&mut self, topic: &str, message: impl Into<Message>) -> Origin {
        self.know(topic);
        let (name, message) = (topic.to_owned(), message.into());
        match self.stage().call(move |world| world.send(&name, message)) {
            Some(origin) => origin,
            None => panic!("topic {topic:?} has no such partition: see TestService::with_partitions"),
        }
    }

    /// Lets virtual time pass until every record is finished or buried and the group has stored that it is, so that a crash
    /// afterwards repeats nothing. Returns how much time it was.
    ///
    /// # Panics
    /// As [`TestService::try_run_until_idle`] fails.
    #[track_caller]
    pub fn run_until_idle(&mut self) -> Duration {
        match self.try_run_until_idle() {
            Ok(time) => time,
            Err(why) => panic!("{why}"),
        }
    }

    /// As [`TestService::run_until_idle`], for tests of what never ends.
    ///
    /// # Errors
    /// If it is not idle after the [limit](TestService::with_limit), or one record's handler has run 10,000 times, or a
    /// `blocking` handler takes [too long](TestService::with_blocking_limit), or every worker was stopped. The error names
    /// what is waiting, where, and until when.
    pub fn try_run_until_idle(&mut self) -> Result<Duration, NotIdle> {
        let limit = self.limit;
        self.stage().call(move |world| world.settle(limit))
    }

    /// Lets so much virtual time pass.
    ///
    /// # Panics
    /// If a `blocking` handler takes [too long](TestService::with_blocking_limit).
    #[track_caller]
    pub fn advance(&mut self, time: Duration) {
        if let Err(why) = self.stage().call(move |world| world.advance(time)) {
            panic!("{why}");
        }
    }

    fn ask<R: Send + 'static>(&self, ask: impl FnOnce(&mut super::world::World) -> R + Send + 'static) -> Option<R> {
        self.stage.get().map(|stage| stage.call(ask))
    }

    /// The virtual time. It begins at 2026-11-22T10:20:00Z, whatever time it is. Handlers see it in tokio's clock
    /// (`tokio::time`); `std::time` goes on telling the real one.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ask(|world| world.now()).unwrap_or(START)
    }

    /// What happened to a record so far.
    ///
    /// # Panics
    /// If it was not sent to this service.
    #[must_use]
    #[track_caller]
    pub fn story(&self, record: &Origin) -> Story {
        let origin = record.clone();
        match self.ask(move |world| world.story(&origin)).flatten() {
            Some(story) => story,
            None => panic!("{record} was not sent to this service"),
        }
    }

    /// What happened to each record so far, in the order of sending.
    #[must_use]
    pub fn stories(&self) -> Vec<Story> {
        self.ask(|world| world.stories()).unwrap_or_default()
    }

    /// Every run of every handler so far, in the order in which they began.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        self.ask(|world| world.runs()).unwrap_or_default()
    }

    /// The dead letters, in the order of sending: one for each record that is dead.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.stories().iter().filter_map(|story| story.dead_letter().cloned()).collect()
    }

    /// Kills every worker, as `kill -9` does. Each is started again by itself within 3 s, and gets its partitions back when
    /// the group has given up the dead one, after 10 s.
    ///
    /// ```
    /// use retrial::{App, Retry, handler, mins, secs, testkit::TestService};
    ///
    /// async fn charge() -> Result<(), String> {
    ///     tokio::time::sleep(secs(30)).await;
    ///     Err("the bank does not answer".to_owned())
    /// }
    ///
    /// let orders = handler(charge).retry(Retry::delays([mins(5)]).in_place(0));
    /// let app = App::group("billing").tiers([mins(5)]).topic("orders", orders).build()?;
    /// let mut service = TestService::new(app);
    /// let order = service.send("orders", "42");
    /// service.advance(secs(20));
    /// service.crash();
    /// service.run_until_idle();
    /// // The first attempt was begun twice; the crash is no attempt, and the second one survives it.
    /// service.story(&order).assert_attempts(2).assert_runs(3);
    /// # Ok::<(), retrial::BuildError>(())
    /// ```
    pub fn crash(&mut self) {
        self.stage().call(|world| world.crash());
    }

    /// Kills one worker, as [`TestService::crash`] does. Workers are counted from 0, and one that is started again keeps its
    /// number. Whether there was one to kill.
    pub fn crash_worker(&mut self, worker: usize) -> bool {
        self.stage().call(move |world| world.crash_worker(worker))
    }

    /// Starts one more worker, and returns its number. The group gives it partitions as time passes.
    ///
    /// ```
    /// use retrial::{App, handler, secs, testkit::TestService};
    /// # async fn charge() {}
    ///
    /// let app = App::group("billing").topic("orders", handler(charge)).build()?;
    /// let mut service = TestService::new(app).with_partitions("orders", 6);
    /// service.send("orders", "1");
    /// service.run_until_idle();
    /// let second = service.add_worker();
    /// service.advance(secs(10));
    /// service.stop_worker(0);
    /// service.advance(secs(10));
    /// let order = service.send("orders", "2");
    /// service.run_until_idle();
    /// assert_eq!(service.story(&order).runs().next().expect("it ran").worker(), 2);
    /// # let _ = second;
    /// # Ok::<(), retrial::BuildError>(())
    /// ```
    pub fn add_worker(&mut self) -> usize {
        self.stage().call(|world| world.join())
    }

    /// Asks a worker to stop as SIGTERM does: it takes nothing new, has 25 s for what runs, and leaves the group for
    /// good. It does so as time passes. Whether there is a worker of this number.
    pub fn stop_worker(&mut self, worker: usize) -> bool {
        self.stage().call(move |world| world.stop(worker, Duration::from_secs(25)))
    }

    /// From now on, nothing more goes wrong.
    pub fn calm(&mut self) {
        self.stage().call(|world| world.calm());
    }
}

impl fmt::Debug for TestService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestService({:?}, {:?}, {})", self.group, self.topics, self.now())
    }
}
