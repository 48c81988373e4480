//! The topics of the world: what their logs hold, and what the group committed.

use super::script::GROUP;
use retrial_core::{
    event::Payload,
    event::{Committed, LogRange},
    history::{History, SourceTime},
    id::Origin,
    time::Timestamp,
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// A partition of the world, by its place in [`PLACES`].
pub(super) type Place = usize;

/// Topic, partition, and the tier's delay in seconds.
pub(super) const PLACES: [(&str, i32, Option<u64>); 7] = [
    ("orders", 0, None),
    ("orders", 1, None),
    ("mails", 0, None),
    ("billing.retry.5s", 0, Some(5)),
    ("billing.retry.1m", 0, Some(60)),
    // Of a ladder that was configured once.
    ("billing.retry.30s", 0, Some(30)),
    ("billing.retry.0s", 0, Some(0)),
];

pub(super) const SOURCES: usize = 3;

pub(super) fn place_of_tier(delay: Duration) -> Option<Place> {
    PLACES.iter().position(|(.., tier)| tier.map(Duration::from_secs) == Some(delay))
}

/// A record as the engine holds it.
#[derive(Clone, Debug)]
pub(super) struct Rec {
    pub(super) place: Place,
    pub(super) at: i64,
    /// Which reading of the log delivered it; see `View::reading`.
    pub(super) reading: u32,
    /// The same for all copies of a record, through all tiers.
    pub(super) lineage: u64,
    /// Counts the records that somebody holds.
    pub(super) _held: Rc<()>,
}

impl Payload for Rec {
    fn time(&self) -> SourceTime {
        SourceTime::None
    }
}

/// What the headers of a tier's record say.
#[derive(Clone, Debug)]
pub(super) enum Headers {
    None,
    Unreadable,
    Known(Arc<History>),
}

/// A record in a log.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) offset: i64,
    pub(super) epoch: i32,
    pub(super) lineage: u64,
    pub(super) key: u64,
    pub(super) headers: Headers,
    pub(super) appended: Timestamp,
}

/// One partition's log and the group's offset in it.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) epoch: i32,
    pub(super) committed: Option<Committed>,
    /// The commit before that one.
    pub(super) before: Option<Committed>,
}

impl Log {
    pub(super) fn range(&self) -> LogRange {
        LogRange { start: self.start, end: self.end }
    }

    pub(super) fn append(&mut self, gap: i64, lineage: u64, key: u64, headers: Headers, appended: Timestamp) {
        let offset = self.end + gap;
        self.entries.push(Entry { offset, epoch: self.epoch, lineage, key, headers, appended });
        self.end = offset + 1;
    }

    /// Whether the group's offset lies in a part of the log that was cut off. New records there would be passed over,
    /// which only the broker's leader epochs can tell; they are not in this world until the group has noticed.
    pub(super) fn waits_for_the_group(&self) -> bool {
        [&self.committed, &self.before].into_iter().flatten().any(|committed| committed.offset > self.end)
    }

    /// The last records are gone; what is written now is of another epoch.
    pub(super) fn cut(&mut self, records: usize) {
        let kept = self.entries.len().saturating_sub(records);
        if let Some(first) = self.entries.get(kept) {
            self.end = first.offset;
        }
        self.entries.truncate(kept);
        self.epoch += 1;
    }

    /// The first records below an offset are gone.
    pub(super) fn retain_from(&mut self, offset: i64) {
        self.entries.retain(|entry| entry.offset >= offset);
        self.start = self.start.max(offset);
    }

    pub(super) fn commit(&mut self, committed: Committed) {
        self.before = self.committed.replace(committed);
    }
}

/// Where a record stood first, as its headers must say.
pub(super) fn origin_of(place: Place, offset: i64, headers: &Headers) -> Origin {
    match headers {
        Headers::Known(history) => history.origin.clone(),
        Headers::None | Headers::Unreadable => {
            let (topic, partition, _) = PLACES[place];
            Origin { topic: topic.into(), partition, offset }
        }
    }
}

/// The identity of a committed snapshot in this place.
pub(super) fn subject(place: Place, offset: i64) -> retrial_core::snapshot::Subject<'static> {
    let (topic, partition, _) = PLACES[place];
    retrial_core::snapshot::Subject { group: GROUP, topic, topic_id: None, partition, offset }
}
