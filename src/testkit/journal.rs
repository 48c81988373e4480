//! What the handlers did, in the words of their outcomes: noted by a layer around everything.

use super::simulation::START;
use crate::{
    broker::sim::trace::ProcessId,
    extract::Attempt,
    layer::{Around, Next},
    record::Record,
};
use futures_util::FutureExt;
use retrial_core::{id::Origin, outcome::Outcome, time::Timestamp};
use std::{
    any::Any,
    cell::RefCell,
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, resume_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Something that a handler did, or that was done to it.
pub(super) enum Note {
    Began(Beginning),
    Ended {
        number: u64,
        process: ProcessId,
        at: Timestamp,
        how: How,
    },
    /// The process is to die now: its handler said so.
    Condemned(ProcessId),
    /// A blocking function takes too much real time.
    Stuck(Duration),
}

pub(super) struct Beginning {
    /// Tells this run of a handler from all others.
    pub(super) number: u64,
    pub(super) process: ProcessId,
    pub(super) at: Timestamp,
    pub(super) origin: Origin,
    /// The topic it was read from.
    pub(super) topic: Arc<str>,
    pub(super) attempt: u32,
    pub(super) tries: u16,
}

pub(super) enum How {
    Answered(Outcome),
    Panicked(String),
    /// Its future was dropped.
    Dropped,
}

/// What was noted and not read yet.
pub(super) struct Journal {
    notes: Mutex<Vec<Note>>,
    runs: AtomicU64,
    began: Instant,
    /// Somebody must look at once.
    pub(super) alarm: Notify,
}

impl Journal {
    /// Begins when virtual time does.
    pub(super) fn new() -> Arc<Self> {
        let (notes, runs) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(Self { notes, runs, began: Instant::now(), alarm: Notify::new() })
    }

    pub(super) fn note(&self, note: Note) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// What was noted since this was asked last.
    pub(super) fn take(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The simulated cluster's time, in its whole milliseconds.
    fn now(&self) -> Timestamp {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        START.after(Duration::from_millis(millis))
    }

    /// The layer to be put around the handlers of a process.
    pub(super) fn layer(self: &Arc<Self>, process: ProcessId) -> impl Around {
        let here = Here { journal: Arc::clone(self), process };
        move |record: Record, next: Next| {
            let here = here.clone();
            async move {
                let mut running = Running { number: here.begin(&record, &next.attempt()), here, how: How::Dropped };
                let mut run = pin!(AssertUnwindSafe(next.run(record)).catch_unwind());
                let ended = poll_fn(|cx| running.here.within(|| run.as_mut().poll(cx))).await;
                match ended {
                    Ok(outcome) => {
                        running.how = How::Answered(outcome.clone());
                        outcome
                    }
                    Err(payload) => {
                        running.how = How::Panicked(text(&*payload));
                        drop(running);
                        resume_unwind(payload)
                    }
                }
            }
        }
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("the handler panicked").to_owned()
}

/// The process in which something runs.
#[derive(Clone)]
struct Here {
    journal: Arc<Journal>,
    process: ProcessId,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

impl Here {
    fn begin(&self, record: &Record, attempt: &Attempt) -> u64 {
        let number = self.journal.runs.fetch_add(1, Ordering::Relaxed);
        let (process, at, origin) = (self.process, self.journal.now(), attempt.origin());
        let (topic, tries, attempt) = (Arc::clone(record.topic_shared()), attempt.tries(), attempt.number());
        self.journal.note(Note::Began(Beginning { number, process, at, origin, topic, attempt, tries }));
        number
    }

    /// Has what runs within know where it is.
    fn within<R>(&self, run: impl FnOnce() -> R) -> R {
        struct Leave(Option<Here>);
        impl Drop for Leave {
            fn drop(&mut self) {
                HERE.set(self.0.take());
            }
        }
        let _leave = Leave(HERE.replace(Some(self.clone())));
        run()
    }
}

/// Notes how the run of a handler ended, also when it is dropped.
struct Running {
    here: Here,
    number: u64,
    how: How,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Here { journal, process } = &self.here;
        let how = std::mem::replace(&mut self.how, How::Dropped);
        journal.note(Note::Ended { number: self.number, process: *process, at: journal.now(), how });
    }
}

/// Kills the worker process that runs the handler which awaits this, as `kill -9` would at this point: nothing behind
/// it runs, nothing of the attempt is written down, and another worker starts the record again.
///
/// Meant for the fake that a test gives its handlers as state: "what if the process dies between these two calls?"
///
/// ```
/// use retrial::{App, State, handler, testkit::{TestService, crash_here}};
/// use std::sync::{Arc, Mutex};
///
/// #[derive(Clone, Default)]
/// struct Bank(Arc<Mutex<u32>>);
///
/// impl Bank {
///     async fn charge(&self) {
///         let calls = {
///             let mut calls = self.0.lock().unwrap();
///             *calls += 1;
///             *calls
///         };
///         if calls == 1 {
///             crash_here().await;
///         }
///     }
/// }
///
/// async fn charge(State(bank): State<Bank>) {
///     bank.charge().await;
/// }
///
/// let bank = Bank::default();
/// let app = App::group("billing").state(bank.clone()).topic("orders", handler(charge)).build()?;
/// let mut service = TestService::new(app);
/// let order = service.send("orders", "42");
/// service.run_until_idle();
/// service.story(&order).assert_done().assert_runs(2).assert_attempts(1);
/// assert_eq!(*bank.0.lock().unwrap(), 2);
/// # Ok::<(), retrial::BuildError>(())
/// ```
///
/// # Panics
/// Outside a handler that a [`TestService`](super::TestService) runs: in another program, in a task that the handler
/// spawned, or on a thread of a `blocking` handler, which nothing can stop.
#[track_caller]
pub fn crash_here() -> impl Future<Output = ()> + Send {
    let here = HERE.with_borrow(Clone::clone);
    let Some(Here { journal, process }) = here else {
        panic!(
            "crash_here() on thread {:?}, which is not running an async handler of a TestService",
            thread::current().name().unwrap_or("without a name")
        );
    };
    async move {
        journal.note(Note::Condemned(process));
        journal.alarm.notify_one();
        pending().await
    }
}
