//! Finds the records of a key, and tells each one's story.

use super::{
    Story,
    evidence::{Evidence, Seen, Wanted},
};
use crate::{
    admin::{AdminError, Progress},
    broker::kafka::{Ends, Found, Kafka, Next, Operator, Place, Range, Visitor},
};
use retrial_core::{
    event::LogRange,
    history::{History, SourceTime},
    id::Origin,
    naming::GroupNames,
    time::Timestamp,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
};

/// Which records are meant: those with this key, within these bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeySearch {
    /// The key.
    pub key: Vec<u8>,
    /// The source topics; none for those that the group has committed.
    pub topics: Vec<String>,
    /// Of this time or later, as the source topic has it.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// At most so many, the youngest; at least one.
    pub limit: usize,
}

impl KeySearch {
    /// All records of a key in all topics of the group; the 100 youngest of them.
    #[must_use]
    pub fn of(key: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), topics: Vec::new(), since: None, until: None, limit: 100 }
    }

    fn admits_time(&self, time: SourceTime) -> bool {
        let time = time.timestamp();
        self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until))
    }

    /// Whether a record in one of the group's own topics is meant, by what it says of its first place.
    pub(super) fn admits(&self, key: Option<&[u8]>, history: &History) -> bool {
        key == Some(&*self.key)
            && self.topics.iter().any(|topic| **topic == *history.origin.topic)
            && self.admits_time(history.time)
    }

    /// Looks for the key in these logs; also says how many records have it, and whether all was looked at.
    pub(super) fn run(
        &self,
        operator: &Operator,
        logs: &BTreeMap<Place, LogRange>,
        progress: &mut dyn Progress,
    ) -> Result<(HashMap<Origin, Seen>, u64, bool), AdminError> {
        let places: Vec<Place> = logs.keys().cloned().collect();
        // Where producers set the time it need not rise with offsets; but none before the first of it is late enough.
        let since = self.since.map(|since| operator.first_since(&places, since)).transpose()?;
        let range = |(place, log): (&Place, &LogRange)| {
            let first = since.as_ref().map_or(log.start, |since| since.get(place).copied().unwrap_or(log.end));
            Range { place: place.clone(), from: first.max(log.start), to: log.end }
        };
        let mut seeker = Seeker { search: self, progress, found: Vec::new(), matched: 0 };
        let complete = operator.scan(logs.iter().map(range).collect(), Ends::AtTheirEnd, &mut seeker)?;
        seeker.keep_youngest();
        Ok((seeker.found.into_iter().collect(), seeker.matched, complete))
    }
}

struct Seeker<'s> {
    search: &'s KeySearch,
    progress: &'s mut dyn Progress,
    found: Vec<(Origin, Seen)>,
    matched: u64,
}

impl Seeker<'_> {
    fn keep_youngest(&mut self) {
        // The youngest first; of one time, that which was written last.
        self.found
            .sort_by_key(|(record, seen)| std::cmp::Reverse((seen.time.timestamp(), record.partition, record.offset)));
        self.found.truncate(self.search.limit.max(1));
    }
}

impl Visitor for Seeker<'_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        if found.key() == Some(&*self.search.key) && self.search.admits_time(found.time()) {
            let record = Origin { topic: found.topic().into(), partition: found.partition(), offset: found.offset() };
            self.matched += 1;
            self.found.push((record, Seen::of(found)));
            if self.found.len() >= self.search.limit.max(1).saturating_mul(2) {
                self.keep_youngest();
            }
        }
        Next::More
    }

    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.progress.advanced(done, of)
    }
}

/// What became of the records of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stories {
    /// The source topics that were looked at.
    pub topics: Vec<String>,
    /// How many of their records are meant, also beyond those that are told of.
    pub matched: u64,
    /// Whether the source topics were looked at to their ends.
    pub complete: bool,
    /// Their stories, the oldest first; also of records that their source topic has forgotten and a topic of the
    /// group's own has not.
    pub stories: Vec<Story>,
}

impl Stories {
    /// One story, of a record that was asked for by its place.
    #[must_use]
    pub fn of(story: Story) -> Self {
        Self { topics: vec![story.record.topic.to_string()], matched: 1, complete: true, stories: vec![story] }
    }
}

/// Tells the stories of the records of a key. Reads the source topics within the bounds, all tiers, and all dead letters.
///
/// # Errors
/// [`AdminError::NoTopic`] for a topic that does not exist; [`AdminError::NoStory`] if no topic is named and the group has
/// committed none; or see [`AdminError`].
pub fn why_key(
    kafka: &Kafka,
    names: &GroupNames,
    search: &KeySearch,
    now: Timestamp,
    progress: &mut dyn Progress,
) -> Result<Stories, AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let mut search = search.clone();
    let is_there = |topic: &String| operator.topics().contains_key(topic);
    if let Some(topic) = search.topics.iter().find(|topic| !is_there(topic)) {
        return Err(AdminError::NoTopic { topic: topic.clone(), address: kafka.address().to_owned() });
    }
    if search.topics.is_empty() {
        let committed = operator.committed()?.into_keys().map(|(topic, _)| topic);
        search.topics = committed.filter(|topic| is_there(topic) && names.parse(topic).is_none()).collect();
        search.topics.dedup();
    }
    if search.topics.is_empty() {
        let why = "the group has committed no source topic; name one".to_owned();
        return Err(AdminError::NoStory { place: format!("a key of group {}", names.group()), why });
    }
    let evidence = Evidence::gather(&operator, names, &Wanted::Key(&search), progress)?;
    let (stories, matched, complete) = evidence.into_stories(None, now);
    Ok(Stories { topics: search.topics, matched, complete, stories })
}
