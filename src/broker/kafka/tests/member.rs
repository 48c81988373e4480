//! A member of a group that does what an engine would: starts what is offered, commits and releases what is revoked.

use crate::{
    broker::{
        Source, SourceEvent,
        kafka::{ClientProperties, KafkaSource, Pasts, SourceSetup},
    },
    record::{Meter, Record},
};
use rdkafka::ClientConfig;
use retrial_core::{
    event::{CommitEntry, CommitResult, LogRange, Offer},
    id::{CommitId, Slot},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

/// Long enough for any rebalance of the mock cluster, which takes up to twice the session timeout.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

pub(super) struct Member {
    pub(super) source: KafkaSource,
    pub(super) meter: Arc<Meter>,
    /// What is held, by partition.
    pub(super) offers: BTreeMap<(String, i32), Offer>,
    pub(super) records: Vec<Record>,
    pub(super) next: BTreeMap<Slot, i64>,
    pub(super) held: BTreeSet<i32>,
    pub(super) unstarted: BTreeSet<i32>,
    pub(super) results: BTreeMap<u64, CommitResult>,
    pub(super) out_of_range: Vec<(Slot, LogRange)>,
    pub(super) troubles: Vec<String>,
    pub(super) fatal: Option<String>,
    pub(super) revoked: Vec<(i32, bool)>,
    pub(super) left: bool,
    pub(super) answers_revocations: bool,
    commits: u64,
}

impl Member {
    pub(super) fn join(properties: &ClientProperties, topic: &str) -> Self {
        let config = properties.consumer("billing", 4, 8 << 20).expect("properties");
        Self::with_config(config, topic)
    }

    pub(super) fn with_config(config: ClientConfig, topic: &str) -> Self {
        Self::with_identities(config, topic, |topics| {
            Ok(topics.iter().map(|topic| ((*topic).to_owned(), [topic.len() as u8; 16])).collect())
        })
    }

    /// One that looks up the identities of topics like this.
    pub(super) fn with_identities(
        config: ClientConfig,
        topic: &str,
        topic_ids: impl Fn(&[&str]) -> Result<HashMap<String, [u8; 16]>, String> + Send + Sync + 'static,
    ) -> Self {
        let meter = Arc::new(Meter::default());
        let setup = SourceSetup {
            config,
            topics: vec![topic.to_owned()],
            meter: Arc::clone(&meter),
            topic_ids: Arc::new(topic_ids),
            pasts: Pasts::default(),
        };
        Self {
            source: KafkaSource::new(setup).expect("a source"),
            meter,
            offers: BTreeMap::new(),
            records: Vec::new(),
            next: BTreeMap::new(),
            held: BTreeSet::new(),
            unstarted: BTreeSet::new(),
            results: BTreeMap::new(),
            out_of_range: Vec::new(),
            troubles: Vec::new(),
            fatal: None,
            revoked: Vec::new(),
            left: false,
            answers_revocations: true,
            commits: 0,
        }
    }

    /// One turn.
    pub(super) fn turn(&mut self) {
        let mut events = Vec::new();
        let numbers: BTreeMap<Slot, i32> = self.offers.values().map(|offer| (offer.slot, offer.partition)).collect();
        let held = &self.held;
        let mut room =
            |slot: Slot| if numbers.get(&slot).is_some_and(|number| held.contains(number)) { 0 } else { 100 };
        self.source.poll(&mut room, &mut events);
        events.into_iter().for_each(|event| self.take(event));
    }

    fn take(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Offered(offers) => offers.into_iter().for_each(|offer| self.offered(offer)),
            SourceEvent::Revoking { slots, lost } => self.revoking(&slots, lost),
            SourceEvent::Records(slot, batch) => {
                for record in batch.records() {
                    let next = self.next.get_mut(&slot).expect("records of a started partition only");
                    assert!(record.offset() >= *next, "{record:?} came twice");
                    *next = record.offset() + 1;
                    self.records.push(record);
                }
            }
            SourceEvent::OutOfRange(slot, range) => self.out_of_range.push((slot, range)),
            SourceEvent::Cut { .. } | SourceEvent::MadeAnew { .. } => panic!("the mock cluster does neither"),
            SourceEvent::Committed(id, result) => assert!(self.results.insert(id.0, result).is_none()),
            SourceEvent::Unreadable(_, text) => self.troubles.push(text),
            SourceEvent::Readable(_) => {}
            SourceEvent::Trouble(text) => self.troubles.push(text),
            SourceEvent::Fatal(why) => self.fatal = Some(why),
            SourceEvent::Left => self.left = true,
        }
    }

    fn offered(&mut self, offer: Offer) {
        let number = offer.partition;
        let from = match (&offer.committed, offer.log) {
            (Some(committed), _) => committed.offset,
            (None, log) => log.expect("the log is known when nothing is committed").start,
        };
        if !self.unstarted.contains(&number) {
            self.start(offer.slot, from);
        }
        self.offers.insert((offer.topic.to_string(), number), offer);
    }

    pub(super) fn start(&mut self, slot: Slot, offset: i64) {
        self.next.insert(slot, offset);
        self.source.start(slot, offset);
    }

    fn revoking(&mut self, slots: &[Slot], lost: bool) {
        for slot in slots {
            let offer = self.offers.values().find(|offer| offer.slot == *slot).expect("revoked is what was offered");
            self.revoked.push((offer.partition, lost));
        }
        if self.answers_revocations {
            if !lost {
                self.commit_of(slots, "");
            }
            self.release(slots);
        }
    }

    pub(super) fn release(&mut self, slots: &[Slot]) {
        self.source.release(slots);
        self.offers.retain(|_, offer| !slots.contains(&offer.slot));
    }

    pub(super) fn commit(&mut self, metadata: &str) -> u64 {
        let slots: Vec<Slot> = self.offers.values().map(|offer| offer.slot).collect();
        self.commit_of(&slots, metadata)
    }

    pub(super) fn commit_of(&mut self, slots: &[Slot], metadata: &str) -> u64 {
        self.commits += 1;
        let entry = |slot: &Slot| {
            let offset = *self.next.get(slot)?;
            Some(CommitEntry { slot: *slot, offset, leader_epoch: 0, metadata: metadata.to_owned() })
        };
        let entries = slots.iter().filter_map(entry).collect();
        self.source.commit(CommitId(self.commits), entries);
        self.commits
    }

    /// Commits, and waits until the coordinator has it.
    pub(super) fn committed(&mut self, metadata: &str) {
        let id = self.commit(metadata);
        self.until("the commit", |member| member.results.contains_key(&id));
        assert_eq!(self.results[&id], CommitResult::Accepted { refused: Vec::new() });
    }

    /// Turns until the condition holds.
    pub(super) fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.turn();
            if condition(self) {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {self:?}");
            self.source.wait(Duration::from_millis(50));
        }
    }

    pub(super) fn slot(&self, partition: i32) -> Slot {
        self.offers.values().find(|offer| offer.partition == partition).expect("held").slot
    }

    pub(super) fn partitions(&self) -> BTreeSet<i32> {
        self.offers.values().map(|offer| offer.partition).collect()
    }

    pub(super) fn bodies(&self, partition: i32) -> Vec<String> {
        let of = self.records.iter().filter(|record| record.partition() == partition);
        of.map(|record| String::from_utf8_lossy(record.body().unwrap_or_default()).into_owned()).collect()
    }

    pub(super) fn leave(mut self) {
        self.source.leave();
        self.until("the leave", |member| member.left);
        Box::new(self.source).close(Duration::from_secs(5));
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("partitions", &self.partitions())
            .field("records", &self.records.len())
            .field("results", &self.results)
            .field("troubles", &self.troubles)
            .field("fatal", &self.fatal)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Turns several members until the condition holds.
pub(super) fn all_until(what: &str, members: &mut [&mut Member], condition: impl Fn(&[&mut Member]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        members.iter_mut().for_each(|member| member.turn());
        if condition(members) {
            return;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}: {members:?}");
        members[0].source.wait(Duration::from_millis(5));
    }
}
