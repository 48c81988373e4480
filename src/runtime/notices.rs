//! What people get to see of the engine's decisions: one line per change of state, and counters per batch.
//!
//! Nothing here is per record at the default log level; a dead letter is a change of state and has its line.

use super::crew::Report;
use crate::metrics::{GroupCounters, TopicCounters, dead_letters, held_partitions};
use retrial_core::{
    event::{CommitResult, Finished, Notice, Offer},
    id::{Slot, TopicIndex},
    outcome::Outcome,
};
use std::{collections::HashMap, sync::Arc};
use tracing::{debug, error, info, warn};

/// Says and counts what happens in one group member.
pub(crate) struct Notices {
    group: Arc<str>,
    topics: Vec<(Arc<str>, TopicCounters)>,
    counters: GroupCounters,
    places: HashMap<Slot, (Arc<str>, i32)>,
}

impl Notices {
    pub(crate) fn new(group: Arc<str>, topics: impl IntoIterator<Item = (Arc<str>, usize)>) -> Self {
        let counted = |(topic, limit): (Arc<str>, usize)| {
            let counters = TopicCounters::new(&topic);
            counters.in_flight_limit.set(limit as f64);
            (topic, counters)
        };
        let topics = topics.into_iter().map(counted).collect();
        Self { group, topics, counters: GroupCounters::new(), places: HashMap::new() }
    }

    pub(crate) fn owned(&mut self, offer: &Offer) {
        debug!(group = &*self.group, topic = &*offer.topic, partition = offer.partition, "partition assigned");
        self.places.insert(offer.slot, (offer.topic.clone(), offer.partition));
    }

    pub(crate) fn revoking(&mut self, slots: &[Slot], lost: bool) {
        self.counters.rebalances.increment(1);
        info!(group = &*self.group, partitions = slots.len(), lost, "partitions revoked");
    }

    /// A commit ended; with it the memory gauge is brought up to date.
    pub(crate) fn committed(&mut self, result: &CommitResult, held: usize, limit: usize) {
        self.counters.buffer_bytes.set(held as f64);
        self.counters.buffer_limit.set(limit as f64);
        if let CommitResult::Rebalancing = result {
            debug!(group = &*self.group, "commit refused while the group rebalances; it is repeated");
        }
    }

    pub(crate) fn trouble(&self, text: &str) {
        warn!(group = &*self.group, "{text}");
    }

    /// Counts the attempts of one report.
    pub(crate) fn finished(&self, report: &Report) {
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

    fn count(&self, topic: TopicIndex, outcome: &Outcome) {
        let Some((_, counters)) = self.topics.get(usize::from(topic.0)) else { return };
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
            Notice::MetadataIgnored { slot, why } => {
                let (topic, partition) = self.place(*slot);
                warn!(
                    group,
                    topic,
                    partition,
                    "commit metadata is not ours or is damaged ({why}): no record is skipped because of it"
                );
            }
            Notice::RecordsGone { slot, from, to } => {
                let (topic, partition) = self.place(*slot);
                error!(
                    group,
                    topic,
                    partition,
                    from,
                    to,
                    records = to - from,
                    "records are gone before they were handled"
                );
            }
            Notice::Held { slot, why, detail } => {
                let (topic, partition) = self.place(*slot);
                held_partitions(topic, why.as_str()).increment(1.0);
                error!(group, topic, partition, reason = why.as_str(), "partition takes nothing: {detail}");
            }
            Notice::Resumed { slot, why } => {
                let (topic, partition) = self.place(*slot);
                held_partitions(topic, why.as_str()).decrement(1.0);
                info!(group, topic, partition, reason = why.as_str(), "partition takes records again");
            }
            Notice::Buried { topic, cause, kind } => {
                let topic = self.topic(*topic);
                dead_letters(topic, cause.as_str()).increment(1);
                warn!(group, topic, cause = cause.as_str(), kind, "record is in the dead letters");
            }
            Notice::Lateness { tier, late } => self.counters.lateness(*tier).record(late.as_secs_f64()),
            Notice::Repeated { count, .. } => self.counters.redone.increment(u64::from(*count)),
            Notice::LeaseExpired => {
                error!(group, "no commit was acknowledged for a session: nothing starts until one is")
            }
            Notice::LeaseRenewed => info!(group, "commits are acknowledged again"),
            Notice::CommitFailed(why) => warn!(group, "commit failed and is repeated: {why}"),
            Notice::Discarded { topic, why } => {
                let topic = usize::from(topic.0);
                if let Some((name, counters)) = self.topics.get(topic) {
                    counters.discarded.increment(1);
                    debug!(group, topic = &**name, why, "record discarded");
                }
            }
            Notice::TopicHeld { topic, delay } => {
                warn!(
                    group,
                    topic = self.topic(*topic),
                    seconds = delay.as_secs_f64(),
                    "topic is held: it takes nothing new"
                );
            }
            other => debug!(group, "{other:?}"),
        }
    }
}
