//! Who is tested next, and how long everything else waits for it.

use super::{Stage, Test};
use crate::{
    engine::{
        Engine, later,
        partition::{Partition, Phase},
    },
    event::{Actions, Notice, Payload, Work},
    id::{Slot, TopicIndex},
    snapshot::MAX_MARKS,
    suspects::{ALONE, FOR_ALL, Standing, Suspects},
    time::Timestamp,
};
use std::time::Duration;

/// So many records are shown all the same: those of one key run one after the other.
const LEAST_SHOWN: usize = 8;

impl<R: Payload> Engine<R> {
    /// The longest that ordinary work waits for suspects that were not read yet.
    pub(super) fn gathers_until(&self, now: Timestamp) -> Option<Timestamp> {
        let owned = self.partitions.iter().flatten().filter(|partition| partition.phase == Phase::Owned);
        let until = |partition: &Partition<R>| partition.suspects.as_ref()?.gathers_until(partition.ledger.next());
        owned.filter_map(until).filter(|&until| until > now).max()
    }

    /// Unfinished records that a partition shows as started before they are: together as many as can run at once, since
    /// each of them is a suspect if this process vanishes.
    pub(in crate::engine) fn window(&self) -> usize {
        let owned = self.partitions.iter().flatten().filter(|partition| partition.phase == Phase::Owned).count();
        (self.config.service_limit / owned.max(1)).clamp(LEAST_SHOWN, MAX_MARKS)
    }

    pub(super) fn time_for_all(&self) -> Duration {
        let suspects = self.partitions.iter().flatten().filter_map(|partition| partition.suspects.as_ref());
        suspects.map(|suspects| suspects.time_for_all()).max().unwrap_or(FOR_ALL)
    }

    pub(super) fn time_alone(&self, slot: Slot) -> Duration {
        let suspects = self.partition(slot).and_then(|partition| partition.suspects.as_ref());
        suspects.map_or(ALONE, |suspects| suspects.time_alone())
    }

    /// Lets ordinary work go on if it has waited for too long.
    pub(super) fn give_up_waiting(&mut self, now: Timestamp, out: &mut Actions<R>) {
        let limit = self.time_for_all();
        if self.careful.began.is_none_or(|began| later(began, limit) > now) {
            return;
        }
        match self.careful.test.take() {
            Some(test) if matches!(test.stage, Stage::Running) => self.survived(&test, true, out),
            Some(Test { ticket, offset, stage, .. }) => {
                self.call_off(ticket.slot, offset);
                if let Stage::Clearing(work) | Stage::Announcing(work, _) | Stage::Announced(work) = stage {
                    self.careful.queue.push_front(work);
                }
            }
            None => {}
        }
        for work in std::mem::take(&mut self.careful.queue) {
            let Some((offset, suspects)) = self.suspected(work.ticket) else { continue };
            if suspects.crashes(offset).is_empty() {
                self.suspects_mut(work.ticket.slot).into_iter().for_each(|suspects| suspects.acquit(offset));
                self.topics[work.topic.0 as usize].push(work);
            } else {
                self.careful.aside.push(work);
            }
        }
        self.careful.again_at = later(now, limit);
    }

    /// Chooses who is tested next, and says when careful mode begins and ends.
    pub(super) fn choose(&mut self, now: Timestamp, out: &mut Actions<R>) {
        if self.careful.test.is_some() || self.gathers_until(now).is_some() {
            return;
        }
        let next =
            self.next_suspect(now).and_then(|work| self.suspected(work.ticket).map(|(offset, _)| (work, offset)));
        let Some((work, offset)) = next else {
            if self.careful.untold.is_none() && self.careful.began.take().is_some() {
                Self::notice(out, Notice::CarefulEnded);
                self.tell_all();
            }
            return;
        };
        if self.careful.began.is_none() {
            self.careful.began = Some(now);
            let suspects = 1 + self.careful.queue.len() + self.careful.aside.len();
            Self::notice(out, Notice::CarefulBegan { suspects });
            self.tell_all();
        }
        let (ticket, topic) = (work.ticket, work.topic);
        let stage = Stage::Clearing(work);
        self.careful.test = Some(Test { ticket, topic, offset, alone: true, since: now, stage });
    }

    fn next_suspect(&mut self, now: Timestamp) -> Option<Work<R>> {
        if now < self.careful.again_at || self.commit.lease_expired() {
            return None;
        }
        if let Some(index) = self.first_in_line(now) {
            return self.careful.queue.remove(index);
        }
        let mut without = None;
        let mut unwitnessed = Vec::new();
        for (index, work) in self.careful.aside.iter().enumerate() {
            let Some((offset, suspects)) = self.suspected(work.ticket) else { continue };
            let startable = self.is_startable(now, work);
            match suspects.again_at(offset) {
                (quiet, None) if quiet <= now && startable => return Some(self.careful.aside.remove(index)),
                (_, Some(alone)) => {
                    without = without.or((alone <= now && startable).then_some(index));
                    unwitnessed.push(work.topic);
                }
                _ => {}
            }
        }
        // A witness first: what could be one now may be done by the time that it is asked for.
        unwitnessed.dedup();
        let witness = unwitnessed.into_iter().find_map(|topic| self.draft(now, topic));
        witness.or_else(|| without.map(|index| self.careful.aside.remove(index)))
    }

    /// Who was in company when a process vanished; else anyone: where there are more long ones than can be tested in time,
    /// each has its chance at one owner or another.
    fn first_in_line(&mut self, now: Timestamp) -> Option<usize> {
        let line: Vec<usize> = self
            .careful
            .queue
            .iter()
            .enumerate()
            .filter(|(_, work)| self.is_startable(now, work))
            .map(|(index, _)| index)
            .collect();
        let is_first = |&index: &usize| {
            let known = self.suspected(self.careful.queue[index].ticket);
            known.is_some_and(|(offset, suspects)| suspects.standing(offset) == Standing::First)
        };
        if let Some(first) = line.iter().copied().find(is_first) {
            return Some(first);
        }
        let chance = self.next_random() as usize % line.len().max(1);
        line.get(chance).copied()
    }

    fn is_startable(&self, now: Timestamp, work: &Work<R>) -> bool {
        let free = self.topics[work.topic.0 as usize].held_until(now).is_none();
        free && self.partition(work.ticket.slot).is_some_and(|partition| partition.may_start())
    }

    /// An ordinary record of this topic, to be a witness.
    fn draft(&mut self, now: Timestamp, topic: TopicIndex) -> Option<Work<R>> {
        if self.topics[topic.0 as usize].held_until(now).is_some() {
            return None;
        }
        while let Some(work) = self.topics[topic.0 as usize].draft() {
            let Some(partition) = self.partition_mut(work.ticket.slot) else { continue };
            let Some(offset) = partition.offset(work.ticket) else { continue };
            if !partition.may_start() {
                // Blocked, or beside what is left over of a log that was cut.
                if partition.phase == Phase::Owned {
                    partition.parked.push(work);
                }
                continue;
            }
            let suspects = partition.suspects.get_or_insert_with(|| Box::new(Suspects::drafting(now)));
            if suspects.draft(offset) {
                return Some(work);
            }
            self.topics[topic.0 as usize].push(work);
            return None;
        }
        None
    }
}
