//! Promise 2, the other half: what was finished is committed, in time and wholly.
//!
//! A commit that is sent says all that its sender had finished in the partitions it speaks of; one is under way at a time
//! (RULES 17); it comes within [`LATE`] of what it says; and who gives a partition up has said all of it, and waits for
//! the answer as long as the group waits for the partition.

use super::{Run, Terms, Violation};
use crate::broker::sim::trace::{Ended, Event, Part, Place, ProcessId, Spot, Trace};
use retrial_core::{
    event::CommitResult,
    id::{CommitId, ForwardId, Slot},
    time::Timestamp,
};
use std::{collections::BTreeMap, time::Duration};

/// An owner commits each second; the rest is what a refusal, and the spacing of commits, may add.
const LATE: Duration = Duration::from_secs(3);

/// A commit whose answer is not in for so long counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the answer to a last commit is waited for.
const LAST: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Tenure {
    /// What its owner finished at or beyond the last watermark said: leader epoch, and when.
    finished: BTreeMap<i64, (i32, Timestamp)>,
    /// Everything below was said.
    said: BTreeMap<i64, i32>,
    last: Option<(CommitId, Timestamp)>,
    answered: bool,
    revoked: Option<Timestamp>,
    /// The log was cut: what was read of it before counts no more.
    void: bool,
}

#[derive(Default)]
struct Watch {
    tenures: BTreeMap<(ProcessId, Place), (Slot, Tenure)>,
    /// Forwards, and for which assignment.
    sent: BTreeMap<(ProcessId, ForwardId), (Spot, Slot)>,
    under_way: BTreeMap<ProcessId, (CommitId, Timestamp)>,
    /// Since when nothing kept a process from committing.
    free: BTreeMap<ProcessId, Timestamp>,
    stopping: std::collections::BTreeSet<ProcessId>,
}

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    if terms.limits.is_none() {
        return Vec::new();
    }
    let (mut watch, mut violations) = (Watch::default(), Vec::new());
    for (at, (now, event)) in trace.entries().iter().enumerate() {
        let broken = watch.observe(*now, event, terms);
        violations.extend(broken.map(|what| Violation { promise: "what is finished is committed", at, what }));
    }
    violations
}

impl Watch {
    fn observe(&mut self, now: Timestamp, event: &Event, terms: &Terms) -> Option<String> {
        match event {
            Event::Offered { process, slot, place, .. } => {
                self.tenures.insert((*process, place.clone()), (*slot, Tenure::default()));
            }
            Event::OutOfRange { process, slot, .. } => {
                self.tenure(*process, *slot).into_iter().for_each(|tenure| tenure.void = true);
            }
            Event::Concluded { process, spot, ended: Ended::Done | Ended::Discarded, .. } => {
                self.finish(now, *process, spot);
            }
            Event::Forwarded { process, id, from, .. } => {
                if let Some((slot, _)) = self.tenures.get(&(*process, from.place.clone())) {
                    self.sent.insert((*process, *id), (from.clone(), *slot));
                }
            }
            Event::Acknowledged { process, id, result: Ok(()) } => {
                let sent = self.sent.remove(&(*process, *id));
                if let Some((spot, _)) = sent.filter(|(_, slot)| self.tenure(*process, *slot).is_some()) {
                    self.finish(now, *process, &spot);
                }
            }
            Event::Frozen { process, until } => drop(self.free.insert(*process, *until)),
            Event::Stopping { process } => drop(self.stopping.insert(*process)),
            Event::CommitSent { process, id, parts } => return self.sent(now, *process, *id, parts, terms),
            Event::CommitAnswered { process, id, result } => self.answered(now, *process, *id, result),
            Event::Revoking { process, slots, lost: false } => {
                for slot in slots {
                    self.tenure(*process, *slot).into_iter().for_each(|tenure| tenure.revoked = Some(now));
                }
            }
            Event::Revoking { process, slots, lost: true } => {
                self.tenures.retain(|(owner, _), (slot, _)| owner != process || !slots.contains(slot));
            }
            Event::Released { process, slot } => return self.released(now, *process, *slot),
            _ => {}
        }
        None
    }

    fn tenure(&mut self, process: ProcessId, slot: Slot) -> Option<&mut Tenure> {
        let mut own = self.tenures.iter_mut().filter(|((owner, _), (held, _))| *owner == process && *held == slot);
        own.next().map(|(_, (_, tenure))| tenure)
    }

    fn finish(&mut self, now: Timestamp, process: ProcessId, spot: &Spot) {
        if let Some((_, tenure)) = self.tenures.get_mut(&(process, spot.place.clone())) {
            tenure.finished.entry(spot.offset).or_insert((spot.epoch, now));
        }
    }

    fn sent(
        &mut self,
        now: Timestamp,
        process: ProcessId,
        id: CommitId,
        parts: &[Part],
        terms: &Terms,
    ) -> Option<String> {
        match self.under_way.insert(process, (id, now)) {
            Some((other, since)) if now.since(since) < PATIENCE => {
                return Some(format!("{process:?} sent {id:?} while {other:?}, sent at {since}, was under way"));
            }
            Some(_) => drop(self.free.insert(process, now)),
            None => {}
        }
        let free = self.free.get(&process).copied().unwrap_or_default();
        for part in parts {
            let Some((_, tenure)) = self.tenures.get_mut(&(process, part.place.clone())) else { continue };
            let runs = (terms.runs)(&part.place, part.offset, part.metadata.as_bytes());
            tenure.last = Some((id, now));
            tenure.answered = false;
            if let Some(broken) = tenure.say(now, free, part, &runs) {
                return Some(format!("{process:?} {broken}"));
            }
        }
        None
    }

    fn answered(&mut self, now: Timestamp, process: ProcessId, id: CommitId, _: &CommitResult) {
        if self.under_way.get(&process).is_some_and(|(under_way, _)| *under_way == id) {
            self.under_way.remove(&process);
        }
        let free = self.free.entry(process).or_default();
        *free = (*free).max(now);
        for (_, (_, tenure)) in self.tenures.iter_mut().filter(|((owner, _), _)| *owner == process) {
            tenure.answered |= tenure.last.is_some_and(|(last, _)| last == id);
        }
    }

    fn released(&mut self, now: Timestamp, process: ProcessId, slot: Slot) -> Option<String> {
        let key = self.tenures.iter().find(|((owner, _), (held, _))| *owner == process && *held == slot)?.0.clone();
        let (_, tenure) = self.tenures.remove(&key)?;
        let early = tenure.revoked.is_some_and(|revoked| now.since(revoked) < LAST);
        // Who stops began to leave before it was asked for the partition.
        if !early || tenure.void || self.stopping.contains(&process) {
            return None;
        }
        if let Some((id, sent)) = tenure.last.filter(|_| !tenure.answered) {
            return Some(format!("{process:?} gave up {} without the answer to {id:?}, sent at {sent}", key.1));
        }
        let unsaid = tenure.finished.keys().find(|offset| !tenure.said.contains_key(offset))?;
        Some(format!("{process:?} gave up {} without a word of offset {unsaid}, which it had finished", key.1))
    }
}

impl Tenure {
    fn say(&mut self, now: Timestamp, free: Timestamp, part: &Part, runs: &[Run]) -> Option<String> {
        if self.void {
            return None;
        }
        let inside =
            |offset: i64, epoch: i32| runs.iter().any(|run| (run.from..run.to).contains(&offset) && run.epoch == epoch);
        for (&offset, &(epoch, when)) in &self.finished {
            let covered = offset < part.offset || inside(offset, epoch);
            if !covered {
                return Some(format!("left offset {offset}, finished at {when}, out of its commit {part:?}"));
            }
            if self.said.insert(offset, epoch).is_none() && now.since(when.max(free)) > LATE {
                return Some(format!("said only now that offset {offset} of {} was finished at {when}", part.place));
            }
        }
        self.finished.retain(|&offset, _| offset >= part.offset);
        self.said.retain(|&offset, _| offset >= part.offset);
        None
    }
}
