//! Answers to rebalances, and the starts of partitions.

use super::{
    consumer::KafkaSource,
    ffi::{self, OffsetList, Refusal},
    rebalance::{Partition, Step},
    slots::{Flow, Held},
};
use crate::broker::SourceEvent;
use retrial_core::id::Slot;
use std::time::{Duration, Instant};

/// How long librdkafka's main thread may take to move a position; it takes microseconds unless the machine stands still.
const MOVE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(500);

impl KafkaSource {
    /// Does what the oldest rebalance events need, in order, until one waits for somebody else.
    pub(super) fn answer_rebalances(&mut self, events: &mut Vec<SourceEvent>) {
        while let Some(step) = self.rebalances.step() {
            match step {
                Step::LookUp(partitions) => self.client.asker().offsets(partitions),
                Step::Assign(slots) => {
                    if slots.is_empty() {
                        // There are more members than partitions: this one stands by.
                        events.push(SourceEvent::Offered(Vec::new()));
                    }
                    self.assign(&slots);
                }
                Step::Tell { partitions, lost } => self.tell(&partitions, lost, events),
                Step::Unassign(slots) => self.unassign(&slots),
            }
        }
    }

    fn tell(&mut self, partitions: &[Partition], lost: bool, events: &mut Vec<SourceEvent>) {
        let held = partitions.iter().filter_map(|partition| self.slots.of(partition).map(|held| held.slot));
        let slots: Vec<Slot> = held.collect();
        self.rebalances.told(slots.clone());
        if !slots.is_empty() {
            events.push(SourceEvent::Revoking { slots, lost });
        }
    }

    /// Answers an assignment with what was started of it.
    fn assign(&mut self, slots: &[Slot]) {
        let mut list = OffsetList::new(slots.len());
        let mut started = Vec::with_capacity(slots.len());
        for &slot in slots {
            let Some(held) = self.slots.get(slot) else { continue };
            if let Some((offset, _)) = held.wanted {
                add(&mut list, held, offset);
                started.push(slot);
            }
        }
        match ffi::assign(&self.client, &list) {
            Ok(()) => started.iter().for_each(|&slot| self.started(slot)),
            Err(refusal) => {
                self.trouble(format!("an assignment was refused: {refusal}"));
                // The group must have its answer; the partitions are tried one by one as later starts.
                self.answered(ffi::assign(&self.client, &OffsetList::new(0)));
            }
        }
        self.after_answer();
    }

    /// Answers a revocation. The handles of the queues go first.
    fn unassign(&mut self, slots: &[Slot]) {
        let removed: Vec<Held> = slots.iter().filter_map(|&slot| self.slots.remove(slot)).collect();
        slots.iter().for_each(|slot| self.marks.clear(slot.index));
        let partitions: Vec<Partition> =
            removed.into_iter().filter(|held| held.assigned).map(|held| held.partition).collect();
        if let Err(refusal) = ffi::unassign(&self.client, &plain(&partitions)) {
            self.trouble(format!("a revocation was refused: {refusal}"));
            for partition in partitions {
                self.answered(ffi::unassign(&self.client, &plain(&[partition])));
            }
            self.answered(ffi::unassign(&self.client, &OffsetList::new(0)));
        }
        self.after_answer();
    }

    /// After every answer the fetching threads must be woken, and held queues rid of what the pause made void.
    fn after_answer(&mut self) {
        self.sift = true;
        self.busy = true;
        if !self.leaving && !self.broken {
            let reading = self.slots.iter().filter(|held| held.assigned && held.flow == Flow::Reading);
            self.client.asker().nudge(reading.map(|held| held.partition.clone()).collect());
        }
    }

    /// Carries out starts whose rebalance was answered already, moves of running partitions, and steps back after errors.
    pub(super) fn carry_out_starts(&mut self, now: Instant) {
        if self.errands.is_empty() {
            return;
        }
        for slot in std::mem::take(&mut self.errands) {
            let Some(held) = self.slots.get(slot).filter(|held| held.flow != Flow::Revoked) else { continue };
            let Some((offset, due)) = held.wanted else { continue };
            if due > now {
                self.errands.push(slot);
                continue;
            }
            match self.move_to(slot, offset) {
                Ok(true) => self.started(slot),
                Ok(false) => self.errands.push(slot),
                Err(refusal) => self.start_later(slot, offset, now, &refusal),
            }
        }
    }

    fn start_later(&mut self, slot: Slot, offset: i64, now: Instant, refusal: &Refusal) {
        let Some(held) = self.slots.get(slot) else { return };
        held.flow = Flow::Waiting;
        held.wanted = Some((offset, now + PAUSE));
        let Partition { topic, number } = held.partition.clone();
        self.errands.push(slot);
        self.trouble(format!("{topic}/{number} was not started at {offset}: {refusal}"));
    }

    /// Whether the partition is at the offset now; if not, because a rebalance is under way, it is to be tried again.
    fn move_to(&mut self, slot: Slot, offset: i64) -> Result<bool, Refusal> {
        let steady = self.rebalances.is_empty() && self.consumer_queue.len() == 0;
        let Some(held) = self.slots.get(slot) else { return Ok(true) };
        let mut list = OffsetList::new(1);
        add(&mut list, held, offset);
        if held.assigned && !held.stopped {
            ffi::seek(&self.client, &mut list, MOVE)?;
            if list.iter().all(|listed| listed.error().is_ok()) {
                return Ok(true);
            }
            // librdkafka does not seek a partition that an error has stopped; it can only be assigned anew.
            held.stopped = true;
        }
        if held.assigned {
            // A removal is taken as the answer to a revocation that is under way.
            if !steady {
                return Ok(false);
            }
            let partition = held.partition.clone();
            ffi::unassign(&self.client, &plain(&[partition]))?;
            held.assigned = false;
        }
        // An addition beside the rebalances does no harm at any time.
        ffi::assign(&self.client, &list)?;
        Ok(true)
    }

    fn started(&mut self, slot: Slot) {
        let Some(held) = self.slots.get(slot) else { return };
        if let Some((offset, _)) = held.wanted.take() {
            held.next = offset;
        }
        held.assigned = true;
        held.stopped = false;
        held.in_hand.clear();
        held.flow = Flow::Reading;
        // What came before the callback was set gave no ring.
        self.marks.set(slot.index);
        self.busy = true;
    }

    fn trouble(&mut self, text: String) {
        self.told.push(SourceEvent::Trouble(text));
    }

    fn answered(&mut self, result: Result<(), Refusal>) {
        if let Err(refusal) = result {
            self.trouble(format!("a rebalance could not be answered: {refusal}"));
        }
    }
}

fn add(list: &mut OffsetList, held: &Held, offset: i64) {
    let epoch = held.epoch_before(offset);
    list.add(&held.partition.topic, held.partition.number, offset).leader_epoch(epoch);
}

fn plain(partitions: &[Partition]) -> OffsetList {
    let mut list = OffsetList::new(partitions.len());
    for partition in partitions {
        list.add(&partition.topic, partition.number, -1001);
    }
    list
}
