//! What an operator did or does, and how far it is.

use super::{
    ControlError, TopicId,
    text::{Lines, lines, read_id, spell_id},
};
use crate::{outcome::plain, time::Timestamp};
use std::{fmt, str::FromStr};

/// Longest texts of people, in bytes.
const MAX_TEXT: usize = 1024;

/// What kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Dead letters go back to work.
    Redrive,
    /// Dead letters are settled without work.
    Discard,
    /// Past records of source topics go to work again.
    Replay,
}

/// How an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum State {
    /// It goes on, or whoever carried it out is gone: the claim tells.
    Running,
    /// It was ended before its end, and can be resumed.
    Stopped,
    /// All of it was done.
    Done,
}

/// Each value with its word.
const KINDS: [(Kind, &str); 3] = [(Kind::Redrive, "redrive"), (Kind::Discard, "discard"), (Kind::Replay, "replay")];
const STATES: [(State, &str); 3] = [(State::Running, "running"), (State::Stopped, "stopped"), (State::Done, "done")];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS[*self as usize].1)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STATES[*self as usize].1)
    }
}

impl FromStr for Kind {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        KINDS.iter().find(|(_, word)| *word == text).map(|(kind, _)| *kind).ok_or(ControlError::Damaged)
    }
}

impl FromStr for State {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        STATES.iter().find(|(_, word)| *word == text).map(|(state, _)| *state).ok_or(ControlError::Damaged)
    }
}

/// One partition of an operation: from an offset up to, and without, another. The end is fixed by the plan, so that what
/// an operation causes is never a part of it (RULES 20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The topic that is read.
    pub topic: String,
    /// Which topic of that name.
    pub topic_id: TopicId,
    /// Its partition.
    pub partition: i32,
    /// Where it begins.
    pub from: i64,
    /// Below is done.
    pub next: i64,
    /// Where it ends.
    pub end: i64,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, topic_id, partition, from, next, end } = self;
        write!(f, "{} {partition} {from} {next} {end} {topic}", spell_id(*topic_id))
    }
}

impl FromStr for Span {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        let parse = || {
            let mut words = text.splitn(6, ' ');
            let span = Self {
                topic_id: read_id(words.next()?)?,
                partition: words.next()?.parse().ok()?,
                from: words.next()?.parse().ok()?,
                next: words.next()?.parse().ok()?,
                end: words.next()?.parse().ok()?,
                topic: words.next()?.to_owned(),
            };
            let in_order = 0 <= span.from && span.from <= span.next && span.next <= span.end && span.partition >= 0;
            in_order.then_some(span)
        };
        parse().ok_or(ControlError::Damaged)
    }
}

/// What an operation came to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records written to the way back in.
    pub sent: u64,
    /// Dead letters settled.
    pub settled: u64,
    /// Records that were meant and left as they are: no longer there, too large, or dead again too often.
    pub left: u64,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name, which records that it brings back carry as `retrial-operation`.
    pub id: String,
    /// What kind it is.
    pub kind: Kind,
    /// Who began it.
    pub who: String,
    /// When it began, by the operator's clock.
    pub began: Timestamp,
    /// When this was written, by the operator's clock.
    pub changed: Timestamp,
    /// How it stands.
    pub state: State,
    /// How many records its plan means to send or settle.
    pub planned: u64,
    /// What it came to so far.
    pub counts: Counts,
    /// Batches written so far. Tells whether one whose fate was in doubt was written.
    pub batches: u64,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// Why it stopped.
    pub note: Option<String>,
    /// What is meant, and how: one line in the form of whoever carries it out, JSON as it is.
    pub request: String,
    /// Each partition with its progress.
    pub spans: Vec<Span>,
}

impl Operation {
    /// As the control topic holds it. Texts are cut and their control characters escaped; line ends in the request become
    /// spaces.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut lines = Lines::new();
        lines.line("kind", self.kind);
        lines.line("who", plain(&self.who, MAX_TEXT));
        lines.line("began", self.began);
        lines.line("changed", self.changed);
        lines.line("state", self.state);
        lines.line("planned", self.planned);
        lines.line("sent", self.counts.sent);
        lines.line("settled", self.counts.settled);
        lines.line("left", self.counts.left);
        lines.line("batches", self.batches);
        lines.maybe("reason", self.reason.as_deref().map(|reason| plain(reason, MAX_TEXT)));
        lines.maybe("note", self.note.as_deref().map(|note| plain(note, MAX_TEXT)));
        lines.line("request", &self.request);
        self.spans.iter().for_each(|span| lines.line("span", span));
        lines.end()
    }

    /// Reads what [`Operation::encode`] writes, and nothing else.
    ///
    /// # Errors
    /// It is of a later version, or something else.
    pub fn decode(id: &str, value: &[u8]) -> Result<Self, ControlError> {
        let mut operation = Self {
            id: id.to_owned(),
            kind: Kind::Redrive,
            who: String::new(),
            began: Timestamp::default(),
            changed: Timestamp::default(),
            state: State::Running,
            planned: 0,
            counts: Counts::default(),
            batches: 0,
            reason: None,
            note: None,
            request: String::new(),
            spans: Vec::new(),
        };
        for (name, text) in lines(value)? {
            operation.set(name, text).ok_or(ControlError::Damaged)?;
        }
        // What was left out, came twice, or is spelt otherwise does not come out the same.
        if operation.encode().as_bytes() == value { Ok(operation) } else { Err(ControlError::Damaged) }
    }

    fn set(&mut self, name: &str, text: &str) -> Option<()> {
        match name {
            "kind" => self.kind = text.parse().ok()?,
            "who" => text.clone_into(&mut self.who),
            "began" => self.began = text.parse().ok()?,
            "changed" => self.changed = text.parse().ok()?,
            "state" => self.state = text.parse().ok()?,
            "planned" => self.planned = text.parse().ok()?,
            "sent" => self.counts.sent = text.parse().ok()?,
            "settled" => self.counts.settled = text.parse().ok()?,
            "left" => self.counts.left = text.parse().ok()?,
            "batches" => self.batches = text.parse().ok()?,
            "reason" => self.reason = Some(text.to_owned()),
            "note" => self.note = Some(text.to_owned()),
            "request" => text.clone_into(&mut self.request),
            "span" => self.spans.push(text.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    /// Offsets that are behind, of so many.
    #[must_use]
    pub fn offsets(&self) -> (u64, u64) {
        let distance = |from: i64, to: i64| to.saturating_sub(from).max(0).unsigned_abs();
        self.spans.iter().fold((0, 0), |(done, all), span| {
            (done + distance(span.from, span.next), all + distance(span.from, span.end))
        })
    }
}
