//! Reading partitions: what a client fetches ahead, and what its owner takes.
//!
//! What was fetched stays fetched: records that were deleted or truncated since are still delivered, as a real
//! client delivers them. A position that does not exist, or that an unclean election cut away, is told once what was
//! fetched before it is taken.

use super::{
    cluster::{State, Step},
    faults::Fault,
    log::Stored,
    trace::{Event, Place, ProcessId, Removal},
};
use crate::{
    broker::SourceEvent,
    record::{Batch, BatchBuilder, Meter, Position},
};
use retrial_core::{event::LogRange, id::Slot};
use std::{collections::VecDeque, rc::Rc, sync::Arc};

/// One assigned partition of a client.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) place: Place,
    pub(super) stage: Stage,
    /// Offset and leader epoch of the commit it was offered with.
    pub(super) committed: Option<(i64, i32)>,
    /// Whether that commit was meant for this creation of the topic.
    pub(super) is_ours: bool,
}

/// How far the owner is with a partition.
#[derive(Debug)]
pub(super) enum Stage {
    /// Waits to be started.
    Offered,
    /// Is read.
    Reading(Reading),
    /// Is being given up.
    Revoking,
}

/// A partition that is read.
#[derive(Debug)]
pub(super) struct Reading {
    fetched: VecDeque<Rc<Stored>>,
    /// The next offset to fetch, and the epoch of the record before it.
    next: i64,
    epoch: i32,
    /// A fetch is under way.
    asked: bool,
    /// The position is not in the log; told or not.
    failed: Option<(LogRange, bool)>,
}

/// What a slot has for its owner.
pub(super) enum Ready {
    Records(Arc<Batch>),
    OutOfRange(LogRange),
}

impl State {
    /// The owner says where to begin.
    pub(super) fn start(&mut self, process: ProcessId, slot: Slot, offset: i64) {
        let Some(client) = self.clients.get_mut(&process).filter(|client| client.alive) else { return };
        let Some(assigned) = client.slots.get_mut(&slot) else {
            return self.misuse(process, format!("start of {slot:?}, which is not assigned"));
        };
        if matches!(assigned.stage, Stage::Revoking) {
            return;
        }
        // A position that goes back keeps what was known of the log below it, so that the next cut is noticed too; at
        // the start of the log there is nothing below it.
        let is_start = self.topics.log(&assigned.place).is_some_and(|log| offset <= log.range().start);
        let epoch = match &assigned.stage {
            Stage::Reading(_) if is_start => -1,
            Stage::Reading(before) if offset <= before.next => before.epoch,
            _ => assigned.committed.filter(|&(committed, _)| committed == offset).map_or(-1, |(_, epoch)| epoch),
        };
        let reading = Reading { fetched: VecDeque::new(), next: offset, epoch, asked: false, failed: None };
        assigned.stage = Stage::Reading(reading);
        self.seen(Event::Started { process, slot, offset });
        self.fetch(process, slot);
    }

    /// Asks for more of a partition, unless enough is there or was asked for.
    pub(super) fn fetch(&mut self, process: ProcessId, slot: Slot) {
        let prefetch = self.timing.prefetch;
        let Some(reading) = self.reading(process, slot) else { return };
        if !reading.asked && reading.failed.is_none() && reading.fetched.len() < prefetch {
            reading.asked = true;
            let delay = self.random.millis(&self.timing.fetch.clone());
            self.after(delay, Step::Fetched(process, slot));
        }
    }

    fn reading(&mut self, process: ProcessId, slot: Slot) -> Option<&mut Reading> {
        match &mut self.client(process)?.slots.get_mut(&slot)?.stage {
            Stage::Reading(reading) => Some(reading),
            Stage::Offered | Stage::Revoking => None,
        }
    }

    /// A fetch is answered.
    pub(super) fn fetched(&mut self, process: ProcessId, slot: Slot) {
        let prefetch = self.timing.prefetch;
        let Self { topics, clients, .. } = self;
        let Some(client) = clients.get_mut(&process).filter(|client| client.alive) else { return };
        let Some(Assigned { place, stage: Stage::Reading(reading), .. }) = client.slots.get_mut(&slot) else { return };
        if !std::mem::take(&mut reading.asked) {
            return;
        }
        let Some(log) = topics.log(place) else { return };
        let range = log.range();
        if let Some(parted) = log.divergence(reading.next, reading.epoch) {
            // What the log shares with what was read ends here, however far it has grown since.
            reading.failed = Some((LogRange { start: range.start, end: parted.max(range.start) }, false));
        } else if !(range.start..=range.end).contains(&reading.next) {
            reading.failed = Some((range, false));
        } else {
            let wanted = prefetch.saturating_sub(reading.fetched.len());
            let (before, position) = (reading.fetched.len(), reading.next);
            reading.fetched.extend(log.read(reading.next, wanted).map(Rc::clone));
            let all = reading.fetched.len() - before < wanted;
            if let Some(last) = reading.fetched.back() {
                (reading.next, reading.epoch) = (last.offset + 1, last.epoch);
            }
            if all {
                reading.next = range.end;
            }
            // A client goes by the batches it has passed, also those that hold no record for it.
            if reading.next > position {
                reading.epoch = log.epoch_of(reading.next - 1).unwrap_or(reading.epoch);
            }
            if reading.fetched.len() == before {
                return;
            }
        }
        client.wake();
    }

    /// Records were appended: whoever reads there asks for them.
    pub(super) fn feed(&mut self, place: &Place) {
        let mut readers = Vec::new();
        for (&process, client) in &self.clients {
            let slots = client.slots.iter().filter(|(_, assigned)| assigned.place == *place);
            readers.extend(slots.map(|(&slot, _)| (process, slot)));
        }
        readers.into_iter().for_each(|(process, slot)| self.fetch(process, slot));
    }

    /// Slots that may have something for their owner now. None has while a rebalance waits for its answer.
    pub(super) fn ready(&mut self, process: ProcessId) -> Vec<Slot> {
        let Some(client) = self.client(process).filter(|client| client.rebalances.is_empty()) else {
            return Vec::new();
        };
        let has = |assigned: &Assigned| match &assigned.stage {
            Stage::Reading(reading) => !reading.fetched.is_empty() || matches!(reading.failed, Some((_, false))),
            Stage::Offered | Stage::Revoking => false,
        };
        client.slots.iter().filter(|(_, assigned)| has(assigned)).map(|(&slot, _)| slot).collect()
    }

    /// Takes at most `room` records of a slot, or the news that there are none to come.
    pub(super) fn take(
        &mut self,
        process: ProcessId,
        slot: Slot,
        room: usize,
        meter: &Arc<Meter>,
        held: usize,
    ) -> Option<Ready> {
        let reading = self.reading(process, slot)?;
        if reading.fetched.is_empty() {
            let (range, told) = reading.failed.as_mut().filter(|(_, told)| !told)?;
            *told = true;
            let log = *range;
            self.seen(Event::OutOfRange { process, slot, log });
            return Some(Ready::OutOfRange(log));
        }
        let count = room.min(reading.fetched.len());
        let place = self.client(process)?.slots.get(&slot)?.place.clone();
        let reading = self.reading(process, slot)?;
        let mut batch = BatchBuilder::new(place.topic, place.partition, count, Arc::clone(meter));
        let (mut first, mut last) = (None, 0);
        while batch.len() < count && !batch.is_full() {
            let Some(record) = reading.fetched.pop_front() else { break };
            let Stored { offset, epoch, time, message } = &*record;
            let headers = message.headers.iter().map(|(name, value)| (&name[..], value.as_deref()));
            let position = Position { offset: *offset, leader_epoch: *epoch, time: *time };
            batch.push(position, message.key.as_deref(), message.body.as_deref(), headers);
            first.get_or_insert(*offset);
            last = *offset;
        }
        let (first, count) = (first?, batch.len());
        self.seen(Event::Delivered { process, slot, first, last, count, held });
        self.felt_clock(process);
        self.fetch(process, slot);
        Some(Ready::Records(batch.finish()))
    }

    /// The owner wants records of its tier deleted.
    pub(super) fn ask_trim(&mut self, process: ProcessId, slot: Slot, before: i64) {
        let delay = self.latency();
        let Some(client) = self.client(process) else { return };
        match client.places.get(&slot).cloned() {
            Some(place) => self.after(delay, Step::Trim(process, place, before)),
            None => self.misuse(process, format!("trim of {slot:?}, which was never assigned")),
        }
    }

    /// DeleteRecords arrives.
    pub(super) fn trim(&mut self, process: ProcessId, place: Place, before: i64) {
        if self.breaks(Fault::TrimFailed) {
            if let Some(client) = self.client(process) {
                client.tell(SourceEvent::Trouble(format!("records of {place} could not be deleted: not authorized")));
            }
            return;
        }
        if let Some(log) = self.topics.log_mut(&place) {
            let gone = log.delete_before(before);
            self.removed(place, gone, Removal::Trimmed);
        }
    }
}
