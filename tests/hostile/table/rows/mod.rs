//! The table itself: every row, as data.

mod commits;
mod forged;
mod large;
mod letters;
mod odd;

use super::{
    row::{Outcome, Place, Row, Written},
    scene::Scenes,
};
use crate::raw::Raw;

/// All rows, for the groups and topics of one run.
pub(crate) fn all(scenes: &Scenes) -> Vec<Row> {
    let parts = [
        odd::rows(&scenes.odd.group),
        letters::rows(),
        large::rows(),
        forged::rows(&scenes.tiers),
        commits::rows(),
        commits::control(&scenes.control.topic),
    ];
    parts.into_iter().flatten().collect()
}

/// The largest batch that a topic takes by default, in bytes.
const LIMIT: usize = 1_048_588;

/// The names of our headers, without `retrial-`.
pub(crate) const OWN: [&str; 18] = [
    "version",
    "group",
    "origin",
    "timestamp",
    "attempts",
    "crashes",
    "step",
    "hop",
    "due",
    "first-failed",
    "last-failed",
    "expires",
    "error-kind",
    "error",
    "cause",
    "redrives",
    "operation",
    "replay",
];

/// Bytes that are nothing: no text, no number, no time; the same in every run.
pub(crate) fn soup(length: usize) -> Vec<u8> {
    // Numerical Recipes' generator; the first bytes are no UTF-8 in any case.
    let mut state = 7_u32;
    let noise = std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((state >> 24) as u8)
    });
    [0xff, 0x00, 0xfe].into_iter().chain(noise).take(length).collect()
}

fn record(place: Place, name: impl Into<String>, record: Raw, outcome: Outcome) -> Row {
    Row { name: name.into(), place, written: Written::Record(record), outcome }
}

/// This record with a body of byte soup that fills a batch of its own to exactly so many bytes.
fn filled(empty: Raw, batch: usize) -> Raw {
    // Lengths are numbers of variable length: with a body of nearly that size they have their final one.
    let about = batch - 100;
    let frame = Raw { body: Some(vec![0; about]), ..empty.clone() }.batch_bytes() - about;
    let full = Raw { body: Some(soup(batch - frame)), ..empty };
    assert_eq!(full.batch_bytes(), batch);
    full
}
