//! What becomes of commits between a client and the coordinator.
//!
//! A client parks commits while its coordinator is away and sends them with the generation of then (field notes,
//! §8.2; RULES 17): so one of an old owner can land after the new one's. That, and requests that arrive twice, is
//! all the lateness that Kafka allows; a request of an old generation is always refused.

use super::{
    client::Membership,
    cluster::{State, Step},
    faults::Fault,
    group::{Answer, CommitRequest, MAX_COMMIT_BYTES, MAX_METADATA_BYTES, Request},
    random::Random,
    trace::{Event, Part, ProcessId},
};
use crate::broker::SourceEvent;
use retrial_core::{
    event::{CommitEntry, CommitResult},
    id::{CommitId, Slot},
};
use std::{sync::Arc, time::Duration};

const REFUSED_BY_FAULT: &str = "not enough replicas of the offsets topic";

impl State {
    /// The owner asks for a commit.
    pub(super) fn commit(&mut self, process: ProcessId, id: CommitId, entries: Vec<CommitEntry>) {
        let (mut parts, mut refused) = (Vec::new(), Vec::new());
        for CommitEntry { slot, offset, leader_epoch, metadata } in entries {
            let Some(client) = self.client(process) else { return };
            match client.slots.get(&slot) {
                Some(assigned) => {
                    let place = assigned.place.clone();
                    parts.push(Part { slot, place, offset, epoch: leader_epoch, metadata: metadata.into() });
                }
                None => {
                    refused.push((slot, "not assigned".to_owned()));
                    self.misuse(process, format!("commit of {slot:?}, which is not assigned"));
                }
            }
        }
        self.seen(Event::CommitSent { process, id, parts: parts.clone() });
        let Some(client) = self.client(process) else { return };
        let (member, generation) = (client.member, client.generation);
        let commit = CommitRequest { id, member, generation, parts, refused, repeated: false };
        match client.membership {
            Membership::Joining => client.parked.push(commit),
            Membership::Out => client.tell(SourceEvent::Committed(id, CommitResult::Expelled)),
            Membership::In => self.send_commit(process, commit),
        }
    }

    fn send_commit(&mut self, process: ProcessId, commit: CommitRequest) {
        if self.breaks(Fault::CommitLost) {
            self.commit_failed(process, commit.id);
        } else if self.fails(Fault::CommitParked) {
            let dice = self.faults.dice(Fault::CommitParked);
            self.park(process, commit, dice);
        } else {
            self.send(process, Request::Commit(commit));
        }
    }

    fn commit_failed(&mut self, process: ProcessId, id: CommitId) {
        let result = CommitResult::Failed("timed out waiting for the coordinator".into());
        self.after(self.timing.request_timeout, Step::Answer(process, Answer::Commit { id, result }));
    }

    fn park(&mut self, process: ProcessId, commit: CommitRequest, mut dice: Random) {
        let longest = self.timing.session.as_millis() as u64 * 2;
        let delay = dice.millis(&(1..=longest));
        self.after(delay, Step::Unpark(process, Box::new(commit)));
    }

    /// A commit was on the wire when the way was cut: it fails, or the client keeps it for later.
    pub(super) fn commit_cut_off(&mut self, process: ProcessId, commit: CommitRequest) {
        if commit.repeated {
            return;
        }
        let mut dice = self.random.fork();
        if dice.happens(5_000) {
            self.park(process, commit, dice);
        } else {
            self.commit_failed(process, commit.id);
        }
    }

    /// A parked commit goes out, as of the generation that the client has now.
    pub(super) fn unpark(&mut self, process: ProcessId, mut commit: CommitRequest) {
        let Some(client) = self.client(process) else { return };
        match client.membership {
            Membership::In => {
                (commit.member, commit.generation) = (client.member, client.generation);
                self.fault(Fault::CommitParked);
                self.send(process, Request::Commit(commit));
            }
            Membership::Joining => {
                let dice = self.random.fork();
                self.park(process, commit, dice);
            }
            Membership::Out => client.tell(SourceEvent::Committed(commit.id, CommitResult::Expelled)),
        }
    }

    /// A commit reaches the coordinator.
    pub(super) fn commit_arrived(&mut self, process: ProcessId, group: &Arc<str>, mut commit: CommitRequest) {
        let too_long = commit.parts.iter().any(|part| part.metadata.len() > MAX_METADATA_BYTES);
        let size = commit.parts.iter().map(|part| part.metadata.len() + 64).sum::<usize>();
        // An operator may have set the limits lower than the member was told.
        if too_long || size > MAX_COMMIT_BYTES || (!commit.repeated && self.fails(Fault::CommitTooLarge)) {
            self.fault(Fault::CommitTooLarge);
            let result = CommitResult::Failed("transport failure".into());
            return self.answer(process, Answer::Commit { id: commit.id, result });
        }
        for part in &commit.parts {
            if self.topics.get(&part.place.topic).is_none() {
                commit.refused.push((part.slot, "unknown topic or partition".into()));
            }
        }
        if !commit.repeated && self.fails(Fault::CommitEntryRefused) {
            let mut dice = self.faults.dice(Fault::CommitEntryRefused);
            let unlucky = dice.pick(&commit.parts).map(|part| (part.slot, REFUSED_BY_FAULT.to_owned()));
            commit.refused.extend(unlucky);
        }
        let (is_repeated, again) = (commit.repeated, CommitRequest { repeated: true, ..commit.clone() });
        let before = self.trace.entries().len();
        self.coordinate(group, |group, now, out| group.handle(now, process, Request::Commit(commit), out));
        match (self.trace.entries().len() > before, is_repeated) {
            (true, true) => self.fault(Fault::CommitRepeated),
            (true, false) => self.repeat(process, again),
            (false, _) => {}
        }
    }

    fn repeat(&mut self, process: ProcessId, again: CommitRequest) {
        if self.fails(Fault::CommitRepeated) {
            let longest = self.timing.request_timeout.as_millis() as u64;
            let delay = self.faults.dice(Fault::CommitRepeated).millis(&(1..=longest));
            self.after(delay, Step::Request(process, Request::Commit(again)));
        }
    }

    /// The answer that a client gets for an accepted commit, and how much later it comes.
    pub(super) fn commit_answer(&mut self, refused: Vec<(Slot, String)>) -> (CommitResult, Duration) {
        if refused.iter().any(|(_, why)| why == REFUSED_BY_FAULT) {
            self.fault(Fault::CommitEntryRefused);
        }
        if self.breaks(Fault::CommitUnanswered) {
            return (CommitResult::Failed("timed out waiting for the coordinator".into()), self.timing.request_timeout);
        }
        let late = self.breaks(Fault::CommitLate);
        let longest = self.timing.request_timeout.as_millis() as u64;
        let mut dice = self.faults.dice(Fault::CommitLate);
        let delay = if late { dice.millis(&(1..=longest)) } else { Duration::ZERO };
        (CommitResult::Accepted { refused }, delay)
    }
}
