//! Puts together what handlers noted and what the cluster saw: the story of every record, as it goes on.
//!
//! # Invariant
//! Notes and events are taken in at each look in the order in which they happened: handlers run before members turn.

use super::{
    journal::{Beginning, How},
    letter::DeadLetter,
    run::{Ending, Run},
    story::{Chapter, Put, Story, state},
};
use crate::broker::sim::{
    log::Stored,
    trace::{Event, Place, ProcessId, Trace},
};
use retrial_core::{
    history::History,
    id::Origin,
    naming::{GroupNames, OwnTopic},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// Where a run stands: its record's story, and its chapter there.
#[derive(Clone, Copy)]
struct Mark {
    story: usize,
    chapter: usize,
}

/// A run of a handler that has not ended.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) process: ProcessId,
    pub(super) origin: Origin,
    pub(super) attempt: u32,
    mark: Mark,
}

pub(super) struct Chronicle {
    names: GroupNames,
    /// Time limits of the source topics' attempts.
    timeouts: HashMap<Arc<str>, Option<Duration>>,
    began: Timestamp,
    stories: Vec<Story>,
    by_origin: HashMap<Origin, usize>,
    order: Vec<Mark>,
    open: BTreeMap<u64, Open>,
    workers: HashMap<ProcessId, u32>,
    unsettled: usize,
    /// Runs of each story.
    runs: Vec<usize>,
    most_runs: usize,
    read: usize,
}

impl Chronicle {
    pub(super) fn new(names: GroupNames, timeouts: HashMap<Arc<str>, Option<Duration>>, began: Timestamp) -> Self {
        Self {
            names,
            timeouts,
            began,
            stories: Vec::new(),
            by_origin: HashMap::new(),
            order: Vec::new(),
            open: BTreeMap::new(),
            workers: HashMap::new(),
            unsettled: 0,
            runs: Vec::new(),
            most_runs: 0,
            read: 0,
        }
    }

    /// Reads what the cluster saw since this was called last.
    pub(super) fn read(&mut self, trace: &Trace) {
        let entries = &trace.entries()[self.read..];
        self.read = trace.entries().len();
        for (now, event) in entries {
            match event {
                Event::Born { process, group } if **group == *self.names.group() => {
                    let number = self.workers.len() as u32 + 1;
                    self.workers.insert(*process, number);
                }
                Event::Appended { place, record, by: None } => self.sent(*now, place, record),
                Event::Appended { place, record, by: Some(_) } => self.forwarded(*now, place, record),
                _ => {}
            }
        }
    }

    fn sent(&mut self, now: Timestamp, place: &Place, record: &Rc<Stored>) {
        let origin = Origin { topic: place.topic.clone(), partition: place.partition, offset: record.offset };
        let story = Story {
            group: self.names.group().to_owned(),
            origin: origin.clone(),
            key: record.message.key.clone(),
            body: record.message.body.clone(),
            began: self.began,
            sent: now,
            now,
            chapters: Vec::new(),
        };
        self.by_origin.insert(origin, self.stories.len());
        self.stories.push(story);
        self.runs.push(0);
        self.unsettled += 1;
    }

    fn forwarded(&mut self, now: Timestamp, place: &Place, record: &Rc<Stored>) {
        let headers = record.message.headers.iter().map(|(name, value)| (&name[..], value.as_deref()));
        let history = History::decode(self.names.group(), headers).ok().flatten();
        let Some(history) = history else { return };
        let Some(&story) = self.by_origin.get(&history.origin) else { return };
        match self.names.parse(&place.topic) {
            Some(OwnTopic::Tier(tier)) => {
                let identity = (history.attempts, history.hop);
                let same = |chapter: &Chapter| matches!(chapter, Chapter::Put(put) if put.identity == identity);
                let is_repeat = self.stories[story].chapters.iter().any(same);
                let put = Put { tier, due: history.due, at: now, identity, is_repeat };
                self.tell(story, |chapters| chapters.push(Chapter::Put(put)));
            }
            Some(OwnTopic::DeadLetters) => {
                let letter = DeadLetter::new(history, record);
                self.tell(story, |chapters| chapters.push(Chapter::Buried(letter)));
            }
            Some(OwnTopic::Control) | None => {}
        }
    }

    /// Changes a story, and keeps count of those that are not at an end.
    fn tell(&mut self, story: usize, change: impl FnOnce(&mut Vec<Chapter>)) {
        let chapters = &mut self.stories[story].chapters;
        let before = state(chapters).is_final();
        change(chapters);
        match (before, state(chapters).is_final()) {
            (false, true) => self.unsettled -= 1,
            (true, false) => self.unsettled += 1,
            _ => {}
        }
    }

    pub(super) fn began(&mut self, beginning: Beginning) {
        let Beginning { number, process, at, origin, topic, attempt, tries } = beginning;
        let Some(&story) = self.by_origin.get(&origin) else { return };
        let tier = match self.names.parse(&topic) {
            Some(OwnTopic::Tier(tier)) => Some(tier),
            _ => None,
        };
        let due = self.stories[story].chapters.iter().rev().find_map(|chapter| match chapter {
            Chapter::Put(put) if tier.is_some() => Some(put.due),
            _ => None,
        });
        let worker = self.workers.get(&process).copied().unwrap_or(0);
        let due = due.flatten();
        let is_rerun = self.stories[story].chapters.iter().any(|chapter| match chapter {
            Chapter::Put(put) => put.identity.0 >= attempt,
            Chapter::Buried(letter) => letter.attempts() >= attempt,
            Chapter::Run(_) => false,
        });
        let run = Run { origin: origin.clone(), attempt, tries, is_rerun, worker, tier, due, began: at, ended: None };
        let mark = Mark { story, chapter: self.stories[story].chapters.len() };
        self.tell(story, |chapters| chapters.push(Chapter::Run(run)));
        self.runs[story] += 1;
        self.most_runs = self.most_runs.max(self.runs[story]);
        self.order.push(mark);
        self.open.insert(number, Open { process, origin, attempt, mark });
    }

    /// Returns the run, unless it is unknown. `died` says whether its process is gone.
    pub(super) fn ended(&mut self, number: u64, at: Timestamp, how: How, died: bool) -> Option<Open> {
        let open = self.open.remove(&number)?;
        let Mark { story, chapter } = open.mark;
        let timeout = self.timeouts.get(&open.origin.topic).copied().flatten();
        self.tell(story, |chapters| {
            let Some(Chapter::Run(run)) = chapters.get_mut(chapter) else { return };
            let ending = match how {
                How::Answered(_) | How::Panicked(_) if died => Ending::Crashed,
                How::Answered(outcome) => Ending::Answered(outcome),
                How::Panicked(message) => Ending::Panicked(message),
                How::Dropped if died => Ending::Crashed,
                How::Dropped if timeout.is_some_and(|timeout| run.began.after(timeout) <= at) => Ending::TimedOut,
                How::Dropped => Ending::Cancelled,
            };
            run.ended = Some((at, ending));
        });
        Some(open)
    }

    /// Runs that have not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = &Open> {
        self.open.values()
    }

    /// Whether every record has come to an end.
    pub(super) fn is_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// How often the handler of one record ran at most.
    pub(super) fn most_runs(&self) -> usize {
        self.most_runs
    }

    pub(super) fn story(&self, origin: &Origin, now: Timestamp) -> Option<Story> {
        let story = self.stories.get(*self.by_origin.get(origin)?)?;
        Some(Story { now, ..story.clone() })
    }

    /// Every story, in the order of sending.
    pub(super) fn stories(&self, now: Timestamp) -> impl Iterator<Item = Story> {
        self.stories.iter().map(move |story| Story { now, ..story.clone() })
    }

    /// Every run, in the order of beginning.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.order.iter().filter_map(|mark| match self.stories.get(mark.story)?.chapters.get(mark.chapter)? {
            Chapter::Run(run) => Some(run),
            _ => None,
        })
    }
}
