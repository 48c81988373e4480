//! Reads all that there is to know of some records.

use super::{Standing, Step, Stop, Story, Suspect, look::look_at, search::KeySearch};
use crate::{
    admin::{
        AdminError, Progress,
        status::{View, own_topics, views},
    },
    broker::kafka::{Ends, Found, Next, Operator, Place, Range, Visitor},
};
use retrial_core::{
    control::{Control, TopicId},
    event::LogRange,
    gate::open_at,
    history::{History, SourceTime},
    id::Origin,
    naming::{GroupNames, OwnTopic},
    snapshot::Stage,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
};

/// How often the group's own topics are read again because records moved on meanwhile. A group that is faster is told
/// of as it was at the last time.
const ROUNDS: usize = 4;

/// Whose stories are asked for.
pub(super) enum Wanted<'a> {
    Record(Origin),
    Key(&'a KeySearch),
}

/// A record of a source topic, as it lies there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) time: SourceTime,
    pub(super) leader_epoch: i32,
}

/// A record of one of the group's own topics.
#[derive(Debug)]
struct Copy {
    place: Place,
    offset: i64,
    seen: Seen,
    history: History,
}

/// What is known of some records.
pub(super) struct Evidence<'a> {
    names: &'a GroupNames,
    logs: BTreeMap<Place, LogRange>,
    views: BTreeMap<Place, View>,
    /// Records asked for that are in their source topics.
    there: HashMap<Origin, Seen>,
    /// How many records matched, also beyond those that are told of.
    matched: u64,
    copies: HashMap<Origin, Vec<Copy>>,
    complete: bool,
    /// Which letters are settled. Read before the copies: what sent a letter back marked it in the same transaction.
    control: Control,
    letters_id: TopicId,
}

impl<'a> Evidence<'a> {
    /// Reads commits and control, then the source topics, then the group's own.
    pub(super) fn gather(
        operator: &Operator,
        names: &'a GroupNames,
        wanted: &Wanted<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Self, AdminError> {
        let own: Vec<Place> = own_topics(operator, names).flat_map(|topic| operator.partitions(topic)).collect();
        let mut places = match wanted {
            Wanted::Record(record) => operator.partitions(&record.topic),
            Wanted::Key(search) => search.topics.iter().flat_map(|topic| operator.partitions(topic)).collect(),
        };
        if let Wanted::Record(record) = wanted {
            places.retain(|(_, partition)| *partition == record.partition);
        }
        places.extend(own.iter().cloned());
        let logs = operator.logs(&places)?;
        let letters = names.dead_letters();
        let mut evidence = Self {
            names,
            views: positions(operator, names, &logs)?,
            logs,
            there: HashMap::new(),
            matched: 0,
            copies: HashMap::new(),
            complete: true,
            control: operator.control(names)?,
            letters_id: operator.topic_ids(&[&letters])?.get(&letters).copied(),
        };
        match wanted {
            Wanted::Record(record) => evidence.look_at(operator, record)?,
            Wanted::Key(search) => {
                let log = |(topic, _): &Place| search.topics.contains(topic);
                let logs: BTreeMap<_, _> =
                    evidence.logs.iter().filter(|(place, _)| log(place)).map(|(p, l)| (p.clone(), *l)).collect();
                (evidence.there, evidence.matched, evidence.complete) = search.run(operator, &logs, progress)?;
            }
        }
        evidence.follow(operator, wanted, &own, progress)?;
        Ok(evidence)
    }

    /// Whether nothing was found at all.
    pub(super) fn is_empty(&self) -> bool {
        self.there.is_empty() && self.copies.is_empty()
    }

    /// Looks at the one record in its source topic.
    fn look_at(&mut self, operator: &Operator, record: &Origin) -> Result<(), AdminError> {
        let place = (record.topic.to_string(), record.partition);
        let is_held = self.logs.get(&place).is_some_and(|log| (log.start..log.end).contains(&record.offset));
        if is_held {
            let mut seen = None;
            let mut look = |found: &Found<'_>| seen = Some(Seen::of(found));
            look_at(operator, place, record.offset, &mut look)?;
            self.there.extend(seen.map(|seen| (record.clone(), seen)));
        }
        Ok(())
    }

    /// Reads the group's own topics, and what is added to them meanwhile; and all of it again if a record that is asked
    /// for moved on between the commits and the end.
    fn follow(
        &mut self,
        operator: &Operator,
        wanted: &Wanted<'_>,
        own: &[Place],
        progress: &mut dyn Progress,
    ) -> Result<(), AdminError> {
        for _ in 0..ROUNDS {
            let mut gleaner = Gleaner { evidence: self, wanted, progress, copies: HashMap::new() };
            let mut ranges: Vec<Range> = own.iter().filter_map(|place| gleaner.evidence.whole(place)).collect();
            for _ in 0..ROUNDS {
                if ranges.is_empty() {
                    break;
                }
                let ends: BTreeMap<Place, i64> = ranges.iter().map(|range| (range.place.clone(), range.to)).collect();
                if !operator.scan(ranges, Ends::AtTheirEnd, &mut gleaner)? {
                    return Err(AdminError::Stopped);
                }
                let grown = |(place, log): (Place, LogRange)| {
                    let from = ends.get(&place).copied().unwrap_or(log.end);
                    (from < log.end).then_some(Range { place, from, to: log.end })
                };
                ranges = operator.logs(own)?.into_iter().filter_map(grown).collect();
            }
            self.copies = gleaner.copies;
            let before = self.finished();
            self.logs.extend(operator.logs(own)?);
            self.views = positions(operator, self.names, &self.logs)?;
            if self.finished() == before {
                break;
            }
        }
        Ok(())
    }

    fn whole(&self, place: &Place) -> Option<Range> {
        self.logs.get(place).map(|log| Range { place: place.clone(), from: log.start, to: log.end })
    }

    /// Which of the records and copies are finished.
    fn finished(&self) -> Vec<(String, bool)> {
        let is_done = |place: &Place, offset: i64, epoch: Option<i32>| {
            self.views.get(place).is_some_and(|view| view.has_finished(offset, epoch))
        };
        let records = self.records().map(|record| {
            let epoch = self.there.get(record).map(|seen| seen.leader_epoch);
            (record.to_string(), is_done(&(record.topic.to_string(), record.partition), record.offset, epoch))
        });
        let copies = self.copies.values().flatten().map(|copy| {
            let named = format!("{}/{}/{}", copy.place.0, copy.place.1, copy.offset);
            (named, is_done(&copy.place, copy.offset, Some(copy.seen.leader_epoch)))
        });
        let mut all: Vec<_> = records.chain(copies).collect();
        all.sort();
        all
    }

    /// All records that something is known of.
    fn records(&self) -> impl Iterator<Item = &Origin> {
        let own_only = self.copies.keys().filter(|record| !self.there.contains_key(record));
        self.there.keys().chain(own_only)
    }

    /// Whether a record that only the group's own topics know by its key is gone from its source topic; else it is
    /// there, and was not asked for.
    fn has_left(&self, record: &Origin) -> bool {
        let log = self.logs.get(&(record.topic.to_string(), record.partition));
        log.is_none_or(|log| record.offset < log.start)
    }

    /// The stories by age, the oldest first, and how many records matched.
    pub(super) fn into_stories(mut self, asked: Option<&Origin>, now: Timestamp) -> Stories {
        let mut records: Vec<Origin> = self.records().cloned().collect();
        records.extend(asked.filter(|asked| !records.contains(asked)).cloned());
        let forgotten = self.letters_forgotten();
        let mut stories = Vec::with_capacity(records.len());
        for record in records {
            let copies = self.copies.remove(&record).unwrap_or_default();
            let trail: Vec<Step> = copies.into_iter().map(|copy| self.step(copy)).collect();
            stories.push(Story::new(record.clone(), self.standing(&record), trail, forgotten, now));
        }
        let age = |story: &Story| {
            let source = story.source.time.or_else(|| story.trail.first().map(|step| step.past.source_time));
            source.and_then(SourceTime::timestamp)
        };
        stories.sort_by(|a, b| {
            let place = |story: &Story| (story.record.partition, story.record.offset);
            age(a).cmp(&age(b)).then_with(|| place(a).cmp(&place(b)))
        });
        (stories, self.matched, self.complete)
    }

    fn letters_forgotten(&self) -> bool {
        let letters = self.names.dead_letters();
        self.logs.iter().any(|((topic, _), log)| *topic == letters && log.start > 0)
    }

    fn standing(&self, record: &Origin) -> Standing {
        let place = (record.topic.to_string(), record.partition);
        let (log, view, seen) = (self.logs.get(&place), self.views.get(&place), self.there.get(record));
        let epoch = seen.map(|seen| seen.leader_epoch);
        let finished = view.is_some_and(|view| view.has_finished(record.offset, epoch));
        Standing {
            log_start: log.map(|log| log.start),
            log_end: log.map(|log| log.end),
            is_there: seen.is_some(),
            time: seen.map(|seen| seen.time),
            watermark: view.map(|view| view.watermark),
            finished,
            started: !finished && view.is_some_and(|view| view.may_have_started(record.offset)),
            suspect: view.and_then(|view| suspect(view, record.offset)),
            metadata_ignored: view.and_then(|view| view.map.as_ref().err().map(ToString::to_string)),
        }
    }

    fn step(&self, copy: Copy) -> Step {
        let Copy { place, offset, seen, history } = copy;
        let delay = match self.names.parse(&place.0) {
            Some(OwnTopic::Tier(delay)) => Some(delay),
            _ => None,
        };
        let (written, due) = (seen.time.timestamp(), history.due);
        let gate = |delay| written.map(|written| open_at(written, delay).max(written));
        let view = self.views.get(&place).filter(|_| delay.is_some());
        let finished = view.is_some_and(|view| view.has_finished(offset, Some(seen.leader_epoch)));
        let (operation, replay, past) = Step::past_of(history);
        let settled = self.control.settled.get(&place.0, self.letters_id, place.1, offset);
        Step {
            settled: settled.filter(|_| delay.is_none()),
            stop: if delay.is_some() { Stop::Tier } else { Stop::DeadLetters },
            written,
            until: delay.and_then(|delay| gate(delay).max(due)),
            finished,
            started: !finished && view.is_some_and(|view| view.may_have_started(offset)),
            topic: place.0,
            partition: place.1,
            offset,
            operation,
            replay,
            past,
        }
    }
}

/// Stories, how many records matched, and whether all was looked at.
pub(super) type Stories = (Vec<Story>, u64, bool);

impl Seen {
    pub(super) fn of(found: &Found<'_>) -> Self {
        Self { time: found.time(), leader_epoch: found.leader_epoch() }
    }
}

fn positions(
    operator: &Operator,
    names: &GroupNames,
    logs: &BTreeMap<Place, LogRange>,
) -> Result<BTreeMap<Place, View>, AdminError> {
    let views = views(operator, names, &operator.committed()?, logs)?;
    Ok(views.into_iter().map(|view| (view.place.clone(), view)).collect())
}

fn suspect(view: &View, offset: i64) -> Option<Suspect> {
    let map = view.map.as_ref().ok()?.as_ref()?;
    let mark = map.suspicion.marks.iter().find(|mark| mark.offset == offset)?;
    // A run that goes on has not ended with its process.
    let going_on = usize::from(mark.stage == Stage::Alone);
    Some(Suspect { crashes: mark.runs.len().saturating_sub(going_on), condemned: mark.condemned })
}

/// Keeps what the group's own topics hold of the records asked for.
struct Gleaner<'e, 'a> {
    evidence: &'e Evidence<'a>,
    wanted: &'e Wanted<'e>,
    progress: &'e mut dyn Progress,
    copies: HashMap<Origin, Vec<Copy>>,
}

impl Gleaner<'_, '_> {
    fn wants(&self, found: &Found<'_>, history: &History) -> bool {
        match self.wanted {
            Wanted::Record(record) => history.origin == *record,
            Wanted::Key(search) => {
                let left = || search.admits(found.key(), history) && self.evidence.has_left(&history.origin);
                self.evidence.there.contains_key(&history.origin) || left()
            }
        }
    }
}

impl Visitor for Gleaner<'_, '_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        if let Ok(Some(history)) = History::decode(self.evidence.names.group(), found.headers())
            && self.wants(found, &history)
        {
            let place = (found.topic().to_owned(), found.partition());
            let copy = Copy { place, offset: found.offset(), seen: Seen::of(found), history };
            self.copies.entry(copy.history.origin.clone()).or_default().push(copy);
        }
        Next::More
    }

    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.progress.advanced(done, of)
    }
}
