//! Which dead letters go back to work.
//!
//! # Invariants
//! 1. Of several letters of one record that was redriven equally often, one goes back, ever (RULES 16, 20): a forward that
//!    was written twice makes two letters, and both must not become work.
//! 2. What an operation sends back, and dies again, is redriven once more often: it is another letter.
//! 3. A record that came back dead [`MAX_REDRIVES`] times goes back only if the operator insists.

use crate::{history::History, time::Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// A record that was redriven so often, and is dead, is not redriven again unless forced.
pub const MAX_REDRIVES: u32 = 3;

/// What becomes of a dead letter that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes back to work.
    GoesBack,
    /// It is settled without work: another letter of the same record went back.
    Copy,
    /// It stays: it was redriven, and died, too often.
    TooOften,
}

/// What tells letters of one record apart from those of another; the record's own time is part of it, since where a log was cut, or a
/// topic made anew, another record stands at the same place.
type Letter = (i64, Option<Timestamp>, u32);

/// Knows which letters went back.
#[derive(Clone, Debug, Default)]
pub struct Redriven {
    letters: BTreeMap<(Arc<str>, i32), hashbrown::HashSet<Letter, foldhash::fast::FixedState>>,
}

impl Redriven {
    /// Takes note of a letter that is settled: others of the same record are not to go back.
    pub fn settled(&mut self, letter: &History) {
        self.note(letter);
    }

    /// Decides about a letter that is meant and not settled. One that goes back, or is a copy, is settled by it.
    pub fn judge(&mut self, letter: &History, force: bool) -> Fate {
        if self.knows(letter) {
            return Fate::Copy;
        }
        if letter.redrives >= MAX_REDRIVES && !force {
            return Fate::TooOften;
        }
        self.note(letter);
        Fate::GoesBack
    }

    fn knows(&self, letter: &History) -> bool {
        let place = (Arc::clone(&letter.origin.topic), letter.origin.partition);
        self.letters.get(&place).is_some_and(|letters| letters.contains(&name(letter)))
    }

    fn note(&mut self, letter: &History) {
        let place = (Arc::clone(&letter.origin.topic), letter.origin.partition);
        self.letters.entry(place).or_default().insert(name(letter));
    }
}

fn name(letter: &History) -> Letter {
    (letter.origin.offset, letter.time.timestamp(), letter.redrives)
}

/// The past with which a dead letter goes back: its attempts start afresh, and it says how often it was redriven, and by
/// which operation last.
///
/// ```
/// use retrial_core::{history::{History, SourceTime}, outcome::Cause, redrive::brought_back};
///
/// let mut letter = History::new("orders/3/184467".parse()?, SourceTime::None);
/// (letter.attempts, letter.cause) = (16, Some(Cause::Exhausted));
/// let past = brought_back(&letter, "redrive-1");
/// assert_eq!((past.attempts, past.redrives, past.cause), (0, 1, None));
/// assert_eq!(past.operation.as_deref(), Some("redrive-1"));
/// # Ok::<(), retrial_core::id::OriginError>(())
/// ```
#[must_use]
pub fn brought_back(letter: &History, operation: &str) -> History {
    let mut past = History::new(letter.origin.clone(), letter.time);
    past.redrives = letter.redrives.saturating_add(1);
    past.operation = Some(operation.to_owned());
    past.replay.clone_from(&letter.replay);
    past
}
