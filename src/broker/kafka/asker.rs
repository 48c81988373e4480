//! Asks what takes a round trip, on a thread of its own, so that the polling thread never waits for a broker.
//!
//! Questions are answered in order, one at a time. Each answer rings the bell for events. The thread ends when the
//! asker is dropped, after the question it is at.

use super::{
    context::Client,
    ffi::{self, OffsetList, Refusal},
    ready::Bell,
    rebalance::Partition,
};
use retrial_core::{
    event::{Committed, LogRange},
    id::Slot,
};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long one question may take. After that it failed, and is asked again.
const PATIENCE: Duration = Duration::from_secs(10);
/// The waking request needs no answer; this only bounds how long a following question waits behind it.
const NUDGE: Duration = Duration::from_millis(100);

const FIRST: i64 = -2;
const END: i64 = -1;

/// Looks a topic's identity up, if it is known to somebody.
pub(crate) type TopicIds = Arc<dyn Fn(&str) -> Option<[u8; 16]> + Send + Sync>;
/// Says whether the group has read a partition before.
pub(crate) type KnownPartitions = Arc<dyn Fn(&str, i32) -> bool + Send + Sync>;

/// What is known of a partition before it is read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) partition: Partition,
    pub(super) committed: Option<Committed>,
    pub(super) log: Option<LogRange>,
    pub(super) topic_id: Option<[u8; 16]>,
    pub(super) known: bool,
}

enum Question {
    Offsets(Vec<Partition>),
    Range(Slot, Partition),
    Nudge(Vec<Partition>),
}

/// The answer to a question.
#[derive(Debug)]
pub(super) enum Answer {
    /// What was found, or the question back with the reason.
    Offsets(Result<Vec<Found>, (Vec<Partition>, String)>),
    /// The log of a slot's partition, or why it is not known.
    Range(Slot, Result<LogRange, String>),
}

/// Hands questions to its thread.
pub(super) struct Asker {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

impl Asker {
    /// Starts the thread.
    pub(super) fn start(
        client: Arc<Client>,
        bell: Bell,
        topic_id: TopicIds,
        known: KnownPartitions,
    ) -> io::Result<Self> {
        let (questions, asked) = channel();
        let (answered, answers) = channel();
        let desk = Desk { client, topic_id, known };
        let serve = move || {
            for question in asked {
                let Some(answer) = desk.answer(question) else { continue };
                if answered.send(answer).is_err() {
                    return;
                }
                bell.ring();
            }
        };
        let thread = thread::Builder::new().name("retrial-lookup".into()).spawn(serve)?;
        Ok(Self { questions, answers, thread })
    }

    /// Asks for committed offsets, and for the log where nothing is committed.
    pub(super) fn offsets(&self, partitions: Vec<Partition>) {
        self.ask(Question::Offsets(partitions));
    }

    /// Asks which offsets the log of a partition holds.
    pub(super) fn range(&self, slot: Slot, partition: Partition) {
        self.ask(Question::Range(slot, partition));
    }

    /// Sends any request to the leaders of these partitions.
    ///
    /// The resume after a rebalance wakes no fetching thread of librdkafka: one that found nothing to fetch sleeps up to
    /// a second more, unless a request for its broker comes by.
    pub(super) fn nudge(&self, partitions: Vec<Partition>) {
        if !partitions.is_empty() {
            self.ask(Question::Nudge(partitions));
        }
    }

    /// Whether the thread has ended before its time: one of the closures it was given has panicked.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// The next answer that is there.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    /// Ends the thread after its present question, and returns it.
    pub(super) fn end(self) -> JoinHandle<()> {
        self.thread
    }

    fn ask(&self, question: Question) {
        // Fails only after a panic of the thread, which is found by `has_ended`.
        let _ = self.questions.send(question);
    }
}

struct Desk {
    client: Arc<Client>,
    topic_id: TopicIds,
    known: KnownPartitions,
}

impl Desk {
    fn answer(&self, question: Question) -> Option<Answer> {
        match question {
            Question::Offsets(partitions) => {
                let found = self.offsets(&partitions).map_err(|why| (partitions, why));
                Some(Answer::Offsets(found))
            }
            Question::Range(slot, partition) => {
                let ranges = self.ranges(std::slice::from_ref(&partition));
                let range = ranges.and_then(|mut ranges| {
                    ranges.remove(&partition).ok_or_else(|| "the broker named no offsets".to_owned())
                });
                Some(Answer::Range(slot, range))
            }
            Question::Nudge(partitions) => {
                let mut list = listed(&partitions, FIRST);
                // Only the sending counts.
                let _ = ffi::log_offsets(&self.client, &mut list, NUDGE);
                None
            }
        }
    }

    fn offsets(&self, partitions: &[Partition]) -> Result<Vec<Found>, String> {
        let mut list = listed(partitions, END);
        ffi::committed(&self.client, &mut list, PATIENCE).map_err(|refusal| failed("committed offsets", &refusal))?;
        let mut committed = HashMap::with_capacity(partitions.len());
        for entry in list.iter() {
            if !entry.error().is_ok() {
                return Err(failed("committed offsets", &entry.error().into()));
            }
            let Some(offset) = entry.offset() else { continue };
            let metadata = entry.metadata().to_vec();
            let found = Committed { offset, leader_epoch: entry.leader_epoch(), metadata };
            committed.insert(Partition { topic: entry.topic().into(), number: entry.partition() }, found);
        }
        let fresh: Vec<_> =
            partitions.iter().filter(|&partition| !committed.contains_key(partition)).cloned().collect();
        let mut logs = if fresh.is_empty() { HashMap::new() } else { self.ranges(&fresh)? };
        let found = partitions.iter().map(|partition| Found {
            committed: committed.remove(partition),
            log: logs.remove(partition),
            topic_id: (self.topic_id)(&partition.topic),
            known: (self.known)(&partition.topic, partition.number),
            partition: partition.clone(),
        });
        Ok(found.collect())
    }

    fn ranges(&self, partitions: &[Partition]) -> Result<HashMap<Partition, LogRange>, String> {
        let starts = self.log(partitions, FIRST)?;
        let ends = self.log(partitions, END)?;
        let range = |(partition, start): (Partition, i64)| {
            // The end may be older than the start if retention ran between the two.
            let end = ends.get(&partition).copied().unwrap_or(start).max(start);
            (partition, LogRange { start, end })
        };
        Ok(starts.into_iter().map(range).collect())
    }

    fn log(&self, partitions: &[Partition], which: i64) -> Result<HashMap<Partition, i64>, String> {
        let mut list = listed(partitions, which);
        ffi::log_offsets(&self.client, &mut list, PATIENCE).map_err(|refusal| failed("log offsets", &refusal))?;
        let mut offsets = HashMap::with_capacity(partitions.len());
        for entry in list.iter() {
            match entry.offset() {
                Some(offset) if entry.error().is_ok() => {
                    offsets.insert(Partition { topic: entry.topic().into(), number: entry.partition() }, offset)
                }
                _ => {
                    return Err(failed(
                        &format!("log offsets of {}/{}", entry.topic(), entry.partition()),
                        &entry.error().into(),
                    ));
                }
            };
        }
        Ok(offsets)
    }
}

fn listed(partitions: &[Partition], offset: i64) -> OffsetList {
    let mut list = OffsetList::new(partitions.len());
    for partition in partitions {
        list.add(&partition.topic, partition.number, offset);
    }
    list
}

fn failed(what: &str, why: &Refusal) -> String {
    format!("{what} could not be read: {why}")
}
