//! What people get to see of the engine's decisions: one line per change of state, and counters per batch.
//!
//! Nothing here is a line per record at the default log level.

use super::crew::Report;
use crate::{
    clock,
    metrics::{
        GroupCounters, TopicCounters, buried_from_unknown, held_partitions, hops, ignored_metadata, lost_partitions,
        lost_records, restarted_partitions, seconds, suspects,
    },
};
use retrial_core::{
    engine::TopicStanding,
    event::{CommitEntry, CommitResult, Finished, HoldReason, Notice, Offer},
    id::{Slot, TopicIndex},
    outcome::{Cause, Outcome},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tracing::{debug, error, info, warn};

/// So many different reasons why commits are not accepted are told, until one is.
const TOLD: usize = 100;

/// Says and counts what happens in one group member.
pub(crate) struct Notices {
    group: Arc<str>,
    topics: Vec<(Arc<str>, TopicCounters)>,
    counters: GroupCounters,
    places: HashMap<Slot, (Arc<str>, i32)>,
    /// Partitions that take nothing, as the gauge has them.
    held: Vec<(Slot, HoldReason)>,
    /// When partitions that are not given up yet were revoked.
    revoked: HashMap<Slot, Timestamp>,
    /// What was said of commits that were not accepted as a whole, since one was.
    refused: BTreeSet<String>,
    /// Dead letters since they were last told: how many, and the last kind of failure.
    untold: BTreeMap<(TopicIndex, Cause), (u64, String)>,
}

impl Notices {
    pub(crate) fn new(group: Arc<str>, topics: impl IntoIterator<Item = (Arc<str>, usize)>) -> Self {
        let counted = |(topic, limit): (Arc<str>, usize)| {
            let counters = TopicCounters::new(&topic);
            counters.in_flight_limit.set(limit as f64);
            (topic, counters)
        };
        let topics = topics.into_iter().map(counted).collect();
        Self {
            group,
            topics,
            counters: GroupCounters::new(),
            places: HashMap::new(),
            held: Vec::new(),
            revoked: HashMap::new(),
            refused: BTreeSet::new(),
            untold: BTreeMap::new(),
        }
    }

    pub(crate) fn owned(&mut self, offer: &Offer) {
        debug!(group = &*self.group, topic = &*offer.topic, partition = offer.partition, "partition assigned");
        self.places.insert(offer.slot, (offer.topic.clone(), offer.partition));
    }

    pub(crate) fn revoking(&mut self, slots: &[Slot], lost: bool) {
        self.counters.rebalances.increment(1);
        let now = clock::now();
        self.revoked.extend(slots.iter().map(|slot| (*slot, now)));
        let (group, partitions) = (&*self.group, slots.len());
        if !lost {
            return info!(group, partitions, "partitions revoked");
        }
        warn!(
            group,
            partitions, lost, "partitions lost: the group has not heard this member for a session, or expelled it"
        );
        for slot in slots {
            lost_partitions(self.place(*slot).0).increment(1);
        }
    }

    /// Partitions were given up.
    pub(crate) fn released(&mut self, slots: &[Slot]) {
        self.let_go(|(slot, _)| slots.contains(slot));
        slots.iter().for_each(|slot| drop(self.places.remove(slot)));
        let began = slots.iter().filter_map(|slot| self.revoked.remove(slot)).min();
        if let Some(began) = began.filter(|_| self.revoked.is_empty()) {
            self.counters.rebalance.record(clock::now().since(began).as_secs_f64());
        }
    }

    /// A commit goes out.
    pub(crate) fn committing(&self, entries: &[CommitEntry]) {
        for (topic, counters) in &self.topics {
            let of_topic =
                entries.iter().filter(|entry| self.places.get(&entry.slot).is_some_and(|(name, _)| name == topic));
            if let Some(bytes) = of_topic.map(|entry| entry.metadata.len()).max() {
                counters.metadata.set(bytes as f64);
            }
        }
    }

    /// A commit was acknowledged after this time.
    pub(crate) fn acknowledged(&self, after: Duration) {
        self.counters.commit.record(after.as_secs_f64());
    }

    /// Sets the levels of topics and of the whole, and names the topics.
    pub(crate) fn levels(
        &self,
        now: Timestamp,
        topics: &[TopicStanding],
        buffer: usize,
        limit: usize,
        forwarding: usize,
    ) -> Vec<(Arc<str>, TopicStanding)> {
        self.counters.buffer_bytes.set(buffer as f64);
        self.counters.buffer_limit.set(limit as f64);
        self.counters.producer_queue.set(forwarding as f64);
        self.counters.last_turn.set(seconds(now));
        let level = |((name, counters), standing): (&(Arc<str>, TopicCounters), &TopicStanding)| {
            counters.in_flight.set(standing.in_flight as f64);
            counters.in_flight_limit.set(standing.limit as f64);
            counters.ready.set(standing.ready as f64);
            (Arc::clone(name), *standing)
        };
        self.topics.iter().zip(topics).map(level).collect()
    }

    /// Partitions that take nothing, and why.
    pub(crate) fn held(&self) -> &[(Slot, HoldReason)] {
        &self.held
    }

    /// A commit ended.
    pub(crate) fn committed(&mut self, result: &CommitResult) {
        self.tell_buried();
        match result {
            CommitResult::Rebalancing => {
                debug!(group = &*self.group, "commit refused while the group rebalances; it is repeated");
            }
            CommitResult::Accepted { refused } if refused.is_empty() && !self.refused.is_empty() => {
                self.refused.clear();
                info!(group = &*self.group, "commits are accepted again");
            }
            _ => {}
        }
    }

    pub(crate) fn trouble(&self, text: &str) {
        warn!(group = &*self.group, "{text}");
    }

    /// Counts the attempts of one report.
    pub(crate) fn finished(&mut self, report: &Report) {
        let mut done = vec![0_u64; self.topics.len()];
        for attempt in &report.finished {
            match attempt {
                Finished::Done { topic, .. } => done[usize::from(topic.0)] += 1,
                Finished::Other(other) => self.count(other.0.topic, &other.1),
                Finished::Abandoned { .. } | Finished::Unstarted(_) => {}
            }
        }
        for ((_, counters), done) in self.topics.iter().zip(done).filter(|(_, done)| *done > 0) {
            counters.done.increment(done);
            counters.attempts_done.increment(done);
        }
    }

    fn count(&mut self, topic: TopicIndex, outcome: &Outcome) {
        let Some((_, counters)) = self.topics.get_mut(usize::from(topic.0)) else { return };
        if let Outcome::Retry(why) | Outcome::RetryAfter(_, why) | Outcome::Dead(_, why) = outcome {
            counters.kinds.failed(why.kind());
        }
        match outcome {
            Outcome::Done => counters.attempts_done.increment(1),
            Outcome::Retry(_) | Outcome::RetryAfter(..) => counters.attempts_retried.increment(1),
            Outcome::Snooze(_) => counters.attempts_snoozed.increment(1),
            Outcome::Hold(_) => counters.attempts_held.increment(1),
            Outcome::Discard(_) => counters.attempts_discarded.increment(1),
            Outcome::Dead(..) => counters.attempts_dead.increment(1),
        }
    }

    fn topic(&self, topic: TopicIndex) -> &str {
        self.topics.get(usize::from(topic.0)).map_or("unknown", |(name, _)| name)
    }

    fn place(&self, slot: Slot) -> (&str, i32) {
        self.places.get(&slot).map_or(("unknown", -1), |(topic, partition)| (topic, *partition))
    }

    /// Says and counts one decision.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        let group = &*self.group;
        match notice {
            Notice::Buried { topic, cause, kind } => self.buried(*topic, *cause, kind),
            Notice::Lateness { tier, late } => self.counters.lateness(*tier).record(late.as_secs_f64()),
            Notice::Hopped { tier } => hops(*tier).increment(1),
            Notice::Repeated { count, .. } => self.counters.redone.increment(u64::from(*count)),
            Notice::LeaseExpired => {
                error!(group, "no commit was acknowledged for a session: nothing starts until one is");
            }
            Notice::LeaseRenewed => info!(group, "commits are acknowledged again"),
            // It is repeated many times a second, perhaps.
            Notice::CommitFailed(why) => {
                if self.refused.len() < TOLD && self.refused.insert(why.clone()) {
                    warn!(group, "commit failed and is repeated: {why}");
                }
            }
            Notice::Discarded { topic, why } => {
                if let Some((name, counters)) = self.topics.get(usize::from(topic.0)) {
                    counters.discarded.increment(1);
                    debug!(group, topic = &**name, why, "record discarded");
                }
            }
            Notice::TopicHeld { topic, delay } => {
                let seconds = delay.as_secs_f64();
                warn!(group, topic = self.topic(*topic), seconds, "topic is held: it takes nothing new");
            }
            Notice::CarefulBegan { suspects } => {
                warn!(group, suspects, "a process vanished: records that it ran are tested alone, other work waits");
            }
            Notice::CarefulEnded => info!(group, "no record is tested any more, work goes on"),
            Notice::SuspectAnnounced { .. } | Notice::SuspectSurvived { .. } | Notice::SuspectCondemned { .. } => {
                self.of_suspect(notice);
            }
            other => self.of_partition(other),
        }
    }

    fn of_partition(&mut self, notice: &Notice) {
        match notice {
            Notice::MetadataIgnored { slot, why } => {
                let (group, (topic, partition)) = (&*self.group, self.place(*slot));
                warn!(group, topic, partition, "commit metadata is not used ({why}): no record is skipped for it");
                ignored_metadata(topic).increment(1);
            }
            Notice::RecordsGone { slot, from, to } => {
                let (group, (topic, partition), records) = (&*self.group, self.place(*slot), to - from);
                lost_records(topic, "deleted").increment(records.unsigned_abs());
                error!(group, topic, partition, from, to, records, "records are gone before they were handled");
            }
            Notice::LogCut { slot, committed, end, lost } => {
                let (group, (topic, partition)) = (&*self.group, self.place(*slot));
                restarted_partitions(topic, "cut").increment(1);
                lost_records(topic, "cut").increment(*lost);
                let text = "the log was cut: records from its end on are gone, and what takes their place runs";
                error!(group, topic, partition, was = committed, end, unfinished = lost, "{text}");
            }
            Notice::MadeAnew { slot, was } => {
                let (group, (topic, partition)) = (&*self.group, self.place(*slot));
                restarted_partitions(topic, "made_anew").increment(1);
                error!(group, topic, partition, was, "the topic was deleted and made anew: it is read from its start");
            }
            Notice::Held { slot, why, detail } => {
                let (group, (topic, partition)) = (&*self.group, self.place(*slot));
                held_partitions(topic, why.as_str()).increment(1.0);
                match why {
                    HoldReason::Crashed => error!(group, topic, partition, reason = why.as_str(), "held: {detail}"),
                    _ => error!(group, topic, partition, reason = why.as_str(), "partition takes nothing: {detail}"),
                }
                self.held.push((*slot, *why));
            }
            Notice::Resumed { slot, why } => {
                let (group, (topic, partition)) = (&*self.group, self.place(*slot));
                info!(group, topic, partition, reason = why.as_str(), "partition takes records again");
                self.let_go(|held| *held == (*slot, *why));
            }
            other => debug!(group = &*self.group, "{other:?}"),
        }
    }

    /// Says and counts what happens to a record that may have taken a process down.
    fn of_suspect(&self, notice: &Notice) {
        let group = &*self.group;
        match notice {
            Notice::SuspectAnnounced { slot, offset, crashes, alone } => {
                let (topic, partition) = self.place(*slot);
                suspects(topic, "tested").increment(1);
                info!(group, topic, partition, offset, crashes, alone, "suspect runs, announced");
            }
            Notice::SuspectSurvived { slot, offset, outlived } => {
                let (topic, partition) = self.place(*slot);
                suspects(topic, "survived").increment(1);
                info!(group, topic, partition, offset, outlived, "suspect did not take the process down");
            }
            Notice::SuspectCondemned { slot, offset, crashes, held } => {
                let ((topic, partition), result) = (self.place(*slot), if *held { "held" } else { "buried" });
                suspects(topic, result).increment(1);
                error!(group, topic, partition, offset, crashes, result, "record crashed the worker again and again");
            }
            _ => {}
        }
    }

    /// Takes partitions out of the gauge of held ones.
    fn let_go(&mut self, gone: impl Fn(&(Slot, HoldReason)) -> bool) {
        for (slot, why) in std::mem::take(&mut self.held) {
            if gone(&(slot, why)) {
                held_partitions(self.place(slot).0, why.as_str()).decrement(1.0);
            } else {
                self.held.push((slot, why));
            }
        }
    }

    /// Dead letters are counted one by one and told together, with the last kind of failure: a bad deploy may bury
    /// thousands a second.
    fn buried(&mut self, topic: TopicIndex, cause: Cause, kind: &str) {
        match self.topics.get(usize::from(topic.0)) {
            Some((_, counters)) => counters.buried(cause),
            // Of a record that does not say where it stood first.
            None => buried_from_unknown(cause),
        }
        let untold = self.untold.entry((topic, cause)).or_default();
        untold.0 += 1;
        kind.clone_into(&mut untold.1);
    }

    fn tell_buried(&mut self) {
        for ((topic, cause), (records, kind)) in std::mem::take(&mut self.untold) {
            let (group, topic, cause) = (&*self.group, self.topic(topic), cause.as_str());
            warn!(group, topic, cause, records, last_kind = kind, "records are in the dead letters");
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.tell_buried();
        // Of a service that begins anew, the gauge counts on.
        self.let_go(|_| true);
    }
}
