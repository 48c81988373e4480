//! Dead letters: which there are, by groups of alike errors, one by one, and single ones in full. Nothing is changed.
//! Letters that an operator has settled are told apart from those that are open.

use super::{
    AdminError, Filter, Progress, as_text,
    filter::Source,
    fingerprint::{Fingerprint, shape},
    sift::{Sift, Sifted},
};
use crate::broker::kafka::{Found, Kafka, REFERENCE};
use retrial_core::{
    control::Settlement,
    history::{History, SourceTime, carried},
    id::Origin,
    naming::GroupNames,
    outcome::Cause,
    time::Timestamp,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
};

/// Groups that a listing keeps apart; what is beyond them is counted as [`Listing::not_grouped`]. Bounds memory.
pub const MAX_GROUPS: usize = 10_000;

/// What a dead letter has been through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Past {
    /// Where it stood first.
    #[serde(with = "as_text")]
    pub origin: Origin,
    /// Its timestamp there, and what that means.
    #[serde(with = "as_text")]
    pub source_time: SourceTime,
    /// Why it is dead.
    #[serde(with = "as_text::maybe")]
    pub cause: Option<Cause>,
    /// Kind of the last failure.
    pub kind: Option<String>,
    /// Text of the last failure.
    pub error: Option<String>,
    /// Which errors are alike.
    #[serde(with = "as_text")]
    pub fingerprint: Fingerprint,
    /// Attempts made.
    pub attempts: u32,
    /// Attempts that took the worker process down.
    pub crashes: u32,
    /// When its first attempt failed.
    #[serde(with = "as_text::maybe")]
    pub first_failed: Option<Timestamp>,
    /// When its last attempt failed.
    #[serde(with = "as_text::maybe")]
    pub last_failed: Option<Timestamp>,
    /// How often it was sent back from the dead letters before.
    pub redrives: u32,
}

impl From<History> for Past {
    fn from(history: History) -> Self {
        Self {
            fingerprint: Fingerprint::of(&history),
            origin: history.origin,
            source_time: history.time,
            cause: history.cause,
            kind: history.error_kind,
            error: history.error,
            attempts: history.attempts,
            crashes: history.crashes,
            first_failed: history.first_failed,
            last_failed: history.last_failed,
            redrives: history.redrives,
        }
    }
}

/// A dead letter in full.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The topic that it is in.
    pub topic: String,
    /// Its partition there.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// When it was buried, by the broker's clock.
    pub buried: Option<Timestamp>,
    /// What it has been through, or why that cannot be read.
    pub past: Result<Past, String>,
    /// How it was settled; `None` while it is open.
    pub settled: Option<Settlement>,
    /// Whether it only names a record that was too large, in its body.
    pub is_reference: bool,
    /// The record's key; `None` for null.
    pub key: Option<Vec<u8>>,
    /// The record's body; `None` for null.
    pub body: Option<Vec<u8>>,
    /// The headers of its user, in order; a value may be null.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl DeadLetter {
    fn new(found: &Found<'_>, past: Result<Past, String>, settled: Option<Settlement>) -> Self {
        let owned = |(name, value): (&[u8], Option<&[u8]>)| (name.to_vec(), value.map(<[u8]>::to_vec));
        Self {
            topic: found.topic().to_owned(),
            partition: found.partition(),
            offset: found.offset(),
            buried: found.time().timestamp(),
            settled,
            is_reference: past.is_ok() && found.headers().last().is_some_and(|(name, _)| name == REFERENCE.as_bytes()),
            // Own headers that cannot be read are evidence, and shown.
            headers: carried(found.headers(), past.is_ok()).map(owned).collect(),
            past,
            key: found.key().map(<[u8]>::to_vec),
            body: found.body().map(<[u8]>::to_vec),
        }
    }
}

/// Dead letters whose errors are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Group {
    /// Names the group.
    #[serde(with = "as_text")]
    pub fingerprint: Fingerprint,
    /// Why they are dead.
    #[serde(with = "as_text::maybe")]
    pub cause: Option<Cause>,
    /// Kind of the failures.
    pub kind: Option<String>,
    /// Text of the failures, with `#` for what differs.
    pub error: String,
    /// How many.
    pub count: u64,
    /// When the first was buried.
    #[serde(with = "as_text::maybe")]
    pub first: Option<Timestamp>,
    /// When the last was buried.
    #[serde(with = "as_text::maybe")]
    pub last: Option<Timestamp>,
    /// The one that was buried last.
    pub sample: Sample,
}

/// One dead letter of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sample {
    /// Where it is, as topic/partition/offset.
    pub letter: String,
    /// Where the record stood first.
    #[serde(with = "as_text")]
    pub origin: Origin,
    /// Text of its last failure.
    pub error: Option<String>,
    /// Attempts made.
    pub attempts: u32,
}

/// Which dead letters there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listing {
    /// The topic.
    pub topic: String,
    /// Letters that were looked at.
    pub scanned: u64,
    /// Letters that the filter admits and that are open.
    pub matched: u64,
    /// Letters that the filter admits and that are settled: they are in no group.
    pub settled: u64,
    /// Of those that are open, letters whose own headers cannot be read.
    pub unreadable: u64,
    /// Of those that are open, letters of groups beyond [`MAX_GROUPS`].
    pub not_grouped: u64,
    /// Whether all was looked at.
    pub complete: bool,
    /// The groups, largest first.
    pub groups: Vec<Group>,
}

/// Counts dead letters by groups of alike errors.
///
/// # Errors
/// See [`AdminError`].
pub fn list_letters(
    kafka: &Kafka,
    names: &GroupNames,
    filter: &Filter,
    progress: &mut dyn Progress,
) -> Result<Listing, AdminError> {
    let mut groups: HashMap<Fingerprint, Group> = HashMap::new();
    let mut listing = Listing { topic: names.dead_letters(), ..Listing::default() };
    let mut count = |found: &Found<'_>, history: Result<History, String>, settled: Option<Settlement>| {
        if settled.is_some() {
            listing.settled += 1;
            return ControlFlow::Continue(());
        }
        let Ok(history) = history else {
            listing.unreadable += 1;
            return ControlFlow::Continue(());
        };
        let fingerprint = Fingerprint::of(&history);
        if let Some(group) = groups.get_mut(&fingerprint) {
            group.add(found, history);
        } else if groups.len() < MAX_GROUPS {
            groups.insert(fingerprint, Group::of(fingerprint, found, history));
        } else {
            listing.not_grouped += 1;
        }
        ControlFlow::Continue(())
    };
    let Sifted { scanned, matched, complete, .. } =
        Sift::new(kafka, names, filter)?.run(&BTreeMap::new(), progress, &mut count)?;
    (listing.scanned, listing.complete) = (scanned, complete);
    listing.matched = matched.saturating_sub(listing.settled);
    listing.groups = groups.into_values().collect();
    listing.groups.sort_by(|a, b| b.count.cmp(&a.count).then(a.fingerprint.cmp(&b.fingerprint)));
    Ok(listing)
}

impl Group {
    fn of(fingerprint: Fingerprint, found: &Found<'_>, history: History) -> Self {
        let buried = found.time().timestamp();
        Self {
            fingerprint,
            cause: history.cause,
            error: shape(history.error.as_deref().unwrap_or_default()),
            kind: history.error_kind.clone(),
            count: 1,
            first: buried,
            last: buried,
            sample: Sample::of(found, history),
        }
    }

    fn add(&mut self, found: &Found<'_>, history: History) {
        let buried = found.time().timestamp();
        self.count += 1;
        self.first = [self.first, buried].into_iter().flatten().min();
        if buried >= self.last {
            self.last = buried;
            self.sample = Sample::of(found, history);
        }
    }
}

impl Sample {
    fn of(found: &Found<'_>, history: History) -> Self {
        let letter = format!("{}/{}/{}", found.topic(), found.partition(), found.offset());
        Self { letter, origin: history.origin, error: history.error, attempts: history.attempts }
    }
}

/// How a visit to dead letters ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visited {
    /// Letters that were shown.
    pub matched: u64,
    /// Whether all was looked at.
    pub complete: bool,
    /// Where each partition goes on: pass it to the next visit.
    pub next: BTreeMap<i32, i64>,
}

/// Shows each dead letter that the filter admits, in the order of each partition, up to what was there at the start.
/// `from` says where to begin in some partitions, instead of at their start.
///
/// # Errors
/// See [`AdminError`].
pub fn visit_letters(
    kafka: &Kafka,
    names: &GroupNames,
    filter: &Filter,
    from: &BTreeMap<i32, i64>,
    progress: &mut dyn Progress,
    show: &mut dyn FnMut(DeadLetter) -> ControlFlow<()>,
) -> Result<Visited, AdminError> {
    let mut take = |found: &Found<'_>, history: Result<History, String>, settled: Option<Settlement>| {
        show(DeadLetter::new(found, history.map(Past::from), settled))
    };
    let sifted = Sift::new(kafka, names, filter)?.run(from, progress, &mut take)?;
    Ok(Visited { matched: sifted.matched, complete: sifted.complete, next: sifted.next })
}

/// The dead letters of one place: the one that lies there in the dead-letter topic, or those of the record that stood
/// there first in a source topic.
///
/// # Errors
/// See [`AdminError`].
pub fn find_letters(
    kafka: &Kafka,
    names: &GroupNames,
    place: &Origin,
    progress: &mut dyn Progress,
) -> Result<Vec<DeadLetter>, AdminError> {
    let mut letters = Vec::new();
    let is_letter = *place.topic == *names.dead_letters();
    let filter = if is_letter {
        Filter::default()
    } else {
        Filter { sources: vec![Source::Record(place.clone())], ..Filter::default() }
    };
    let mut take = |found: &Found<'_>, history: Result<History, String>, settled: Option<Settlement>| {
        letters.push(DeadLetter::new(found, history.map(Past::from), settled));
        if is_letter { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let sift = Sift::new(kafka, names, &filter)?;
    if is_letter {
        sift.run_one(place.partition, place.offset, &mut take)?;
    } else {
        sift.run(&BTreeMap::new(), progress, &mut take)?;
    }
    Ok(letters)
}
