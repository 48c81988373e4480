//! What a worker and the attempt it runs share: the way to tell the attempt that its time is short, and the way to
//! know whether it can still be given up.
//!
//! # Why a control block is free for attempts that end at once
//! A worker makes one [`Control`] ahead and lends it to the next attempt. An attempt that is ready at its first poll
//! has dropped its share by then, so the worker takes the block back ([`Control::reuse`]) and lends it again: no
//! allocation, one uncontended reference count. Only an attempt that is pending keeps its block, beside which an
//! allocation does not count. The token inside is made when somebody asks for it, never before. A block is shared and
//! not tied to a thread, so a layer may move the attempt to another task and its token still fires.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// A piece of blocking work.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Threads that may block. The runtime has a bounded number of them.
pub(crate) trait Threads: Send + Sync {
    /// Runs a job on some thread, as soon as one is free. A job that panics takes no thread down.
    fn run(&self, job: Job);
}

/// What attempts need to know of the process that runs them; one for all attempts of a topic and worker.
pub(crate) struct Host {
    /// The consumer group.
    pub(crate) group: Arc<str>,
    /// Where `blocking` handlers run.
    pub(crate) threads: Arc<dyn Threads>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.group)
    }
}

/// Nothing of this attempt blocks a thread.
const FREE: u8 = 0;
/// A blocking function of this attempt runs and cannot be stopped.
const BLOCKING: u8 = 1;
/// A blocking function returned, and the attempt has not heard of it yet.
const RETURNED: u8 = 2;
/// The worker gave the attempt up; a blocking function that did not start never will.
const ABANDONED: u8 = 3;

/// What a worker and one attempt share.
#[derive(Debug)]
pub(crate) struct Control {
    host: Arc<Host>,
    token: OnceLock<CancellationToken>,
    phase: AtomicU8,
}

impl Control {
    /// The block of an attempt to come.
    pub(crate) fn new(host: Arc<Host>) -> Arc<Self> {
        Arc::new(Self { host, token: OnceLock::new(), phase: AtomicU8::new(FREE) })
    }

    /// Makes the block of a finished attempt fit for the next one: in place if nobody else holds it, else a new one.
    pub(crate) fn reuse(this: &mut Arc<Self>) {
        match Arc::get_mut(this) {
            Some(control) => {
                control.token.take();
                *control.phase.get_mut() = FREE;
            }
            None => *this = Self::new(Arc::clone(&this.host)),
        }
    }

    /// The process around the attempt.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The token, made at the first call.
    pub(crate) fn token(&self) -> &CancellationToken {
        self.token.get_or_init(CancellationToken::new)
    }

    /// Fires the token; one that is asked for later is born fired.
    pub(crate) fn fire(&self) {
        self.token().cancel();
    }

    /// Gives the attempt up, unless a blocking function of it runs, or has returned with an answer that is on its way:
    /// then it must be waited for, and this is false. After `true` its future may be dropped.
    pub(crate) fn abandon(&self) -> bool {
        let abandoned = self.phase.compare_exchange(FREE, ABANDONED, Ordering::AcqRel, Ordering::Acquire);
        matches!(abandoned, Ok(_) | Err(ABANDONED))
    }

    /// Whether a blocking function of the attempt runs now.
    #[cfg(test)]
    pub(crate) fn is_blocking(&self) -> bool {
        self.phase.load(Ordering::Acquire) == BLOCKING
    }

    /// Runs a blocking function, unless the attempt was given up before. [`Control::heard`] must follow.
    pub(crate) fn block<R>(&self, run: impl FnOnce() -> R) -> Option<R> {
        /// Also a panic ends the phase.
        struct Phase<'a>(&'a AtomicU8);
        impl Drop for Phase<'_> {
            fn drop(&mut self) {
                self.0.store(RETURNED, Ordering::Release);
            }
        }
        self.phase.compare_exchange(FREE, BLOCKING, Ordering::AcqRel, Ordering::Acquire).ok()?;
        let _phase = Phase(&self.phase);
        Some(run())
    }

    /// The attempt has what its blocking function answered, and can be given up again.
    pub(crate) fn heard(&self) {
        let _ = self.phase.compare_exchange(RETURNED, FREE, Ordering::AcqRel, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::host;

    #[test]
    fn a_block_that_nobody_holds_is_used_again_without_its_old_token() {
        let mut control = Control::new(host());
        let address = Arc::as_ptr(&control);
        control.fire();
        Control::reuse(&mut control);
        assert_eq!(Arc::as_ptr(&control), address);
        assert!(!control.token().is_cancelled());
    }

    #[test]
    fn a_block_that_an_attempt_keeps_is_left_to_it() {
        let mut control = Control::new(host());
        let pending = Arc::clone(&control);
        Control::reuse(&mut control);
        control.fire();
        assert!(!Arc::ptr_eq(&control, &pending) && !pending.token().is_cancelled());
    }

    #[test]
    fn a_token_that_is_asked_for_too_late_has_fired() {
        let control = Control::new(host());
        control.fire();
        assert!(control.token().is_cancelled());
    }

    #[test]
    fn a_running_function_cannot_be_given_up_and_one_given_up_never_runs() {
        let control = Control::new(host());
        assert_eq!(control.block(|| (control.is_blocking(), control.abandon())), Some((true, false)));
        assert!(!control.is_blocking() && !control.abandon(), "its answer is on its way");
        control.heard();
        assert!(control.abandon() && control.abandon());
        assert_eq!(control.block(|| ()), None);
    }

    #[test]
    fn a_panic_ends_the_blocking_phase() {
        let control = Control::new(host());
        let run = std::panic::AssertUnwindSafe(|| control.block(|| panic!("as intended")));
        assert!(std::panic::catch_unwind(run).is_err());
        assert!(!control.is_blocking());
    }
}
