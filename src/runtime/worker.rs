//! A worker: one task that runs many attempts.
//!
//! An attempt is polled once on the spot; one that is ready has cost neither a spawn nor an allocation. One that is
//! pending moves among the others of this worker, with its deadline. Reports go back in batches.
//!
//! # Invariants
//! 1. Each piece of work is reported exactly once, or its worker's runtime is gone.
//! 2. Nothing of a user's runs outside `catch_unwind`: not a poll, and not the drop of a future.

use super::crew::{Command, Report, Workplace};
use crate::{
    extract::{Call, Control, Host},
    handler::ErasedHandler,
    record::Record,
    runtime::{
        running::{Attempts, Running},
        saboteur::{Saboteur, sabotaged},
        timing::Timing,
    },
};
use retrial_core::{
    event::{Finished, Work},
    id::Slot,
    outcome::{Outcome, Reason},
};
use std::{
    collections::VecDeque,
    future::Future,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};
use tokio_util::sync::ReusableBoxFuture;

/// Attempts begun between two looks at everything else.
pub(super) const TURN: usize = 32;

/// A report is sent at the latest when it has this many attempts.
const REPORT: usize = 128;

/// Turns before the thread is given to the other tasks of its runtime.
const TURNS: usize = 16;

/// A future of some attempt, in a box that is used again.
pub(super) type BoxedAttempt = ReusableBoxFuture<'static, Outcome>;

/// How many free boxes are kept per topic.
const SPARE: usize = 64;

/// What a worker keeps per topic.
struct Desk {
    handler: Arc<dyn ErasedHandler>,
    timeout: Option<std::time::Duration>,
    spare: Vec<BoxedAttempt>,
}

/// See the module's header.
pub(super) struct Worker {
    crew: usize,
    number: usize,
    commands: UnboundedReceiver<Command>,
    place: Workplace,
    host: Arc<Host>,
    desks: Vec<Desk>,
    control: Arc<Control>,
    queue: VecDeque<Work<Record>>,
    attempts: Attempts,
    timing: Timing,
    finished: Vec<Finished<Record>>,
    closed: bool,
}

impl Worker {
    pub(super) fn new(crew: usize, number: usize, commands: UnboundedReceiver<Command>, place: Workplace) -> Self {
        let host = Arc::new(Host { group: Arc::clone(&place.group), threads: Arc::clone(&place.threads) });
        let desk = |topic: &crate::topic::Registered| Desk {
            handler: topic.handler.fork(),
            timeout: topic.settings.timeout,
            spare: Vec::new(),
        };
        let desks: Vec<Desk> = place.handlers.iter().map(desk).collect();
        Self {
            crew,
            number,
            commands,
            control: Control::new(Arc::clone(&host)),
            host,
            attempts: Attempts::new(desks.len()),
            timing: Timing::new(place.handlers.iter().map(|topic| &*topic.topic)),
            desks,
            place,
            queue: VecDeque::new(),
            finished: Vec::new(),
            closed: false,
        }
    }

    /// Takes commands in; false when nobody will send another.
    fn listen(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(command) = self.commands.poll_recv(cx) {
            match command {
                Some(Command::Run(work)) => self.queue.extend(work),
                Some(Command::Hurry(slot)) => self.attempts.hurry(slot),
                Some(Command::Abandon(slot)) => self.abandon(slot),
                // Who asked may have given up waiting.
                Some(Command::Tell(ask)) => drop(ask.send(self.attempts.running())),
                None => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    /// Drops what was handed over for an assignment before this, whether it had begun or not.
    fn abandon(&mut self, slot: Slot) {
        self.attempts.abandon(slot);
        let (gone, kept) = self.queue.drain(..).partition(|work: &Work<Record>| work.ticket.slot == slot);
        self.queue = kept;
        let gone: VecDeque<Work<Record>> = gone;
        self.finished.extend(gone.into_iter().map(|work| {
            let Work { ticket, topic, class, .. } = work;
            Finished::Abandoned { ticket, topic, class }
        }));
    }

    /// Begins waiting attempts. Returns how many.
    fn begin(&mut self, cx: &mut Context<'_>) -> usize {
        if self.queue.is_empty() {
            return 0;
        }
        let (now, watch) = (Instant::now(), self.place.permits.now());
        self.timing.turn_begins(now);
        let mut begun = 0;
        while begun < TURN {
            let Some(work) = self.queue.pop_front() else { break };
            begun += 1;
            if self.place.permits.allows(work.ticket.slot, watch) {
                self.attempt(work, now, cx);
            } else {
                self.finished.push(Finished::Unstarted(Box::new(work)));
            }
        }
        self.timing.turn_ends(now, begun);
        begun
    }

    fn attempt(&mut self, work: Work<Record>, now: Instant, cx: &mut Context<'_>) {
        let topic = usize::from(work.topic.0);
        let Some(desk) = self.desks.get_mut(topic) else { return };
        let call = Call {
            record: work.record.clone(),
            tries: work.tries,
            fence: u64::from(work.ticket.slot.generation),
            history: work.history.clone().filter(|_| !sabotaged(Saboteur::HidesHistory)),
            control: Arc::clone(&self.control),
        };
        let mut future = desk.spare.pop();
        desk.handler.start(call, &mut future);
        let Some(mut future) = future else { return };
        match poll(&mut future, cx) {
            Poll::Ready(Ok(outcome)) => {
                self.timing.at_once(&work, matches!(outcome, Outcome::Done));
                self.finished.push(report(work, outcome));
                keep(&mut desk.spare, future);
                Control::reuse(&mut self.control);
            }
            Poll::Ready(Err(panicked)) => {
                discard(future);
                self.timing.at_once(&work, false);
                self.finished.push(report(work, panicked));
                self.control = Control::new(Arc::clone(&self.host));
            }
            Poll::Pending => {
                let control = std::mem::replace(&mut self.control, Control::new(Arc::clone(&self.host)));
                let deadline = desk.timeout.map(|timeout| now + timeout);
                self.attempts.add(Running { work, future, control, began: now }, deadline);
            }
        }
    }

    /// Takes up to a turn of attempts that ended. Returns how many.
    fn collect(&mut self, cx: &mut Context<'_>) -> usize {
        self.attempts.expire(cx);
        for ended in 0..TURN {
            let Poll::Ready(end) = self.attempts.poll_next(cx) else { return ended };
            let topic = usize::from(end.topic.0);
            if let (Some(future), Some(desk)) = (end.spare, self.desks.get_mut(topic)) {
                keep(&mut desk.spare, future);
            }
            self.timing.ended(topic, end.took, end.done);
            self.finished.push(end.finished);
        }
        TURN
    }

    fn send_report(&mut self) {
        if self.finished.is_empty() {
            return;
        }
        self.timing.flush();
        // The next report is likely to be as long.
        let next = Vec::with_capacity(self.finished.len());
        let mut finished = std::mem::replace(&mut self.finished, next);
        if sabotaged(Saboteur::LosesReports) {
            finished.truncate(1);
        }
        // The driver is gone only when the service has ended.
        if self.place.reports.send(Report { crew: self.crew, worker: self.number, finished }).is_ok() {
            self.place.waker.wake();
        }
    }
}

impl Future for Worker {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let worker = &mut *self;
        if worker.place.permits.poll_runs(cx).is_pending() {
            return Poll::Pending;
        }
        for _ in 0..TURNS {
            worker.listen(cx);
            let moved = worker.collect(cx) + worker.begin(cx);
            if worker.finished.len() >= REPORT {
                worker.send_report();
            }
            if moved == 0 {
                worker.send_report();
                return if worker.closed { Poll::Ready(()) } else { Poll::Pending };
            }
        }
        worker.send_report();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Polls an attempt; a panic is a failure of that record and of nothing else.
pub(super) fn poll(future: &mut BoxedAttempt, cx: &mut Context<'_>) -> Poll<Result<Outcome, Outcome>> {
    match panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) if sabotaged(Saboteur::TakesPanicForDone) => Poll::Ready(Err(Outcome::Done)),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
            let outcome = Outcome::Retry(Reason::new("panic", text.unwrap_or("the handler panicked")).abrupt());
            // The payload is the user's, and its drop may panic, too.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
            Poll::Ready(Err(outcome))
        }
    }
}

/// Drops an attempt's future. One that panics while it is dropped takes nobody down.
pub(super) fn discard(future: BoxedAttempt) {
    let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(future)));
}

fn keep(spare: &mut Vec<BoxedAttempt>, future: BoxedAttempt) {
    if spare.len() < SPARE {
        spare.push(future);
    } else {
        discard(future);
    }
}

/// What a worker reports of an attempt.
pub(super) fn report(work: Work<Record>, outcome: Outcome) -> Finished<Record> {
    match outcome {
        Outcome::Done => Finished::Done { ticket: work.ticket, topic: work.topic, class: work.class, lane: work.lane },
        outcome => Finished::Other(Box::new((work, outcome))),
    }
}
