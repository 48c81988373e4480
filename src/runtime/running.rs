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
    saboteur::{Saboteur, sabotaged},
    worker::{BoxedAttempt, discard, poll, report},
};
use crate::{extract::Control, record::Record};
use foldhash::fast::FixedState;
use futures_util::{StreamExt, stream::FuturesUnordered, task::AtomicWaker};
use retrial_core::{
    event::{Finished, Work},
    id::{Slot, TopicIndex},
    outcome::{Outcome, Reason},
};
use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};
use tokio::time::{Instant, Sleep, sleep_until};

/// An attempt that was pending at its first poll.
pub(super) struct Running {
    pub(super) work: Work<Record>,
    pub(super) future: BoxedAttempt,
    pub(super) control: Arc<Control>,
}

/// How an attempt ended.
pub(super) struct End {
    number: u64,
    pub(super) topic: TopicIndex,
    pub(super) finished: Finished<Record>,
    /// The box, if it can be used again.
    pub(super) spare: Option<BoxedAttempt>,
}

const RUNS: u8 = 0;
const TIMED_OUT: u8 = 1;
const ABANDONED: u8 = 2;

/// The worker's hold on a pending attempt.
struct Reins {
    slot: Slot,
    record: Record,
    control: Arc<Control>,
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
    number: u64,
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
        let Some(Running { work, future, .. }) = this.running.take() else { return Poll::Pending };
        let (number, topic) = (this.number, work.topic);
        Poll::Ready(match polled {
            Poll::Ready(Ok(outcome)) => End { number, topic, finished: report(work, outcome), spare: Some(future) },
            Poll::Ready(Err(outcome)) => {
                discard(future);
                End { number, topic, finished: report(work, outcome), spare: None }
            }
            Poll::Pending => {
                discard(future);
                End { number, topic, finished: given_up(work, state), spare: None }
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
    /// By number. Hashed alike in every process, so that what is given up together ends in the same order when it is
    /// replayed.
    reins: HashMap<u64, Reins, FixedState>,
    deadlines: Vec<VecDeque<(Instant, u64)>>,
    timer: Option<Pin<Box<Sleep>>>,
    next: u64,
}

impl Attempts {
    /// For so many topics.
    pub(super) fn new(topics: usize) -> Self {
        let deadlines = (0..topics).map(|_| VecDeque::new()).collect();
        Self { pending: FuturesUnordered::new(), reins: HashMap::default(), deadlines, timer: None, next: 0 }
    }

    /// Takes a pending attempt in. It is polled again at the next [`Attempts::poll_next`], with a waker of its own.
    pub(super) fn add(&mut self, running: Running, deadline: Option<Instant>) {
        self.next += 1;
        let number = self.next;
        let order = Arc::new(Order { state: AtomicU8::new(RUNS), waker: AtomicWaker::new() });
        let (slot, record) = (running.work.ticket.slot, running.work.record.clone());
        let (control, order_too) = (Arc::clone(&running.control), Arc::clone(&order));
        self.reins.insert(number, Reins { slot, record, control, order: order_too });
        let topic = usize::from(running.work.topic.0);
        if let (Some(deadline), Some(queue)) = (deadline, self.deadlines.get_mut(topic)) {
            queue.push_back((deadline, number));
            // Behind one attempt that takes long, the deadlines of those that ended would pile up.
            if queue.len() > 2 * self.reins.len() + 1024 {
                queue.retain(|(_, number)| self.reins.contains_key(number));
            }
        }
        self.pending.push(Pending { number, running: Some(running), order });
    }

    /// The next attempt that ended.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.pending.poll_next_unpin(cx) {
            Poll::Ready(Some(end)) => {
                self.reins.remove(&end.number);
                Poll::Ready(end)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Ends the attempts whose time is over, and sets the timer for the next.
    pub(super) fn expire(&mut self, cx: &mut Context<'_>) {
        if self.reins.is_empty() {
            self.deadlines.iter_mut().for_each(VecDeque::clear);
            self.timer = None;
            return;
        }
        loop {
            let now = Instant::now();
            let mut next = None;
            for queue in &mut self.deadlines {
                while let Some(&(deadline, number)) = queue.front() {
                    match self.reins.get(&number) {
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

    /// Fires the tokens of an assignment's attempts.
    pub(super) fn hurry(&self, slot: Slot) {
        self.reins.values().filter(|reins| reins.slot == slot).for_each(|reins| reins.control.fire());
    }

    /// Drops an assignment's attempts. One whose blocking function runs is waited for; its result counts for nothing
    /// then, because the assignment is gone.
    pub(super) fn abandon(&self, slot: Slot) {
        self.reins.values().filter(|reins| reins.slot == slot).for_each(|reins| reins.give_up(ABANDONED));
    }
}
