//! Dead letters: those of another group as a source, and our own, brought back by hand.

use super::{OWN, record, soup};
use crate::{
    forward::{forwarded, with},
    raw::Raw,
    table::row::{Outcome, Place, Row, Written},
};

/// A dead letter as another group wrote it.
fn of_another() -> Raw {
    let letter = forwarded("another", "elsewhere/3/99", "a letter").header("retrial-cause", "refused");
    letter.header("__dlq.errors.topic", "elsewhere").header("__dlq.errors.message", "no")
}

pub(super) fn rows() -> Vec<Row> {
    let soups = OWN.iter().map(|own| {
        let name = format!("byte soup in its retrial-{own}");
        (name, with(&of_another(), &format!("retrial-{own}"), soup(64)))
    });
    let kafka = with(&of_another(), "__dlq.errors.message", soup(64));
    let by_reference = of_another().header("retrial-reference", "elsewhere/3/99");
    let others = [
        ("as another group wrote it".to_owned(), of_another()),
        ("byte soup in its __dlq.errors.message".to_owned(), kafka),
        ("by reference".to_owned(), by_reference),
    ];
    let others = others.into_iter().chain(soups);
    let others = others.map(|(name, letter)| record(Place::OthersLetters, name, letter, Outcome::Carried));
    others.chain(brought_back()).collect()
}

fn brought_back() -> impl Iterator<Item = Row> {
    [
        (Place::LetterIntoSource, "into the source, as a record", Written::LetterOf("a null key"), Outcome::Carried),
        (Place::LetterIntoTier, "into the tier", Written::LetterOf("an empty key"), Outcome::RefusedAgain(3)),
        (Place::LetterIntoTier, "into the tier, twice", Written::LetterOf("a tombstone"), Outcome::RefusedOnce(3)),
        (
            Place::LetterIntoWayBack,
            "into the way back in",
            Written::LetterOf("an empty body"),
            Outcome::RefusedAgain(3),
        ),
    ]
    .into_iter()
    .map(|(place, name, written, outcome)| Row { name: name.into(), place, written, outcome })
}
