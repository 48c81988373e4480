//! Commits that were sent and not answered, and what an answer means.
//!
//! The results of `rd_kafka_commit_queue` are the only ones there are: the commit callback of the safe interface is
//! never called for asynchronous commits.
//!
//! # Asked apart
//! Where the broker refuses some partitions of a commit (a right that is missing, a topic that is gone), librdkafka gives
//! the error of the last of them to all the others too (`rd_kafka_cgrp_update_committed_offsets` of 2.12). Taken at its
//! word, one topic would cost the lease of all. So such a commit is sent again, topic by topic, each with an answer of
//! its own; and so are the next ones, until all of one are taken.

use super::{
    ffi::{Code, Failed, Refusal},
    rebalance::Partition,
    rights,
};
use rdkafka::error::RDKafkaErrorCode as Known;
use retrial_core::{
    event::{CommitEntry, CommitResult},
    id::{CommitId, Slot},
};
use std::{collections::HashMap, sync::Arc};

/// The commits under way.
#[derive(Debug, Default)]
pub(super) struct Commits {
    requests: HashMap<usize, Request>,
    wholes: HashMap<CommitId, Whole>,
    last: usize,
    /// Whether commits go out topic by topic.
    apart: bool,
}

/// One request: all of a commit, or what it has of one topic.
#[derive(Debug)]
struct Request {
    id: CommitId,
    slots: Vec<(Partition, Slot)>,
}

/// A commit of the engine's.
#[derive(Debug, Default)]
struct Whole {
    /// Requests that were not answered.
    open: usize,
    /// Entries that were refused.
    refused: Vec<(Slot, String)>,
    accepted: bool,
    /// What to send again topic by topic; empty where that makes no difference.
    entries: Vec<CommitEntry>,
    /// The worst that a request came to, if it was not accepted.
    result: Option<CommitResult>,
}

/// What an answer leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Other requests of the same commit are still open.
    Wait,
    /// The commit is over.
    Ended(CommitId, CommitResult),
    /// It is to be sent again, topic by topic.
    Apart(CommitId, Vec<CommitEntry>),
}

impl Commits {
    /// Whether a commit is to be sent topic by topic.
    pub(super) fn are_apart(&self) -> bool {
        self.apart
    }

    /// Begins a commit, or what is left of one that is sent again; `refused` were refused before anything was sent.
    pub(super) fn begin(&mut self, id: CommitId, refused: Vec<(Slot, String)>) {
        self.wholes.insert(id, Whole { refused, ..Whole::default() });
    }

    /// Keeps the entries of a request that speaks of several topics.
    pub(super) fn keep(&mut self, id: CommitId, entries: Vec<CommitEntry>) {
        if let Some(whole) = self.wholes.get_mut(&id) {
            whole.entries = entries;
        }
    }

    /// Keeps a request until its answer; returns the key to send it with.
    pub(super) fn sent(&mut self, id: CommitId, slots: Vec<(Partition, Slot)>) -> usize {
        self.last = self.last.wrapping_add(1);
        self.requests.insert(self.last, Request { id, slots });
        self.wholes.entry(id).or_default().open += 1;
        self.last
    }

    /// Takes the answer to a request.
    pub(super) fn answered(&mut self, key: usize, group: &Group, answer: Result<Vec<Failed>, Refusal>) -> Next {
        let Some(Request { id, slots }) = self.requests.remove(&key) else { return Next::Wait };
        let Some(whole) = self.wholes.get_mut(&id) else { return Next::Wait };
        whole.open -= 1;
        if !whole.entries.is_empty() && answer.as_ref().is_ok_and(|failed| failed.iter().any(is_of_a_topic)) {
            self.apart = true;
            let entries = std::mem::take(&mut whole.entries);
            self.wholes.remove(&id);
            return Next::Apart(id, entries);
        }
        whole.take(group, &slots, answer);
        if whole.open > 0 {
            return Next::Wait;
        }
        let whole = self.wholes.remove(&id).unwrap_or_default();
        let result = whole.result();
        if matches!(&result, CommitResult::Accepted { refused } if refused.is_empty()) {
            self.apart = false;
        }
        Next::Ended(id, result)
    }

    /// Forgets everything: nobody listens any more.
    pub(super) fn forget(&mut self, key: usize) {
        self.requests.remove(&key);
    }

    /// Whether every request was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

impl Whole {
    fn take(&mut self, group: &Group, slots: &[(Partition, Slot)], answer: Result<Vec<Failed>, Refusal>) {
        let result = match answer {
            Err(refusal) => Err(whole(group, &refusal)),
            Ok(failed) => match failed.iter().find_map(|failed| group_wide(failed.code)) {
                Some(result) => Err(result),
                // Whether the group still counts this member in was then not even asked.
                None if !failed.is_empty() && failed.len() >= slots.len() => {
                    Err(CommitResult::Failed(group.words(&failed[0])))
                }
                None => Ok(failed),
            },
        };
        match result {
            Ok(failed) => {
                self.accepted = true;
                self.refused.extend(failed.iter().filter_map(|failed| {
                    let is_it = |partition: &Partition| {
                        *partition.topic == *failed.topic && partition.number == failed.partition
                    };
                    let (_, slot) = slots.iter().find(|(partition, _)| is_it(partition))?;
                    Some((*slot, group.words(failed)))
                }));
            }
            Err(result) => {
                if let CommitResult::Failed(why) = &result {
                    self.refused.extend(slots.iter().map(|(_, slot)| (*slot, why.clone())));
                }
                if self.result.as_ref().is_none_or(|worst| weight(worst) < weight(&result)) {
                    self.result = Some(result);
                }
            }
        }
    }

    fn result(self) -> CommitResult {
        match self.result {
            Some(worst @ (CommitResult::Expelled | CommitResult::Rebalancing)) => worst,
            Some(failed) if !self.accepted => failed,
            // Also where nothing was sent at all.
            _ => CommitResult::Accepted { refused: self.refused },
        }
    }
}

fn weight(result: &CommitResult) -> u8 {
    match result {
        CommitResult::Accepted { .. } => 0,
        CommitResult::Failed(_) => 1,
        CommitResult::Rebalancing => 2,
        CommitResult::Expelled => 3,
    }
}

/// Whether an error speaks of a topic, so that others of the same request may have been taken.
fn is_of_a_topic(failed: &Failed) -> bool {
    matches!(
        failed.code.known(),
        Some(
            Known::TopicAuthorizationFailed
                | Known::UnknownTopicOrPartition
                | Known::OffsetMetadataTooLarge
                | Known::InvalidCommitOffsetSize
        )
    )
}

fn whole(group: &Group, refusal: &Refusal) -> CommitResult {
    let words = || rights::of_group(&group.0, refusal.code).unwrap_or_else(|| refusal.text.clone());
    group_wide(refusal.code).unwrap_or_else(|| CommitResult::Failed(words()))
}

/// Whose commits they are.
#[derive(Clone, Debug)]
pub(super) struct Group(pub(super) Arc<str>);

impl Group {
    /// Why a partition was refused.
    fn words(&self, Failed { topic, partition, code }: &Failed) -> String {
        let missing = rights::of_group(&self.0, *code).or_else(|| rights::of_topic("READ", topic, *code));
        format!("{topic}/{partition}: {}", missing.unwrap_or_else(|| code.to_string()))
    }
}

/// Errors that say something of the membership, whichever partition they come with.
fn group_wide(code: Code) -> Option<CommitResult> {
    match code.known()? {
        Known::IllegalGeneration | Known::RebalanceInProgress | Known::StaleMemberEpoch => {
            Some(CommitResult::Rebalancing)
        }
        Known::UnknownMemberId | Known::FencedInstanceId | Known::FencedMemberEpoch | Known::AssignmentLost => {
            Some(CommitResult::Expelled)
        }
        _ => None,
    }
}

/// The error of a commit after which this member must never come back, if it is one.
pub(super) fn fatal(answer: &Result<Vec<Failed>, Refusal>) -> Option<Refusal> {
    let is_fatal = |code: Code| matches!(code.known(), Some(Known::FencedInstanceId | Known::Fatal));
    match answer {
        Err(refusal) => Some(refusal.clone()).filter(|refusal| is_fatal(refusal.code)),
        Ok(failed) => failed.iter().find(|failed| is_fatal(failed.code)).map(|failed| failed.code.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::kafka::ffi::code_for_tests as code;

    const COMMIT: CommitId = CommitId(9);

    fn slot(index: u32) -> Slot {
        Slot { index, generation: 1 }
    }

    fn slots(topic: &str, indexes: std::ops::Range<u32>) -> Vec<(Partition, Slot)> {
        indexes.map(|index| (Partition { topic: topic.into(), number: index as i32 }, slot(index))).collect()
    }

    fn group() -> Group {
        Group("billing".into())
    }

    fn failed(topic: &str, partition: i32, number: i32) -> Failed {
        Failed { topic: topic.to_owned(), partition, code: code(number) }
    }

    fn refusal(number: i32) -> Refusal {
        code(number).into()
    }

    /// What a commit of two partitions of one topic comes to; one more had been refused before.
    fn result(answer: Result<Vec<Failed>, Refusal>) -> CommitResult {
        let mut commits = Commits::default();
        commits.begin(COMMIT, vec![(slot(7), "gone".into())]);
        let key = commits.sent(COMMIT, slots("orders", 0..2));
        match commits.answered(key, &group(), answer) {
            Next::Ended(COMMIT, result) => result,
            next => panic!("{next:?}"),
        }
    }

    fn refused(result: &CommitResult) -> Vec<u32> {
        let CommitResult::Accepted { refused } = result else { panic!("{result:?}") };
        refused.iter().map(|(slot, _)| slot.index).collect()
    }

    #[test]
    fn partitions_are_refused_one_by_one() {
        assert_eq!(refused(&result(Ok(vec![failed("orders", 1, 12)]))), [7, 1]);
    }

    #[test]
    fn a_commit_of_which_nothing_was_taken_proves_no_membership_and_names_the_missing_right() {
        let of_topic = result(Ok(vec![failed("orders", 0, 29), failed("orders", 1, 29)]));
        assert!(matches!(&of_topic, CommitResult::Failed(why) if why.contains("READ on topic orders")), "{of_topic:?}");
        let of_group = result(Err(refusal(30)));
        assert!(
            matches!(&of_group, CommitResult::Failed(why) if why.contains("READ on group billing")),
            "{of_group:?}"
        );
    }

    #[test]
    fn what_concerns_the_member_concerns_the_whole_commit() {
        for number in [22, 27, 113] {
            assert_eq!(result(Err(refusal(number))), CommitResult::Rebalancing, "{number}");
            assert_eq!(result(Ok(vec![failed("orders", 0, number)])), CommitResult::Rebalancing, "{number}");
        }
        for number in [25, 82, 110] {
            assert_eq!(result(Err(refusal(number))), CommitResult::Expelled, "{number}");
        }
        assert!(matches!(result(Err(refusal(-195))), CommitResult::Failed(_)));
        assert!(matches!(result(Err(refusal(30_000))), CommitResult::Failed(text) if text.contains("30000")));
    }

    #[test]
    fn an_answer_is_taken_once() {
        let mut commits = Commits::default();
        let key = commits.sent(COMMIT, slots("orders", 0..1));
        assert!(!commits.is_empty());
        assert!(matches!(commits.answered(key, &group(), Ok(Vec::new())), Next::Ended(..)));
        assert_eq!(commits.answered(key, &group(), Ok(Vec::new())), Next::Wait);
        assert!(commits.is_empty());
    }

    /// librdkafka tells the error of one topic of all of them.
    #[test]
    fn a_topic_that_is_refused_costs_the_others_nothing() {
        let entry = |index| CommitEntry { slot: slot(index), offset: 5, leader_epoch: 0, metadata: String::new() };
        let entries = vec![entry(0), entry(1)];
        let mut commits = Commits::default();
        commits.begin(COMMIT, Vec::new());
        commits.keep(COMMIT, entries.clone());
        let both = [slots("orders", 0..1), slots("payments", 1..2)].concat();
        let key = commits.sent(COMMIT, both);
        let blurred = vec![failed("orders", 0, 29), failed("payments", 1, 29)];
        assert_eq!(commits.answered(key, &group(), Ok(blurred)), Next::Apart(COMMIT, entries));
        assert!(commits.are_apart());

        commits.begin(COMMIT, Vec::new());
        let keys = [commits.sent(COMMIT, slots("orders", 0..1)), commits.sent(COMMIT, slots("payments", 1..2))];
        assert_eq!(commits.answered(keys[0], &group(), Ok(vec![failed("orders", 0, 29)])), Next::Wait);
        let Next::Ended(COMMIT, result) = commits.answered(keys[1], &group(), Ok(Vec::new())) else { panic!("open") };
        assert_eq!(refused(&result), [0]);
        assert!(commits.are_apart(), "the next one would be blurred, too");

        commits.begin(COMMIT, Vec::new());
        let keys = [commits.sent(COMMIT, slots("orders", 0..1)), commits.sent(COMMIT, slots("payments", 1..2))];
        let next = keys.map(|key| commits.answered(key, &group(), Ok(Vec::new())));
        assert!(matches!(&next[1], Next::Ended(COMMIT, result) if refused(result).is_empty()), "{next:?}");
        assert!(!commits.are_apart());
    }
}
