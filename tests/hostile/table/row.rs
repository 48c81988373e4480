//! A row: what is written where, and what must come of it.

use crate::{counters::Name, metadata::RECORDS, raw::Raw};
use retrial_core::snapshot::Subject;
use std::fmt;

/// One hostile thing.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) written: Written,
    pub(crate) outcome: Outcome,
}

/// Where something is written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A source topic.
    Source,
    /// A source topic that holds the dead letters of another group.
    OthersLetters,
    /// A source topic whose records are larger than the group's own topics take: an operator made those.
    LargeSource,
    /// A tier of a second.
    Tier,
    /// The way back in.
    WayBack,
    /// A dead letter of this table, back into the source it came from.
    LetterIntoSource,
    /// The same into its group's tier.
    LetterIntoTier,
    /// The same into its group's way back in.
    LetterIntoWayBack,
    /// A commit of a group for its source topic.
    Commit,
    /// A group's control topic.
    Control,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::OthersLetters => "others' letters",
            Self::LargeSource => "large source",
            Self::Tier => "tier",
            Self::WayBack => "way back",
            Self::LetterIntoSource => "letter > source",
            Self::LetterIntoTier => "letter > tier",
            Self::LetterIntoWayBack => "letter > 0s",
            Self::Commit => "commit",
            Self::Control => "control",
        })
    }
}

/// What a group committed when it left one record of a partition unfinished.
pub(crate) struct Former<'a> {
    /// The metadata of each partition.
    pub(crate) all: &'a [String],
    /// Of the row's own partition.
    pub(crate) own: &'a str,
    /// What the row's commit will belong to.
    pub(crate) subject: Subject<'a>,
}

/// What is written.
pub(crate) enum Written {
    /// This record.
    Record(Raw),
    /// The dead letter of the row of this name.
    LetterOf(&'static str),
    /// This offset with this metadata.
    Commit(i64, fn(&Former<'_>) -> Vec<u8>),
}

/// What must come of it, while its neighbours before and after are handled exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Attempts 1 (fails) and 2 (refused) see it as it is, and tier and dead letters carry it byte for byte.
    Carried,
    /// A dead letter that tells where it is, with or without its key and its headers.
    ByReference { key: bool, headers: bool },
    /// Done, at the attempt of this number and no other.
    Handled(u32),
    /// Attempt of this number is made, and refused: another dead letter.
    RefusedAgain(u32),
    /// Written twice: it is done once, at the attempt of this number, and what repeats it is dropped.
    HandledOnce(u32),
    /// Written twice: one attempt of this number is made, and refused, and what repeats it is dropped.
    RefusedOnce(u32),
    /// A dead letter, whole, with the cause `undecodable` and these words in its error.
    Undecodable(&'static str),
    /// A dead letter with this cause and this many attempts, without a further attempt that succeeds.
    Dead(&'static str, u32),
    /// It goes on waiting in the tier of half a minute, as it is.
    Hops,
    /// The metadata is told and not used: everything from the offset on is handled.
    Distrusted,
    /// The metadata is used: the one unfinished record is handled, and no other.
    Trusted,
    /// There is nothing to distrust: everything from the offset on is handled.
    Plain,
    /// The offset cannot be: that is told, and everything there is is handled.
    Cut,
    /// The control record is told and skipped.
    Skipped,
}

/// Of records of a source topic that were done.
pub(crate) fn done(topic: &str) -> Name {
    Name::new("records_total", &[("topic", topic), ("outcome", "done")])
}

impl Row {
    /// The counters that it moves, by how much. `topic` is the source topic.
    pub(crate) fn counters(&self, topic: &str) -> Vec<(Name, u64)> {
        let mut counters: Vec<(Name, u64)> = self.outcome.counters(topic).into_iter().map(|name| (name, 1)).collect();
        if let Written::Commit(offset, _) = self.written {
            let handled = match self.outcome {
                Outcome::Trusted => 1,
                Outcome::Cut => RECORDS,
                _ => RECORDS - offset,
            };
            counters.push((done(topic), handled.unsigned_abs()));
        }
        counters
    }
}

impl Outcome {
    /// How often its row is written.
    pub(crate) const fn times(&self) -> usize {
        if matches!(self, Self::HandledOnce(_) | Self::RefusedOnce(_)) { 2 } else { 1 }
    }

    fn counters(&self, topic: &str) -> Vec<Name> {
        let attempts = |result: &str| Name::new("attempts_total", &[("topic", topic), ("result", result)]);
        let dead = |topic: &str, cause| Name::new("dead_letters_total", &[("topic", topic), ("cause", cause)]);
        let of_topic = |name| Name::new(name, &[("topic", topic)]);
        match self {
            Self::Carried => vec![dead(topic, "refused"), attempts("retry"), attempts("dead")],
            Self::ByReference { .. } => vec![dead(topic, "refused"), attempts("retry")],
            Self::Handled(_) => vec![done(topic)],
            Self::RefusedAgain(_) => vec![dead(topic, "refused"), attempts("dead")],
            Self::HandledOnce(_) => vec![Name::new("redone_records_total", &[]), done(topic)],
            Self::RefusedOnce(_) => {
                vec![Name::new("redone_records_total", &[]), dead(topic, "refused"), attempts("dead")]
            }
            Self::Undecodable(_) => vec![dead("unknown", "undecodable")],
            Self::Dead(cause @ "exhausted", _) => vec![dead(topic, cause), attempts("retry")],
            Self::Dead(cause, _) => vec![dead(topic, cause)],
            Self::Hops => vec![Name::new("hops_total", &[("tier", "30s")])],
            Self::Distrusted => vec![of_topic("commit_metadata_ignored_total")],
            Self::Cut => vec![Name::new("restarted_partitions_total", &[("topic", topic), ("cause", "cut")])],
            Self::Trusted | Self::Plain => Vec::new(),
            Self::Skipped => vec![Name::new("control_skipped_total", &[])],
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Carried => f.write_str("attempts 1, 2; dead letter (refused), byte for byte"),
            Self::ByReference { .. } => f.write_str("attempt 1; dead letter (too large) by reference"),
            Self::Handled(attempt) => write!(f, "handled, attempt {attempt}"),
            Self::RefusedAgain(attempt) => write!(f, "attempt {attempt}; dead letter (refused)"),
            Self::HandledOnce(attempt) => write!(f, "handled, attempt {attempt}; repeat dropped"),
            Self::RefusedOnce(attempt) => write!(f, "attempt {attempt}; dead letter (refused); repeat dropped"),
            Self::Undecodable(_) => f.write_str("dead letter (undecodable), whole"),
            Self::Dead(cause, attempts) => write!(f, "dead letter ({cause}), attempts {attempts}"),
            Self::Hops => f.write_str("waits on in the tier of 30 s"),
            Self::Distrusted => f.write_str("said and not used; nothing skipped"),
            Self::Trusted => f.write_str("used; only what is unfinished runs"),
            Self::Plain => f.write_str("nothing to use; nothing skipped"),
            Self::Cut => f.write_str("said; everything there is runs"),
            Self::Skipped => f.write_str("said and skipped"),
        }
    }
}
