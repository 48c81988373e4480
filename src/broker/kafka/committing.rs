//! Sends commits, whole or topic by topic, and takes their answers.

use super::{
    commits::{self, Next},
    consumer::KafkaSource,
    ffi::{self, Failed, OffsetList, Refusal},
    rebalance::Partition,
};
use crate::broker::SourceEvent;
use retrial_core::{
    event::CommitEntry,
    id::{CommitId, Slot},
};
use std::{collections::BTreeMap, sync::Arc};

impl KafkaSource {
    /// Sends a commit. Its result comes when all of it was answered.
    pub(super) fn send_commit(&mut self, id: CommitId, entries: Vec<CommitEntry>) {
        let (mut held, mut refused) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            match self.slots.get(entry.slot) {
                Some(found) => held.push((found.partition.clone(), entry)),
                None => refused.push((entry.slot, "the partition is not held any more".to_owned())),
            }
        }
        if held.is_empty() {
            let result = retrial_core::event::CommitResult::Accepted { refused };
            self.told.push(SourceEvent::Committed(id, result));
            self.busy = true;
            return;
        }
        self.commits.begin(id, refused);
        let mut topics: BTreeMap<Arc<str>, Vec<(Partition, CommitEntry)>> = BTreeMap::new();
        for (partition, entry) in held {
            topics.entry(Arc::clone(&partition.topic)).or_default().push((partition, entry));
        }
        if self.commits.are_apart() {
            topics.into_values().for_each(|entries| self.request_commit(id, entries, false));
        } else {
            let several = topics.len() > 1;
            self.request_commit(id, topics.into_values().flatten().collect(), several);
        }
    }

    fn request_commit(&mut self, id: CommitId, entries: Vec<(Partition, CommitEntry)>, keep: bool) {
        let mut list = OffsetList::new(entries.len());
        for (Partition { topic, number }, CommitEntry { offset, leader_epoch, metadata, .. }) in &entries {
            list.add(topic, *number, *offset).leader_epoch(*leader_epoch).metadata(metadata.as_bytes());
        }
        let slots: Vec<(Partition, Slot)> =
            entries.iter().map(|(partition, entry)| (partition.clone(), entry.slot)).collect();
        if keep {
            self.commits.keep(id, entries.into_iter().map(|(_, entry)| entry).collect());
        }
        let key = self.commits.sent(id, slots);
        if let Err(refusal) = ffi::commit(&self.client, &list, &self.replies, key) {
            self.commit_answered(key, Err(refusal));
        }
    }

    pub(super) fn commit_answered(&mut self, key: usize, result: Result<Vec<Failed>, Refusal>) {
        if let Some(refusal) = commits::fatal(&result) {
            let mut events = Vec::new();
            self.fail(self.verdict(refusal.code.known(), refusal.text), &mut events);
            self.told.append(&mut events);
        }
        match self.commits.answered(key, &self.group, result) {
            Next::Wait => {}
            Next::Ended(id, result) => {
                self.told.push(SourceEvent::Committed(id, result));
                self.busy = true;
            }
            // Of what is still held.
            Next::Apart(id, entries) => self.send_commit(id, entries),
        }
    }
}
