//! Keeps a service turning: one thread turns the loop; a second one looks whether it turns.
//!
//! A loop that stands still, or whose client has stopped to fetch, is begun anew with another client. What the old one
//! had is like what a process had that froze: its lease ends, and what it still says is refused or recognised as a repeat
//! (promise 9). A client that was fenced or refused is never made anew: the service ends.

use super::{
    CLOSING, ServiceError, Settings,
    assembly::{self, Assembled, Surroundings},
    health::{Health, WEDGED},
};
use crate::{
    app::HandlerSet,
    broker::{
        Sink, Source, Waker,
        kafka::{Kafka, KafkaSink, KafkaSource},
    },
    metrics,
    runtime::{
        Permits,
        board::Board,
        turning::{Ended, Stop, run},
    },
};
use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Handle, Runtime},
    sync::oneshot,
};

/// How often it is looked whether the loop turns.
const LOOK: Duration = Duration::from_secs(1);

/// Who sleeps for so long between two looks has stood still itself, with the whole process.
const OVERSLEPT: Duration = Duration::from_secs(5);

/// The pause before a client is made anew once more.
const AGAIN: Duration = Duration::from_secs(1);

/// A second rebuild within this time would mend as little as the first.
const REST: Duration = Duration::from_secs(600);

/// What a service is made of, to be made anew.
#[derive(Clone)]
pub(super) struct Recipe {
    pub(super) app: HandlerSet,
    pub(super) kafka: Kafka,
    pub(super) settings: Settings,
}

/// See the module's header.
pub(super) struct Keeper {
    recipe: Recipe,
    ambient: Handle,
    pub(super) board: Arc<Board>,
    pub(super) health: Arc<Health>,
    /// Which thread turns the loop; one with an older number has been given up.
    epoch: AtomicU32,
    stops: Mutex<mpsc::Receiver<Stop>>,
    stop: mpsc::Sender<Stop>,
    now: Mutex<Option<Now>>,
    rebuilt: Mutex<Option<Instant>>,
    done: Mutex<Option<oneshot::Sender<Result<(), ServiceError>>>>,
}

/// The loop that turns now.
struct Now {
    waker: Waker,
    permits: Arc<Permits>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    /// Assembles the service and starts its threads.
    pub(super) fn start(
        recipe: Recipe,
        prepared: assembly::Prepared,
        done: oneshot::Sender<Result<(), ServiceError>>,
    ) -> Result<Arc<Self>, ServiceError> {
        let ambient = Handle::try_current().map_err(|_| ServiceError::NoRuntime)?;
        let (stop, stops) = mpsc::channel();
        let keeper = Arc::new(Self {
            recipe,
            ambient,
            board: Arc::default(),
            health: Arc::default(),
            epoch: AtomicU32::new(0),
            stops: Mutex::new(stops),
            stop,
            now: Mutex::new(None),
            rebuilt: Mutex::new(None),
            done: Mutex::new(Some(done)),
        });
        let assembled = keeper.assemble(prepared)?;
        keeper.spawn(0, Some(assembled)).map_err(ServiceError::Thread)?;
        let guarded = Arc::downgrade(&keeper);
        let guard = thread::Builder::new().name("retrial-guard".into());
        guard.spawn(move || guard_loop(&guarded)).map_err(ServiceError::Thread)?;
        Ok(keeper)
    }

    /// Asks the loop to end, or to begin anew.
    pub(super) fn tell(&self, stop: Stop) {
        // It may have ended by itself.
        let _ = self.stop.send(stop);
        if let Some(now) = &*lock(&self.now) {
            now.waker.wake();
        }
    }

    fn assemble(self: &Arc<Self>, prepared: assembly::Prepared) -> Result<Assembled, ServiceError> {
        let weak = Arc::downgrade(self);
        let stalled = move |why: &str| {
            if let Some(keeper) = weak.upgrade().filter(|keeper| keeper.may_rebuild()) {
                tracing::error!("the Kafka client is made anew: {why}");
                keeper.tell(Stop::Rebuild);
            }
        };
        let around = Surroundings {
            ambient: self.ambient.clone(),
            board: Arc::clone(&self.board),
            health: Arc::clone(&self.health),
            stalled: Arc::new(stalled),
        };
        let assembled = assembly::assemble(prepared, &around)?;
        *lock(&self.now) = Some(Now { waker: assembled.driver.waker(), permits: Arc::clone(&assembled.permits) });
        Ok(assembled)
    }

    fn spawn(self: &Arc<Self>, epoch: u32, assembled: Option<Assembled>) -> io::Result<()> {
        let keeper = Arc::clone(self);
        let turn = move || {
            let mut next = assembled.or_else(|| keeper.assemble_again(epoch));
            while let Some(assembled) = next {
                next = keeper.turn(epoch, assembled);
            }
        };
        thread::Builder::new().name("retrial-driver".into()).spawn(turn).map(drop)
    }

    fn is_superseded(&self, epoch: u32) -> bool {
        self.epoch.load(Ordering::Acquire) != epoch
    }

    /// Turns until it ends. What is to be turned next, if anything.
    fn turn(self: &Arc<Self>, epoch: u32, assembled: Assembled) -> Option<Assembled> {
        let Assembled { driver, runtimes, marker, watch, observer, permits, cluster } = assembled;
        let asked = || {
            if self.is_superseded(epoch) { Ok(Stop::Now) } else { lock(&self.stops).try_recv() }
        };
        let (source, sink, ended) = run(driver, asked);
        permits.end_lease();
        drop((watch, observer));
        close(source, sink);
        if let Some(marker) = marker {
            marker.close(CLOSING);
        }
        runtimes.into_iter().for_each(Runtime::shutdown_background);
        // An embedded broker ends with its last user, which must be after the clients.
        drop(cluster);
        if self.is_superseded(epoch) {
            return None;
        }
        match ended {
            Ended::Well => self.finish(Ok(())),
            Ended::Broken(why) => self.finish(Err(ServiceError::Broken(why))),
            Ended::ToBeRebuilt => return self.assemble_again(epoch),
        }
        None
    }

    /// Makes the service anew, as at its start; as often as it takes, while brokers do not answer.
    fn assemble_again(self: &Arc<Self>, epoch: u32) -> Option<Assembled> {
        metrics::client_restarted();
        self.health.found(|facts| (facts.rebuilding, facts.rebuilt) = (true, facts.rebuilt + 1));
        loop {
            // Who waits for brokers is not wedged.
            self.board.begin(Vec::new());
            let Recipe { app, kafka, settings } = self.recipe.clone();
            let assembled = assembly::prepare(app, kafka, settings).and_then(|prepared| self.assemble(prepared));
            match assembled {
                _ if self.is_superseded(epoch) => return None,
                Ok(assembled) => {
                    self.health.found(|facts| facts.rebuilding = false);
                    return Some(assembled);
                }
                Err(error) if !error.passes() => {
                    self.finish(Err(error));
                    return None;
                }
                Err(error) => tracing::warn!("the Kafka client cannot be made anew yet: {error}"),
            }
            match lock(&self.stops).recv_timeout(AGAIN) {
                Ok(Stop::Drain(_) | Stop::Now) => {
                    self.finish(Ok(()));
                    return None;
                }
                Ok(Stop::Rebuild) | Err(_) => {}
            }
        }
    }

    fn finish(&self, result: Result<(), ServiceError>) {
        let why = result.as_ref().err().map_or_else(|| "it was stopped".to_owned(), ToString::to_string);
        self.health.found(|facts| facts.ended = Some(why));
        *lock(&self.now) = None;
        if let Some(done) = lock(&self.done).take() {
            // Nobody waits for the result of a service that was dropped.
            let _ = done.send(result);
        }
    }

    fn has_ended(&self) -> bool {
        lock(&self.done).is_none()
    }

    /// Whether a rebuild may help; it counts as one.
    fn may_rebuild(&self) -> bool {
        let mut rebuilt = lock(&self.rebuilt);
        let rested = rebuilt.is_none_or(|last| last.elapsed() >= REST);
        if rested {
            *rebuilt = Some(Instant::now());
        }
        rested
    }

    /// The loop stands still: another thread begins anew.
    fn supersede(self: &Arc<Self>) {
        if !self.may_rebuild() {
            return;
        }
        tracing::error!(seconds = WEDGED.as_secs(), "the loop that serves the group stands still: it is begun anew");
        if let Some(now) = &*lock(&self.now) {
            now.permits.end_lease();
        }
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        if let Err(error) = self.spawn(epoch, None) {
            tracing::error!(%error, "no thread could be made for it");
        }
    }
}

/// Looks whether the loop turns, as long as the service lives.
fn guard_loop(guarded: &Weak<Keeper>) {
    let mut looked = Instant::now();
    loop {
        thread::sleep(LOOK);
        let overslept = looked.elapsed() >= OVERSLEPT;
        looked = Instant::now();
        let Some(keeper) = guarded.upgrade().filter(|keeper| !keeper.has_ended()) else { return };
        // A process that was frozen finds its loop where it left it.
        if !overslept && keeper.board.since_turn().is_some_and(|still| still >= WEDGED) {
            keeper.supersede();
        }
    }
}

/// First what was sent is waited for, then the client ends.
fn close(source: KafkaSource, sink: KafkaSink) {
    Box::new(sink).close(CLOSING);
    Box::new(source).close(CLOSING);
}
