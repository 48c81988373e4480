//! One run of a handler.

use super::span::Span;
use retrial_core::{
    id::Origin,
    outcome::{Outcome, Reason},
    time::Timestamp,
};
use std::{fmt, time::Duration};

/// How the run of a handler ended.
///
/// ```
/// use retrial::{App, Outcome, handler, secs, testkit::{Ending, TestService}};
/// # async fn charge() { std::future::pending().await }
///
/// let app = App::group("billing").topic("orders", handler(charge).timeout(secs(20))).build()?;
/// let mut service = TestService::new(app);
/// let order = service.send("orders", "42");
/// service.advance(secs(30));
/// let story = service.story(&order);
/// let first = story.runs().next().expect("it was begun");
/// assert_eq!(first.ending(), Some(&Ending::TimedOut));
/// assert_eq!(first.failure().expect("it failed").kind(), "timeout");
/// # Ok::<(), retrial::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The handler, its arguments or a layer said what became of the record. Errors have been classified.
    Answered(Outcome),
    /// The handler panicked, with this message. The attempt has failed.
    Panicked(String),
    /// It did not end within the topic's time limit, and was dropped. The attempt has failed.
    TimedOut,
    /// It was dropped because its worker stopped or lost the partition. No attempt is counted.
    Cancelled,
    /// Its worker died. No attempt is counted.
    Crashed,
}

/// One run of a record's handler: an attempt, or one of its quick tries in place.
///
/// ```
/// use retrial::{App, Retry, handler, secs, testkit::TestService};
///
/// async fn charge() -> Result<(), &'static str> {
///     Err("the bank does not answer")
/// }
///
/// let orders = handler(charge).retry(Retry::delays([secs(30)]).in_place(1));
/// let app = App::group("billing").tiers([secs(30)]).topic("orders", orders).build()?;
/// let mut service = TestService::new(app);
/// service.send("orders", "42");
/// service.run_until_idle();
/// let runs: Vec<_> = service.runs().iter().map(|run| (run.attempt(), run.tries(), run.tier())).collect();
/// let thirty = Some(secs(30));
/// assert_eq!(runs, [(1, 0, None), (1, 1, None), (2, 0, thirty), (2, 1, thirty)]);
/// # Ok::<(), retrial::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) origin: Origin,
    pub(super) attempt: u32,
    pub(super) tries: u16,
    /// Whether the record had been written on after this attempt already, or after a later one: a crash came between
    /// write and commit, and what it comes to is passed over by whoever reads what was written.
    pub(super) is_rerun: bool,
    pub(super) worker: u32,
    pub(super) tier: Option<Duration>,
    pub(super) due: Option<Timestamp>,
    pub(super) began: Timestamp,
    pub(super) ended: Option<(Timestamp, Ending)>,
}

impl Run {
    /// Whose run it was.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Which attempt it belongs to, from 1: what [`Attempt::number`](crate::Attempt::number) told the handler.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How many tries in place were made before it within the attempt, from 0.
    #[must_use]
    pub fn tries(&self) -> u16 {
        self.tries
    }

    /// Which worker ran it: workers are counted from 1 in the order in which they were started, so that one which
    /// was started again after a crash is another one.
    #[must_use]
    pub fn worker(&self) -> u32 {
        self.worker
    }

    /// The tier that the record waited in before it; `None` if it came from its source topic.
    #[must_use]
    pub fn tier(&self) -> Option<Duration> {
        self.tier
    }

    /// When it began, in virtual time.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// When it ended, in virtual time; `None` while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        self.ended.as_ref().map(|&(at, _)| at)
    }

    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.ended.as_ref().map(|(_, ending)| ending)
    }

    /// How long after it was due it began; `None` if it was never put off to a tier. It is never early.
    #[must_use]
    pub fn lateness(&self) -> Option<Duration> {
        self.due.map(|due| self.began.since(due))
    }

    /// Why the attempt failed: the kind and the message that a dead letter would have. `None` if it did not fail.
    #[must_use]
    pub fn failure(&self) -> Option<Reason> {
        match self.ending()? {
            Ending::Answered(Outcome::Retry(reason) | Outcome::RetryAfter(_, reason) | Outcome::Dead(_, reason)) => {
                Some(reason.clone())
            }
            Ending::Panicked(message) => Some(Reason::new("panic", message)),
            Ending::TimedOut => Some(Reason::new("timeout", "the handler did not end in time")),
            Ending::Answered(_) | Ending::Cancelled | Ending::Crashed => None,
        }
    }
}

/// `attempt 2, try 1 in place, worker 1: failed, bank: no answer`
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {}", self.attempt)?;
        if self.tries > 0 {
            write!(f, ", try {} in place", self.tries)?;
        }
        write!(f, ", worker {}: ", self.worker)?;
        match self.ending() {
            None => f.write_str("still runs")?,
            Some(ending) => ending.fmt(f)?,
        }
        match self.lateness().filter(|late| !late.is_zero()) {
            Some(late) if self.tries == 0 => write!(f, " ({} late)", Span(late)),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(Outcome::Done) => f.write_str("done"),
            Self::Answered(Outcome::Discard(why)) => write!(f, "discarded, {why}"),
            Self::Answered(Outcome::Retry(why)) => write!(f, "failed, {why}"),
            Self::Answered(Outcome::RetryAfter(delay, why)) => write!(f, "failed, {why}; again after {}", Span(*delay)),
            Self::Answered(Outcome::Snooze(delay)) => write!(f, "snoozed for {}", Span(*delay)),
            Self::Answered(Outcome::Hold(delay)) => write!(f, "held its topic for {}", Span(*delay)),
            Self::Answered(Outcome::Dead(cause, why)) => write!(f, "dead ({cause}), {why}"),
            Self::Panicked(message) => write!(f, "panicked, {message}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Cancelled => f.write_str("cancelled, its worker gave the partition up"),
            Self::Crashed => f.write_str("its worker died"),
        }
    }
}
