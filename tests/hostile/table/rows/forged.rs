//! Records in a group's own tiers that retrial did not write, or whose headers lie.

use super::{LIMIT, OWN, filled, record, soup};
use crate::{
    forward::{forwarded, with, without},
    raw::Raw,
    table::{
        row::{Outcome, Place, Row},
        scene::Scene,
    },
};

/// The largest number that a header of ours can hold.
const MOST: &str = "4294967295";

const LONG_AGO: &str = "1970-01-01T00:00:00.000Z";
const FAR_AHEAD: &str = "2126-11-22T10:00:00.000Z";

/// The last millisecond that a time can name, as we write it.
const LAST: &str = "9223372036854775807";

/// Forged records with an origin of their own each.
struct Forge<'a> {
    scene: &'a Scene,
    made: i64,
}

impl Forge<'_> {
    /// One that retrial would have written.
    fn good(&mut self) -> Raw {
        self.made += 1;
        forwarded(&self.scene.group, &format!("{}/0/{}", self.scene.topic, self.made), "forged")
    }

    fn with(&mut self, name: &str, value: impl Into<Vec<u8>>) -> Raw {
        with(&self.good(), name, value)
    }
}

pub(super) fn rows(scene: &Scene) -> Vec<Row> {
    let mut forge = Forge { scene, made: 0 };
    let mut rows: Vec<Row> = Vec::new();
    for place in [Place::Tier, Place::WayBack] {
        rows.extend(unreadable(&mut forge, place));
        rows.extend(missing(&mut forge, place));
    }
    rows.extend(lies(&mut forge));
    rows.extend(numbers(&mut forge));
    rows.extend(times(&mut forge));
    rows.extend(odd(&mut forge));
    rows
}

/// Byte soup in each header of ours.
fn unreadable(forge: &mut Forge<'_>, place: Place) -> Vec<Row> {
    let row = |own: &str| {
        let (header, error) = match own {
            "group" => ("retrial-group".to_owned(), "another group"),
            _ => (format!("retrial-{own}"), "is not"),
        };
        let forged = forge.with(&header, soup(40));
        record(place, format!("byte soup in {header}"), forged, Outcome::Undecodable(error))
    };
    OWN.map(row).into()
}

/// Each header of ours that must be there, away.
fn missing(forge: &mut Forge<'_>, place: Place) -> Vec<Row> {
    let own = ["version", "group", "origin", "timestamp", "attempts", "crashes", "step", "hop", "redrives"];
    let row = |own: &str| {
        let forged = without(&forge.good(), &format!("retrial-{own}"));
        let error = if own == "version" { "retrial-version" } else { "is missing" };
        record(place, format!("without retrial-{own}"), forged, Outcome::Undecodable(error))
    };
    own.map(row).into()
}

/// Headers that can be read, and are wrong.
fn lies(forge: &mut Forge<'_>) -> Vec<Row> {
    let (group, none) = (Outcome::Undecodable("another group"), Outcome::Undecodable("retrial-version"));
    let bad = |name: &'static str| Outcome::Undecodable(name);
    let twice = |record: Raw, name: &str| record.header(name, "0");
    let elsewhere = "of-another-build/3/99";
    let long = vec![b'x'; 100 << 10];
    let whole = vec![b'x'; 900 << 10];
    // A service makes its tiers this much larger than a source topic with the default limit.
    let full = filled(Raw::new("").key("key"), LIMIT + 4096);
    [
        ("no headers at all", Raw::new("a").key("key"), none.clone()),
        ("as large as the tier takes, not ours", full, none.clone()),
        ("nothing at all", Raw { time: 0, ..Raw::default() }, none),
        ("of another group", forge.with("retrial-group", "another"), group),
        ("of a later version", forge.with("retrial-version", "2"), bad("says 2")),
        ("of version 0", forge.with("retrial-version", "0"), bad("retrial-version")),
        (
            "of a version past every number",
            forge.with("retrial-version", "99999999999999999999"),
            bad("retrial-version"),
        ),
        ("an origin below zero", forge.with("retrial-origin", "orders/-1/0"), bad("retrial-origin")),
        (
            "an origin past every offset",
            forge.with("retrial-origin", "orders/0/9223372036854775808"),
            bad("retrial-origin"),
        ),
        ("an origin that is no topic", forge.with("retrial-origin", "../0/0"), bad("retrial-origin")),
        ("an origin that nobody handles", forge.with("retrial-origin", elsewhere), Outcome::Hops),
        ("attempts below zero", forge.with("retrial-attempts", "-1"), bad("retrial-attempts")),
        ("attempts past every number", forge.with("retrial-attempts", "4294967296"), bad("retrial-attempts")),
        ("attempts with a leading zero", forge.with("retrial-attempts", "01"), bad("retrial-attempts")),
        ("a header of ours twice", twice(forge.good(), "retrial-attempts"), bad("retrial-attempts")),
        ("another header of ours twice", twice(forge.good(), "retrial-group"), bad("retrial-group")),
        ("a header of ours null", forge.good().null_header("retrial-error"), bad("retrial-error")),
        ("a header of ours of 100 KiB", forge.good().header("retrial-error", long), bad("retrial-error")),
        ("a header of ours of 900 KiB", forge.good().header("retrial-cause", whole), bad("retrial-cause")),
        ("a cause that is none", forge.good().header("retrial-cause", "bad luck"), bad("retrial-cause")),
    ]
    .map(|(name, forged, outcome)| record(Place::Tier, name, forged, outcome))
    .into()
}

/// Numbers at their ends.
fn numbers(forge: &mut Forge<'_>) -> Vec<Row> {
    let handled = Outcome::Handled;
    let last = format!("{}/0/{}", forge.scene.topic, i64::MAX);
    let far = format!("{}/{}/0", forge.scene.topic, i32::MAX);
    let spent = with(&forge.with("retrial-attempts", MOST), "retrial-step", MOST);
    [
        ("attempts 0", forge.with("retrial-attempts", "0"), handled(1)),
        ("attempts at their end", forge.with("retrial-attempts", MOST), handled(u32::MAX)),
        ("the step at its end", forge.with("retrial-step", MOST), handled(2)),
        ("crashes at their end", forge.with("retrial-crashes", MOST), handled(2)),
        ("the hop at its end", forge.with("retrial-hop", MOST), handled(2)),
        ("redrives at their end", forge.with("retrial-redrives", MOST), handled(2)),
        ("the last offset as origin", forge.with("retrial-origin", last), handled(2)),
        ("the last partition as origin", forge.with("retrial-origin", far), handled(2)),
        (
            "all at their end, and it fails",
            Raw { body: Some(b"fails".into()), ..spent },
            Outcome::Dead("exhausted", u32::MAX),
        ),
    ]
    .map(|(name, forged, outcome)| record(Place::Tier, name, forged, outcome))
    .into()
}

fn times(forge: &mut Forge<'_>) -> Vec<Row> {
    let later = forge.with("retrial-hop", MOST).header("retrial-due", FAR_AHEAD);
    let first = format!("create {}", i64::MIN);
    [
        (Place::Tier, "due long ago", forge.with("retrial-due", LONG_AGO), Outcome::Handled(2)),
        (Place::Tier, "due in a hundred years", forge.with("retrial-due", FAR_AHEAD), Outcome::Hops),
        (Place::Tier, "due then, the hop at its end", later, Outcome::Hops),
        (Place::Tier, "due at the last millisecond", forge.with("retrial-due", LAST), Outcome::Hops),
        (Place::WayBack, "due in a hundred years", forge.with("retrial-due", FAR_AHEAD), Outcome::Hops),
        (Place::Tier, "expired long ago", forge.with("retrial-expires", LONG_AGO), Outcome::Dead("expired", 1)),
        (Place::WayBack, "expired long ago", forge.with("retrial-expires", LONG_AGO), Outcome::Dead("expired", 1)),
        (Place::Tier, "expires at the last millisecond", forge.with("retrial-expires", LAST), Outcome::Handled(2)),
        (Place::Tier, "a time before all others", forge.with("retrial-timestamp", first), Outcome::Handled(2)),
        (Place::Tier, "a time that is none", forge.with("retrial-timestamp", "none"), Outcome::Handled(2)),
    ]
    .map(|(place, name, forged, outcome)| record(place, name, forged, outcome))
    .into()
}

/// Forwards that are in order, of records that are odd.
fn odd(forge: &mut Forge<'_>) -> Vec<Row> {
    let older = forge.good();
    let users = Raw { headers: [older.headers.clone(), forge.good().headers].concat(), ..older };
    let thousand = (0..1000).fold(Raw::new("many"), |record, n| record.header(format!("h{n}"), "v"));
    let thousand = Raw { headers: [thousand.headers, forge.good().headers].concat(), ..thousand };
    let large = forge.good().header("large", soup(900 << 10));
    let handled = || Outcome::Handled(2);
    [
        ("a tombstone", Raw { body: None, key: None, ..forge.good() }, handled()),
        ("a body of byte soup", Raw { body: Some(soup(64 << 10)), ..forge.good() }, handled()),
        ("a thousand headers", thousand, handled()),
        ("a header of 900 KiB", large, handled()),
        ("a whole block of ours before ours", users, handled()),
        ("byte soup in a header that is not ours yet", forge.with("retrial-later", soup(40)), handled()),
        ("byte soup in Kafka's own headers", forge.with("__dlq.errors.topic", soup(40)), handled()),
        ("written twice", forge.good(), Outcome::HandledOnce(2)),
    ]
    .map(|(name, forged, outcome)| record(Place::Tier, name, forged, outcome))
    .into()
}
