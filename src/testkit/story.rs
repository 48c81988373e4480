//! What happened to one record.

use super::{letter::DeadLetter, run::Run, span::Span};
use crate::testkit::run::Ending;
use bytes::Bytes;
use retrial_core::{
    history::idempotency_key,
    id::Origin,
    outcome::{Cause, Outcome},
    time::Timestamp,
};
use std::{fmt, time::Duration};

/// Bytes of a key and of a body that a story shows.
const SHOWN: usize = 120;

/// What has become of a record.
///
/// ```
/// use retrial::{App, Retry, handler, mins, secs, testkit::{State, TestService}};
/// # async fn charge() -> Result<(), &'static str> { Err("the bank does not answer") }
///
/// let orders = handler(charge).retry(Retry::delays([mins(5)]).in_place(0));
/// let app = App::group("billing").tiers([mins(5)]).topic("orders", orders).build()?;
/// let mut service = TestService::new(app);
/// let order = service.send("orders", "42");
/// assert_eq!(service.story(&order).state(), State::Queued);
/// service.advance(mins(1));
/// let State::Waiting { tier, until: Some(until) } = service.story(&order).state() else { panic!() };
/// assert_eq!(tier, Some(mins(5)));
/// assert!(until.since(service.now()) < mins(5));
/// # Ok::<(), retrial::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is in its topic, to run as soon as a worker takes it.
    Queued,
    /// Its handler runs.
    Running,
    /// It waits, to run again then.
    Waiting {
        /// The tier it is in; `None` if it waits in the worker's memory.
        tier: Option<Duration>,
        /// Until when, in virtual time; `None` for the short pause before a try in place, and where the schedule of
        /// an ordered topic says.
        until: Option<Timestamp>,
    },
    /// Its handler finished.
    Done,
    /// Its handler said, for this reason, that there is nothing to do.
    Discarded(String),
    /// It is in the dead letters, for this cause.
    Dead(Cause),
}

impl State {
    /// Whether nothing more is to happen to the record.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Discarded(_) | Self::Dead(_))
    }
}

/// A write to a tier.
#[derive(Clone, Debug)]
pub(super) struct Put {
    pub(super) tier: Duration,
    pub(super) due: Option<Timestamp>,
    pub(super) at: Timestamp,
    /// What tells a write from all others of the record: the attempts that were made, and the hop.
    pub(super) identity: (u32, u32),
    /// Whether the same was written before: a crash came between write and commit. Readers pass it over.
    pub(super) is_repeat: bool,
}

/// Something that happened to a record.
#[derive(Clone, Debug)]
pub(super) enum Chapter {
    Run(Run),
    /// It was written to a tier.
    Put(Put),
    Buried(DeadLetter),
}

/// What happened to one record so far, from when it was sent; see [`TestService::story`](super::TestService::story).
///
/// Its `Display` is the whole story, with times since virtual time began; each assertion that fails shows it:
///
/// ```text
/// orders/0/0, key alice, body 42
///          0ms  sent
///          8ms  attempt 1, worker 1: failed, bank: the bank does not answer
///         12ms  waits in the tier of 30s until 30.007s
///      30.013s  attempt 2, worker 1: done (6ms late)
/// => done
/// ```
///
/// ```
/// # use retrial::{App, Attempt, Failure, Retry, handler, secs, testkit::{Message, TestService}};
/// # async fn charge(attempt: Attempt) -> Result<(), Failure> {
/// #     if attempt.number() == 1 { Err(Failure::retry("the bank does not answer").kind("bank")) } else { Ok(()) }
/// # }
/// # let orders = handler(charge).retry(Retry::delays([secs(30)]).in_place(0));
/// # let app = App::group("billing").tiers([secs(30)]).topic("orders", orders).build()?;
/// let mut service = TestService::new(app);
/// let order = service.send("orders", Message::new("42").key("alice"));
/// service.run_until_idle();
/// let story = service.story(&order);
/// story.assert_done().assert_attempts(2).assert_waits([secs(30)]).assert_failure("bank");
/// assert_eq!((story.tiers(), story.idempotency_key().as_str()), (vec![secs(30)], "billing/orders/0/0"));
/// assert!(story.to_string().ends_with(" late)\n=> done"));
/// # Ok::<(), retrial::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Story {
    pub(super) group: String,
    pub(super) origin: Origin,
    pub(super) key: Option<Bytes>,
    pub(super) body: Option<Bytes>,
    /// When virtual time began, when the record was sent, and what time it is.
    pub(super) began: Timestamp,
    pub(super) sent: Timestamp,
    pub(super) now: Timestamp,
    pub(super) chapters: Vec<Chapter>,
}

impl Story {
    /// Where the record was written.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The key that each attempt saw as [`Attempt::idempotency_key`](crate::Attempt::idempotency_key).
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        idempotency_key(&self.group, &self.origin)
    }

    /// When it was sent, in virtual time.
    #[must_use]
    pub fn sent(&self) -> Timestamp {
        self.sent
    }

    /// Every run of its handler, in order: attempts, and their tries in place.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.chapters.iter().filter_map(|chapter| match chapter {
            Chapter::Run(run) => Some(run),
            _ => None,
        })
    }

    /// How many attempts were begun. Tries in place, and runs that a crash cut off, are not counted apart.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.runs().map(Run::attempt).max().unwrap_or(0)
    }

    /// The time between the end of each attempt that counted and the beginning of the next attempt.
    #[must_use]
    pub fn waits(&self) -> Vec<Duration> {
        let runs: Vec<&Run> = self.runs().filter(|run| !run.is_rerun).collect();
        let next = |pair: &[&Run]| pair[1].attempt > pair[0].attempt;
        let pairs = runs.windows(2).filter(|pair| next(pair));
        pairs.filter_map(|pair| Some(pair[1].began.since(pair[0].ended()?))).collect()
    }

    /// The tiers that it waited in, in order, one for each hop.
    #[must_use]
    pub fn tiers(&self) -> Vec<Duration> {
        let tier = |chapter: &Chapter| match chapter {
            Chapter::Put(put) if !put.is_repeat => Some(put.tier),
            _ => None,
        };
        self.chapters.iter().filter_map(tier).collect()
    }

    /// Its dead letter, if it has one.
    #[must_use]
    pub fn dead_letter(&self) -> Option<&DeadLetter> {
        self.chapters.iter().rev().find_map(|chapter| match chapter {
            Chapter::Buried(letter) => Some(letter),
            _ => None,
        })
    }

    /// What has become of it.
    #[must_use]
    pub fn state(&self) -> State {
        state(&self.chapters)
    }

    fn clock(&self, at: Timestamp) -> String {
        Span(at.since(self.began)).to_string()
    }
}

/// What these chapters come to.
pub(super) fn state(chapters: &[Chapter]) -> State {
    let counts = |chapter: &&Chapter| match chapter {
        Chapter::Put(put) => !put.is_repeat,
        Chapter::Run(run) => !run.is_rerun || run.ended.is_none(),
        Chapter::Buried(_) => true,
    };
    match chapters.iter().rev().find(counts) {
        None => State::Queued,
        Some(Chapter::Buried(letter)) => State::Dead(letter.cause()),
        Some(Chapter::Put(put)) => State::Waiting { tier: Some(put.tier), until: put.due },
        Some(Chapter::Run(run)) => match &run.ended {
            None => State::Running,
            Some((at, ending)) => after(*at, ending),
        },
    }
}

/// What has become of a record whose handler ended last.
fn after(at: Timestamp, ending: &Ending) -> State {
    let until = |delay: &Duration| State::Waiting { tier: None, until: Some(at.after(*delay)) };
    match ending {
        Ending::Answered(Outcome::Done) => State::Done,
        Ending::Answered(Outcome::Discard(why)) => State::Discarded(why.clone()),
        Ending::Answered(Outcome::RetryAfter(delay, _) | Outcome::Snooze(delay) | Outcome::Hold(delay)) => until(delay),
        Ending::Answered(Outcome::Retry(_) | Outcome::Dead(..)) | Ending::Panicked(_) | Ending::TimedOut => {
            State::Waiting { tier: None, until: None }
        }
        Ending::Cancelled | Ending::Crashed => State::Queued,
    }
}

/// The beginning of some bytes, as text.
fn shown(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let text = String::from_utf8_lossy(bytes);
    let mut plain: String = text.chars().take(SHOWN).flat_map(|char| plain(char).into_iter()).collect();
    if text.chars().nth(SHOWN).is_some() {
        plain.push_str(&format!("… ({} bytes)", bytes.len()));
    }
    plain
}

fn plain(char: char) -> Vec<char> {
    if char.is_control() { char.escape_default().collect() } else { vec![char] }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        if self.key.is_some() {
            write!(f, ", key {}", shown(self.key.as_deref()))?;
        }
        writeln!(f, ", body {}", shown(self.body.as_deref()))?;
        let mut line = |at: Timestamp, what: &str| writeln!(f, "{:>12}  {what}", self.clock(at));
        line(self.sent, "sent")?;
        for chapter in &self.chapters {
            match chapter {
                Chapter::Run(run) => line(run.began, &run.to_string())?,
                Chapter::Put(put) if put.is_repeat => {
                    line(put.at, &format!("is written to the tier of {} once more, after a crash", Span(put.tier)))?;
                }
                Chapter::Put(put) => {
                    let until = put.due.map(|due| format!(" until {}", self.clock(due))).unwrap_or_default();
                    line(put.at, &format!("waits in the tier of {}{until}", Span(put.tier)))?;
                }
                Chapter::Buried(letter) => line(letter.buried(), &format!("a dead letter, {}", letter.cause()))?,
            }
        }
        write!(f, "=> {}", Told { state: &self.state(), story: self })
    }
}

/// A state, with the times of its story.
pub(super) struct Told<'a> {
    pub(super) state: &'a State,
    pub(super) story: &'a Story,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            State::Queued => f.write_str("queued"),
            State::Running => f.write_str("running"),
            State::Waiting { tier, until } => {
                match tier {
                    Some(tier) => write!(f, "waiting in the tier of {}", Span(*tier))?,
                    None => f.write_str("waiting in memory")?,
                }
                let Some(until) = *until else { return Ok(()) };
                let left = until.since(self.story.now);
                write!(f, " until {}, {} from now", self.story.clock(until), Span(left))
            }
            State::Done => f.write_str("done"),
            State::Discarded(why) => write!(f, "discarded, {why}"),
            State::Dead(cause) => write!(f, "dead, {cause}"),
        }
    }
}
