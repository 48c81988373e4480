//! The test of one suspect: announced, started, watched, and what its end means.

use super::{Stage, Test};
use crate::{
    engine::{Engine, later},
    event::{Actions, Finished, Notice, Payload},
    suspects::LASTING,
    time::Timestamp,
};
use std::sync::Arc;

impl<R: Payload> Engine<R> {
    /// Announces the chosen one as soon as nothing else runs, or what runs would not end.
    pub(super) fn prepare(&mut self, now: Timestamp, out: &mut Actions<R>) {
        let Some(test) = self.careful.test.take_if(|test| matches!(test.stage, Stage::Clearing(_))) else { return };
        let slot = test.ticket.slot;
        let alone = self.budget.total() == 0;
        if !alone && later(test.since, self.time_alone(slot)) > now {
            self.careful.test = Some(test);
            return;
        }
        let Stage::Clearing(work) = test.stage else { return };
        let Some(partition) = self.partition_mut(slot) else { return };
        let epoch = partition.ledger.epoch_of(test.offset);
        let Some(suspects) = partition.suspects.as_deref_mut() else { return };
        let crashes = u32::try_from(suspects.crashes(test.offset).len()).unwrap_or(u32::MAX);
        suspects.announce(test.offset, epoch, now, alone);
        self.tell_soon(slot);
        Self::notice(out, Notice::SuspectAnnounced { slot, offset: test.offset, crashes, alone });
        self.careful.test = Some(Test { alone, since: now, stage: Stage::Announcing(work, false), ..test });
    }

    pub(super) fn start_announced(&mut self, now: Timestamp, out: &mut Actions<R>) {
        let waits = self.commit.lease_expired() || self.careful.untold.is_some();
        let Some(test) = &mut self.careful.test else { return };
        let Stage::Announced(work) = &test.stage else { return };
        let startable = self.partitions.get(work.ticket.slot.index as usize).and_then(Option::as_ref);
        let startable = startable.is_some_and(|partition| partition.slot == work.ticket.slot && partition.may_start());
        if waits || !startable || !self.budget.take(test.topic) {
            return;
        }
        test.since = now;
        let Stage::Announced(work) = std::mem::replace(&mut test.stage, Stage::Running) else { return };
        self.topics[work.topic.0 as usize].begin(work.class);
        if let Some(partition) = self.partition_mut(work.ticket.slot) {
            partition.in_flight += 1;
            partition.started = partition.started.max(work.ticket.sequence + 1);
        }
        out.work.push(work);
    }

    pub(super) fn watch_running(&mut self, now: Timestamp, out: &mut Actions<R>) {
        let Some(test) = self.careful.test.take_if(|test| matches!(test.stage, Stage::Running)) else { return };
        let (slot, offset) = (test.ticket.slot, test.offset);
        if later(test.since, self.time_alone(slot)) <= now {
            return self.survived(&test, true, out);
        }
        if later(test.since, LASTING) <= now && self.suspects_mut(slot).is_some_and(|suspects| suspects.lasts(offset)) {
            self.tell_soon(slot);
        }
        self.careful.test = Some(test);
    }

    /// Looks for the end of the test among attempts that ended, before they are settled.
    pub(in crate::engine) fn look_for_test(&mut self, ended: &mut [Finished<R>], out: &mut Actions<R>) {
        let Some(ticket) = self.careful.running() else { return };
        let Some(ended) = ended.iter_mut().find(|ended| ended.ticket() == ticket) else { return };
        let Some(test) = self.careful.test.take() else { return };
        match ended {
            Finished::Done { .. } | Finished::Other(_) => self.survived(&test, false, out),
            Finished::Abandoned { .. } => self.call_off(ticket.slot, test.offset),
            Finished::Unstarted(work) => {
                self.call_off(ticket.slot, test.offset);
                // It comes back as ready work, and its crashes are counted then.
                let known = self.suspected(ticket).map_or(0, |(offset, suspects)| suspects.crashes(offset).len());
                if let Some(history) = work.history.as_mut().map(Arc::make_mut) {
                    history.crashes = history.crashes.saturating_sub(u32::try_from(known).unwrap_or(u32::MAX));
                }
            }
        }
    }
}
