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
    /// Takes note of a letter that is settled: others of the same record are not to go back. To be told of all of them before
    /// the first is judged, since the letter that was meant before may be the later one.
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

    /// A letter that was to go back stays after all, since no topic takes it: another letter of its record may go.
    pub fn stays(&mut self, letter: &History) {
        let place = (Arc::clone(&letter.origin.topic), letter.origin.partition);
        self.letters.get_mut(&place).map(|letters| letters.remove(&name(letter)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{history::SourceTime, outcome::Cause};
    use proptest::prelude::*;

    fn letter(offset: i64, redrives: u32) -> History {
        let origin = crate::id::Origin { topic: "orders".into(), partition: 0, offset };
        let mut letter = History::new(origin, SourceTime::Create(Timestamp::from_millis(offset)));
        (letter.redrives, letter.attempts, letter.cause) = (redrives, 5, Some(Cause::Exhausted));
        letter
    }

    #[test]
    fn rule_20_letters_are_collapsed_by_origin_and_redrive_count() {
        let mut redriven = Redriven::default();
        assert_eq!(redriven.judge(&letter(1, 0), false), Fate::GoesBack);
        assert_eq!(redriven.judge(&letter(1, 0), false), Fate::Copy);
        assert_eq!(redriven.judge(&letter(2, 0), false), Fate::GoesBack);
        // It came back dead: another letter of the same record.
        assert_eq!(redriven.judge(&letter(1, 1), false), Fate::GoesBack);
        // One that an earlier operation has settled.
        redriven.settled(&letter(3, 0));
        assert_eq!(redriven.judge(&letter(3, 0), true), Fate::Copy);
        // Another record, at the same place of a topic that was made anew.
        let anew = History { time: SourceTime::Create(Timestamp::from_millis(99)), ..letter(1, 0) };
        assert_eq!(redriven.judge(&anew, false), Fate::GoesBack);
    }

    /// Else a copy would be settled by what was never sent, and the record be lost.
    #[test]
    fn of_a_letter_that_no_topic_takes_nothing_is_settled() {
        let mut redriven = Redriven::default();
        redriven.stays(&letter(1, 0));
        assert_eq!(redriven.judge(&letter(1, 0), false), Fate::GoesBack);
        assert_eq!(redriven.judge(&letter(2, 0), false), Fate::GoesBack);
        redriven.stays(&letter(1, 0));
        assert_eq!(redriven.judge(&letter(1, 0), false), Fate::GoesBack);
        assert_eq!(redriven.judge(&letter(2, 0), false), Fate::Copy);
    }

    #[test]
    fn what_comes_back_dead_again_and_again_is_not_redriven_in_a_loop_unless_forced() {
        let mut redriven = Redriven::default();
        for redrives in 0..MAX_REDRIVES {
            assert_eq!(redriven.judge(&letter(1, redrives), false), Fate::GoesBack);
        }
        assert_eq!(redriven.judge(&letter(1, MAX_REDRIVES), false), Fate::TooOften);
        assert_eq!(redriven.judge(&letter(1, MAX_REDRIVES), true), Fate::GoesBack);
        assert_eq!(redriven.judge(&letter(1, MAX_REDRIVES), false), Fate::Copy, "it went back already");
    }

    #[test]
    fn attempts_start_afresh_and_each_return_has_its_own_identity() {
        let mut letter = letter(1, 2);
        letter.replay = Some("replay-1".to_owned());
        (letter.crashes, letter.step, letter.hop) = (3, 7, 9);
        (letter.error, letter.error_kind) = (Some("no".into()), Some("bank".into()));
        let past = brought_back(&letter, "redrive-1");
        let afresh = History {
            redrives: 3,
            operation: Some("redrive-1".to_owned()),
            replay: Some("replay-1".to_owned()),
            ..History::new(letter.origin.clone(), letter.time)
        };
        assert_eq!(past, afresh);
        assert_ne!(past.identity(), brought_back(&letter, "redrive-2").identity());
    }

    proptest! {
        /// Whatever is meant, stopped and resumed in between: each record goes back once for each time that it died.
        #[test]
        fn no_letter_of_a_record_goes_back_twice_over_any_number_of_operations(
            letters in prop::collection::vec((0i64..20, 0u32..6), 0..100),
            operations in prop::collection::vec((0usize..100, prop::collection::vec(any::<bool>(), 100)), 0..5),
        ) {
            let (mut settled, mut went) = (vec![false; letters.len()], Vec::new());
            for (end, meant) in operations.into_iter().chain([(letters.len(), vec![true; 100])]) {
                let mut redriven = Redriven::default();
                let each = || letters.iter().map(|&(offset, redrives)| letter(offset, redrives)).enumerate();
                each().filter(|(index, _)| settled[*index]).for_each(|(_, letter)| redriven.settled(&letter));
                for (index, letter) in each().take(end).filter(|(index, _)| meant[*index]) {
                    if !settled[index] {
                        let fate = redriven.judge(&letter, false);
                        settled[index] = fate != Fate::TooOften;
                        went.extend((fate == Fate::GoesBack).then_some(letters[index]));
                    }
                }
            }
            let mut once: Vec<_> = letters.iter().copied().filter(|(_, redrives)| *redrives < MAX_REDRIVES).collect();
            for list in [&mut once, &mut went] {
                list.sort_unstable();
            }
            once.dedup();
            prop_assert_eq!(went, once);
        }
    }
}
