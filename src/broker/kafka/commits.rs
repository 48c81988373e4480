//! Commits that were sent and not answered, and what an answer means.
//!
//! The results of `rd_kafka_commit_queue` are the only ones there are: the commit callback of the safe interface is
//! never called for asynchronous commits.

use super::{
    ffi::{Code, Failed, Refusal},
    rebalance::Partition,
};
use rdkafka::error::RDKafkaErrorCode as Known;
use retrial_core::{
    event::CommitResult,
    id::{CommitId, Slot},
};
use std::collections::HashMap;

/// The commits under way.
#[derive(Debug, Default)]
pub(super) struct Commits {
    pending: HashMap<usize, Pending>,
    last: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Pending {
    id: CommitId,
    slots: Vec<(Partition, Slot)>,
    /// Entries that were refused here, before anything was sent.
    refused: Vec<(Slot, String)>,
}

impl Pending {
    /// A commit that is about to be sent.
    pub(super) fn new(id: CommitId, slots: Vec<(Partition, Slot)>, refused: Vec<(Slot, String)>) -> Self {
        Self { id, slots, refused }
    }

    /// What the answer says.
    pub(super) fn result(self, answer: Result<Vec<Failed>, Refusal>) -> (CommitId, CommitResult) {
        let Self { id, slots, mut refused } = self;
        let result = match answer {
            Err(refusal) => whole(&refusal),
            Ok(failed) => match failed.iter().find_map(|failed| group_wide(failed.code)) {
                Some(result) => result,
                None => {
                    refused.extend(failed.iter().filter_map(|failed| {
                        let hit = slots.iter().find(|(partition, _)| {
                            *partition.topic == *failed.topic && partition.number == failed.partition
                        });
                        hit.map(|(_, slot)| (*slot, failed.code.to_string()))
                    }));
                    CommitResult::Accepted { refused }
                }
            },
        };
        (id, result)
    }
}

impl Commits {
    /// Keeps a commit until its answer; returns the key to send it with.
    pub(super) fn sent(&mut self, pending: Pending) -> usize {
        self.last = self.last.wrapping_add(1);
        self.pending.insert(self.last, pending);
        self.last
    }

    /// Takes the commit that an answer belongs to.
    pub(super) fn answered(&mut self, key: usize) -> Option<Pending> {
        self.pending.remove(&key)
    }

    /// Whether every commit was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

fn whole(refusal: &Refusal) -> CommitResult {
    group_wide(refusal.code).unwrap_or_else(|| CommitResult::Failed(refusal.text.clone()))
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

/// Whether a commit's error means that this member must never come back.
pub(super) fn is_fatal(code: Code) -> bool {
    matches!(code.known(), Some(Known::FencedInstanceId | Known::Fatal | Known::GroupAuthorizationFailed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::kafka::ffi::code_for_tests as code;

    fn slot(index: u32) -> Slot {
        Slot { index, generation: 1 }
    }

    fn pending() -> Pending {
        let partition = |number| Partition { topic: "orders".into(), number };
        let slots = vec![(partition(0), slot(0)), (partition(1), slot(1))];
        Pending::new(CommitId(9), slots, vec![(slot(7), "gone".into())])
    }

    fn failed(partition: i32, number: i32) -> Failed {
        Failed { topic: "orders".into(), partition, code: code(number) }
    }

    fn refusal(number: i32) -> Refusal {
        code(number).into()
    }

    #[test]
    fn partitions_are_refused_one_by_one() {
        let (id, result) = pending().result(Ok(vec![failed(1, 12)]));
        assert_eq!(id, CommitId(9));
        let CommitResult::Accepted { refused } = result else { panic!("{result:?}") };
        assert_eq!(refused.iter().map(|(slot, _)| slot.index).collect::<Vec<_>>(), [7, 1]);
    }

    #[test]
    fn what_concerns_the_member_concerns_the_whole_commit() {
        for number in [22, 27, 113] {
            assert_eq!(pending().result(Err(refusal(number))).1, CommitResult::Rebalancing, "{number}");
            assert_eq!(pending().result(Ok(vec![failed(0, number)])).1, CommitResult::Rebalancing, "{number}");
        }
        for number in [25, 82, 110] {
            assert_eq!(pending().result(Err(refusal(number))).1, CommitResult::Expelled, "{number}");
        }
        assert!(matches!(pending().result(Err(refusal(-195))).1, CommitResult::Failed(_)));
        assert!(
            matches!(pending().result(Err(refusal(30_000))).1, CommitResult::Failed(text) if text.contains("30000"))
        );
    }

    #[test]
    fn an_answer_is_taken_once() {
        let mut commits = Commits::default();
        let (first, second) = (commits.sent(pending()), commits.sent(pending()));
        assert_ne!(first, second);
        assert!(commits.answered(first).is_some() && commits.answered(first).is_none());
        assert!(!commits.is_empty());
        assert!(commits.answered(second).is_some() && commits.is_empty());
    }
}
