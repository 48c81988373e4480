//! What judges are given.

use std::collections::BTreeMap;

use retrial::Cause;

use crate::{
    clock::Micros,
    crew::Desertion,
    faults::Fault,
    ledger::Entry,
    place::{Log, Place, Source},
    work::End,
};

/// A record of a source topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Produced {
    pub(crate) number: u64,
    pub(crate) key: u64,
    pub(crate) end: End,
    /// When the broker appended it, in milliseconds.
    pub(crate) stamp: i64,
}

/// A record of a tier, or a dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub(crate) place: Place,
    /// When the broker appended it, in milliseconds.
    pub(crate) stamp: i64,
    pub(crate) number: u64,
    /// Equal for two writes of the same forward, and for no others.
    pub(crate) identity: u64,
    /// Attempts made before it.
    pub(crate) attempts: u32,
    /// In milliseconds.
    pub(crate) due: Option<i64>,
    pub(crate) cause: Option<Cause>,
}

/// A run, seen from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// The group's session timeout.
    pub(crate) session: Micros,
    /// What lies in the source topics.
    pub(crate) produced: BTreeMap<Place, Produced>,
    /// Numbers that the producer saw acknowledged.
    pub(crate) acknowledged: Vec<u64>,
    /// What lies in the tiers and among the dead letters.
    pub(crate) forwards: Vec<Forward>,
    /// The lines of all ledgers, of each worker in their order.
    pub(crate) entries: Vec<Entry>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) desertions: Vec<Desertion>,
    /// Lines of logs in which a worker says of itself that something was lost.
    pub(crate) complaints: Vec<String>,
    pub(crate) restless: Option<String>,
}

impl Evidence {
    /// The source topic of each number, and what lies there.
    pub(crate) fn by_number(&self) -> BTreeMap<u64, (Source, &Produced)> {
        let known = self.produced.iter().filter_map(|(place, produced)| match place.log {
            Log::Source(source) => Some((produced.number, (source, produced))),
            Log::Tier(_) | Log::Letters => None,
        });
        known.collect()
    }
}
