//! What a process knows of time, and whether its workers get to run.
//!
//! The one thing of a process that its own threads share with the cluster, which lives on one.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Shared by a client and the workers of its process.
#[derive(Debug, Default)]
pub(crate) struct Standstill {
    stands: AtomicBool,
    /// Whether somebody wanted to run meanwhile.
    missed: AtomicBool,
    /// Milliseconds that its clock stood still in all.
    lost: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

impl Standstill {
    /// How long the clock of the process stood still in all.
    pub(crate) fn lost(&self) -> Duration {
        Duration::from_millis(self.lost.load(Ordering::Relaxed))
    }

    /// Pending while workers stand still; they are woken when they go on.
    pub(crate) fn poll_runs(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.stands.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        self.missed.store(true, Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(cx.waker().clone());
        Poll::Pending
    }

    /// From now on workers stand still.
    pub(super) fn begin(&self) {
        self.stands.store(true, Ordering::Relaxed);
    }

    /// They go on, after their clock stood still for so long. Whether anybody had wanted to run.
    pub(super) fn end(&self, lost: Duration) -> bool {
        self.stands.store(false, Ordering::Relaxed);
        self.lost.fetch_add(u64::try_from(lost.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
        self.missed.swap(false, Ordering::Relaxed)
    }
}
