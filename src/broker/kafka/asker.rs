//! Asks what takes a round trip, on a thread of its own, so that the polling thread never waits for a broker.
//!
//! Questions are answered in order, one at a time. Each answer rings the bell for events. The thread ends when the
//! asker is dropped, after the question it is at.

use super::{
    context::Client,
    ffi::{self, OffsetList, Refusal},
    pasts::{Pasts, TopicId},
    ready::Bell,
    rebalance::Partition,
};
use rdkafka::consumer::Consumer;
use retrial_core::{
    event::{Committed, LogRange, Past},
    id::Slot,
};
use std::{
    collections::{BTreeSet, HashMap},
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
/// How long brokers may take to say who leads a topic's partitions. Other questions wait behind this one.
const LEADERS: Duration = Duration::from_secs(2);
/// The waking request needs no answer; this only bounds how long a following question waits behind it.
const NUDGE: Duration = Duration::from_millis(100);

const FIRST: i64 = -2;
const END: i64 = -1;

/// Looks up the identities of topics: a topic that has none is left out. If nobody could be asked, that is an error with
/// its reason, and no answer: what the commit says is finished holds for one identity, and without it would run again.
pub(crate) type TopicIds = Arc<dyn Fn(&[&str]) -> Result<HashMap<String, TopicId>, String> + Send + Sync>;

/// What is known of a partition before it is read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) partition: Partition,
    pub(super) committed: Option<Committed>,
    pub(super) log: Option<LogRange>,
    pub(super) topic_id: Option<TopicId>,
    pub(super) past: Past,
}

/// A partition whose topic is not the one that it was.
#[derive(Clone, Debug)]
pub(super) struct MadeAnew {
    pub(super) slot: Slot,
    pub(super) topic_id: TopicId,
    pub(super) log: LogRange,
}

enum Question {
    Offsets(Vec<Partition>),
    Range(Slot, Partition),
    Nudge(Vec<Partition>),
    Identities(Vec<(Slot, Partition, TopicId)>),
}

/// The answer to a question.
#[derive(Debug)]
pub(super) enum Answer {
    /// What was found, or the question back with the reason.
    Offsets(Result<Vec<Found>, (Vec<Partition>, String)>),
    /// The log of a slot's partition, or why it is not known.
    Range(Slot, Result<LogRange, String>),
    /// The partitions among those asked about whose topic was made anew.
    Identities(Result<Vec<MadeAnew>, String>),
}

/// Hands questions to its thread.
pub(super) struct Asker {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

impl Asker {
    /// Starts the thread.
    pub(super) fn start(client: Arc<Client>, bell: Bell, topic_ids: TopicIds, pasts: Pasts) -> io::Result<Self> {
        let (questions, asked) = channel();
        let (answered, answers) = channel();
        let mut desk = Desk { client, topic_ids, pasts };
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

    /// Asks whether partitions still belong to the topics that they were started in.
    pub(super) fn identities(&self, partitions: Vec<(Slot, Partition, TopicId)>) {
        self.ask(Question::Identities(partitions));
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
    topic_ids: TopicIds,
    pasts: Pasts,
}

impl Desk {
    fn answer(&mut self, question: Question) -> Option<Answer> {
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
            Question::Identities(partitions) => Some(Answer::Identities(self.made_anew(partitions))),
            Question::Nudge(partitions) => {
                let mut list = listed(&partitions, FIRST);
                // Only the sending counts.
                let _ = ffi::log_offsets(&self.client, &mut list, NUDGE);
                None
            }
        }
    }

    fn offsets(&mut self, partitions: &[Partition]) -> Result<Vec<Found>, String> {
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
        let ids = self.ids(partitions.iter())?;
        let topic_id = |partition: &Partition| ids.get(&*partition.topic).copied();
        let past = |partition: &Partition| self.pasts.of(&partition.topic, partition.number, topic_id(partition));
        let unclear = |partition: &Partition| !committed.contains_key(partition) || past(partition) == Past::Another;
        let unclear: Vec<_> = partitions.iter().filter(|partition| unclear(partition)).cloned().collect();
        let mut logs = if unclear.is_empty() { HashMap::new() } else { self.ranges(&unclear)? };
        let found = partitions.iter().map(|partition| Found {
            committed: committed.remove(partition),
            log: logs.remove(partition),
            topic_id: topic_id(partition),
            past: past(partition),
            partition: partition.clone(),
        });
        Ok(found.collect())
    }

    /// The identities of the topics of these partitions, which are remembered.
    fn ids<'p>(&mut self, partitions: impl Iterator<Item = &'p Partition>) -> Result<HashMap<String, TopicId>, String> {
        let topics: BTreeSet<&str> = partitions.map(|partition| &*partition.topic).collect();
        let ids = (self.topic_ids)(&topics.into_iter().collect::<Vec<_>>())
            .map_err(|why| format!("identities of topics could not be read: {why}"))?;
        ids.iter().for_each(|(topic, id)| self.pasts.saw(topic, *id));
        Ok(ids)
    }

    fn made_anew(&mut self, partitions: Vec<(Slot, Partition, TopicId)>) -> Result<Vec<MadeAnew>, String> {
        let ids = self.ids(partitions.iter().map(|(_, partition, _)| partition))?;
        let now = |partition: &Partition, was: TopicId| ids.get(&*partition.topic).copied().filter(|&id| id != was);
        let anew: Vec<(Slot, Partition, TopicId)> = partitions
            .into_iter()
            .filter_map(|(slot, partition, was)| now(&partition, was).map(|id| (slot, partition, id)))
            .collect();
        if anew.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<Partition> = anew.iter().map(|(_, partition, _)| partition.clone()).collect();
        let logs = self.ranges(&places)?;
        let found = anew
            .into_iter()
            .filter_map(|(slot, partition, topic_id)| Some(MadeAnew { slot, topic_id, log: *logs.get(&partition)? }));
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
                    self.find_leaders_again(entry.topic());
                    return Err(failed(
                        &format!("log offsets of {}/{}", entry.topic(), entry.partition()),
                        &entry.error().into(),
                    ));
                }
            };
        }
        Ok(offsets)
    }

    /// librdkafka takes "no leader" from its cache for a lasting answer, and asks no broker again before the next
    /// refresh of all topics, up to half a minute in which everything that was assigned would wait
    /// (`rd_kafka_topic_partition_list_get_leaders`). An answer to this goes into the same cache.
    fn find_leaders_again(&self, topic: &str) {
        // The question is asked again in any case; then it is seen whether this has helped.
        let _ = self.client.fetch_metadata(Some(topic), LEADERS);
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
