//! The attempts of one worker that are pending.
//!
//! Each is a future of its own among the others, so that only those that were woken are polled. Deadlines of one
//! topic come in the order of the attempts, since its timeout is one: a queue per topic and one timer serve all.
//!
//! # Invariants
//! 1. An attempt whose blocking function runs is never given up: its token fires, and it is waited for.
//! 2. An attempt that is given up ends at its next poll, which giving it up causes: at once if its assignment is gone,
//!    and after a last turn of its own if its time is over.

use super::{
    board,
    saboteur::{Saboteur, sabotaged},
    timing::source_time,
    worker::{BoxedAttempt, discard, poll, report},
};
use crate::{extract::Control, record::Record};
use futures_util::{StreamExt, stream::FuturesUnordered, task::AtomicWaker};
use retrial_core::{
    event::{Finished, Work},
    id::{Slot, TopicIndex},
    outcome::{Outcome, Reason},
    time::Timestamp,
};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// Places for more pending attempts than this are given back when the last one has ended.
const KEPT: usize = 1024;

/// An attempt that was pending at its first poll.
pub(super) struct Running {
    pub(super) work: Work<Record>,
    pub(super) future: BoxedAttempt,
    pub(super) control: Arc<Control>,
    pub(super) began: Instant,
}

/// Names a pending attempt: its place among the reins, and a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    place: usize,
    number: u64,
}

/// How an attempt ended.
pub(super) struct End {
    name: Name,
    pub(super) topic: TopicIndex,
    pub(super) finished: Finished<Record>,
    pub(super) took: Duration,
    /// The source time of a record that is done.
    pub(super) done: Option<Timestamp>,
    /// The box, if it can be used again.
    pub(super) spare: Option<BoxedAttempt>,
}

const RUNS: u8 = 0;
const TIMED_OUT: u8 = 1;
const ABANDONED: u8 = 2;

/// The worker's hold on a pending attempt.
struct Reins {
    number: u64,
    slot: Slot,
    record: Record,
    control: Arc<Control>,
    began: Instant,
    attempt: u32,
    order: Arc<Order>,
}

/// What the worker wants of a pending attempt.
struct Order {
    state: AtomicU8,
    waker: AtomicWaker,
}

impl Reins {
    /// Ends the attempt, unless a blocking function of it runs.
    fn give_up(&self, state: u8) {
        let spared = match state {
            TIMED_OUT => sabotaged(Saboteur::NeverTimesOut),
            _ => sabotaged(Saboteur::IgnoresAbandon),
        };
        if spared {
            return;
        }
        self.control.fire();
        if self.control.abandon() {
            // One whose assignment is gone stays so when its time is over, too.
            self.order.state.fetch_max(state, Ordering::Release);
            self.order.waker.wake();
        } else if state == TIMED_OUT {
            // Neither retried nor forwarded before it returns: its work may still take effect.
            let (topic, partition, offset) = (self.record.topic(), self.record.partition(), self.record.offset());
            tracing::warn!(topic, partition, offset, "a blocking handler is overdue, and cannot be stopped");
        }
    }
}

/// A pending attempt as a future.
struct Pending {
    name: Name,
    running: Option<Running>,
    order: Arc<Order>,
}

impl Future for Pending {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = &mut *self;
        this.order.waker.register(cx.waker());
        let state = this.order.state.load(Ordering::Acquire);
        // A future is not polled again after it was ready; `FuturesUnordered` keeps that.
        let Some(running) = this.running.as_mut() else { return Poll::Pending };
        // One whose time is over has a last turn: while the process stood still it may have become ready.
        let polled = if state == ABANDONED { Poll::Pending } else { poll(&mut running.future, cx) };
        if state == RUNS && polled.is_pending() {
            return Poll::Pending;
        }
        let Some(Running { work, future, began, .. }) = this.running.take() else { return Poll::Pending };
        let (name, topic, took) = (this.name, work.topic, began.elapsed());
        Poll::Ready(match polled {
            Poll::Ready(Ok(outcome)) => {
                let done = matches!(outcome, Outcome::Done).then(|| source_time(&work)).flatten();
                End { name, topic, took, done, finished: report(work, outcome), spare: Some(future) }
            }
            Poll::Ready(Err(outcome)) => {
                discard(future);
                End { name, topic, took, done: None, finished: report(work, outcome), spare: None }
            }
            Poll::Pending => {
                discard(future);
                End { name, topic, took, done: None, finished: given_up(work, state), spare: None }
            }
        })
    }
}

fn given_up(work: Work<Record>, state: u8) -> Finished<Record> {
    if state == TIMED_OUT {
        return report(work, Outcome::Retry(Reason::new("timeout", "the handler did not end in time").abrupt()));
    }
    Finished::Abandoned { ticket: work.ticket, topic: work.topic, class: work.class }
}

/// See the module's header.
pub(super) struct Attempts {
    pending: FuturesUnordered<Pending>,
    reins: Vec<Option<Reins>>,
    /// Places of the reins that are free.
    free: Vec<usize>,
    deadlines: Vec<VecDeque<(Instant, Name)>>,
    timer: Option<Pin<Box<Sleep>>>,
    numbers: u64,
}

impl Attempts {
    /// For so many topics.
    pub(super) fn new(topics: usize) -> Self {
        let deadlines = (0..topics).map(|_| VecDeque::new()).collect();
        Self {
            pending: FuturesUnordered::new(),
            reins: Vec::new(),
            free: Vec::new(),
            deadlines,
            timer: None,
            numbers: 0,
        }
    }

    /// Takes a pending attempt in. It is polled again at the next [`Attempts::poll_next`], with a waker of its own.
    pub(super) fn add(&mut self, running: Running, deadline: Option<Instant>) {
        self.numbers += 1;
        let number = self.numbers;
        let order = Arc::new(Order { state: AtomicU8::new(RUNS), waker: AtomicWaker::new() });
        let (slot, record) = (running.work.ticket.slot, running.work.record.clone());
        let (control, order_too, began) = (Arc::clone(&running.control), Arc::clone(&order), running.began);
        let attempt = running.work.history.as_ref().map_or(0, |history| history.attempts) + 1;
        let name = self.hold(Reins { number, slot, record, control, began, attempt, order: order_too });
        let topic = usize::from(running.work.topic.0);
        if let (Some(deadline), Some(queue)) = (deadline, self.deadlines.get_mut(topic)) {
            queue.push_back((deadline, name));
            // Behind one attempt that takes long, the deadlines of those that ended would pile up.
            if queue.len() > 2 * self.reins.len() + 1024 {
                queue.retain(|(_, name)| held(&self.reins, *name).is_some());
            }
        }
        self.pending.push(Pending { name, running: Some(running), order });
    }

    fn is_empty(&self) -> bool {
        self.free.len() == self.reins.len()
    }

    fn hold(&mut self, reins: Reins) -> Name {
        let number = reins.number;
        let place = self.free.pop().unwrap_or(self.reins.len());
        match self.reins.get_mut(place) {
            Some(free) => *free = Some(reins),
            None => self.reins.push(Some(reins)),
        }
        Name { place, number }
    }

    fn let_go(&mut self, name: Name) {
        self.reins[name.place] = None;
        self.free.push(name.place);
        if self.is_empty() && self.free.len() > KEPT {
            (self.reins, self.free) = (Vec::new(), Vec::new());
        }
    }

    /// The next attempt that ended.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.pending.poll_next_unpin(cx) {
            Poll::Ready(Some(end)) => {
                self.let_go(end.name);
                Poll::Ready(end)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Ends the attempts whose time is over, and sets the timer for the next.
    pub(super) fn expire(&mut self, cx: &mut Context<'_>) {
        if self.is_empty() {
            self.deadlines.iter_mut().for_each(VecDeque::clear);
            self.timer = None;
            return;
        }
        loop {
            let now = Instant::now();
            let mut next = None;
            for queue in &mut self.deadlines {
                while let Some(&(deadline, name)) = queue.front() {
                    match held(&self.reins, name) {
                        Some(_) if deadline > now => {
                            next = Some(next.map_or(deadline, |next: Instant| next.min(deadline)));
                            break;
                        }
                        Some(reins) => reins.give_up(TIMED_OUT),
                        None => {}
                    }
                    queue.pop_front();
                }
            }
            let Some(next) = next else { return self.timer = None };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
        }
    }

    /// What runs, for people.
    pub(super) fn running(&self) -> Vec<board::Running> {
        let shown = |reins: &Reins| board::Running {
            topic: reins.record.topic().into(),
            partition: reins.record.partition(),
            offset: reins.record.offset(),
            attempt: reins.attempt,
            for_: reins.began.elapsed(),
        };
        self.reins.iter().flatten().map(shown).collect()
    }

    /// Fires the tokens of an assignment's attempts.
    pub(super) fn hurry(&self, slot: Slot) {
        self.reins.iter().flatten().filter(|reins| reins.slot == slot).for_each(|reins| reins.control.fire());
    }

    /// Drops an assignment's attempts. One whose blocking function runs is waited for; its result counts for nothing
    /// then, because the assignment is gone.
    pub(super) fn abandon(&self, slot: Slot) {
        self.reins.iter().flatten().filter(|reins| reins.slot == slot).for_each(|reins| reins.give_up(ABANDONED));
    }
}

fn held(reins: &[Option<Reins>], name: Name) -> Option<&Reins> {
    reins.get(name.place)?.as_ref().filter(|reins| reins.number == name.number)
}
