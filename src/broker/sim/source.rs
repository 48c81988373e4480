//! The port [`Source`] on the simulated cluster.
//!
//! A call may be the last of its process: then, and from then on, nothing of it reaches the cluster.

use super::{
    cluster::{Cluster, State},
    faults::Fault,
    fetch::Ready,
    trace::{Event, ProcessId},
};
use crate::{
    broker::{Source, SourceEvent, Waker},
    record::Meter,
};
use retrial_core::{
    event::CommitEntry,
    id::{CommitId, Slot},
};
use std::{
    cell::RefMut,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// The consumer of one process.
pub(crate) struct SimSource {
    cluster: Cluster,
    process: ProcessId,
    meter: Arc<Meter>,
}

impl SimSource {
    /// Joins the process to the group it was started for, reading every topic whose name fits, also later ones.
    pub(crate) fn join(
        cluster: &Cluster,
        process: ProcessId,
        group: &str,
        wants: impl Fn(&str) -> bool + 'static,
        meter: Arc<Meter>,
    ) -> Self {
        cluster.state().connect(process, &group.into(), Rc::new(wants));
        Self { cluster: cluster.clone(), process, meter }
    }

    fn enter(&self) -> Option<RefMut<'_, State>> {
        enter(&self.cluster, self.process)
    }

    fn serve(&self, events: &mut Vec<SourceEvent>) -> Option<Vec<Slot>> {
        let (mut state, process) = (self.enter()?, self.process);
        let now = state.now;
        let broken = state.client(process)?.broken;
        let fatal = !broken && !state.is_spared(process) && state.breaks(Fault::Fatal);
        let client = state.client(process)?;
        client.last_poll = now;
        if fatal {
            client.broken = true;
            client.events.push_back(SourceEvent::Fatal("fenced by another instance".into()));
        }
        let (silent, told) = (client.broken, std::mem::take(&mut client.events));
        for event in &told {
            state.told(process, event);
        }
        events.extend(told);
        (!silent).then(|| state.ready(process))
    }
}

/// Enters the cluster for one call of a port, if the process lives to make it.
pub(super) fn enter(cluster: &Cluster, process: ProcessId) -> Option<RefMut<'_, State>> {
    let mut state = cluster.state();
    state.client(process)?;
    if !state.is_spared(process) && state.breaks(Fault::Crash) {
        state.kill(process);
        return None;
    }
    Some(state)
}

impl Source for SimSource {
    fn poll(&mut self, room: &mut dyn FnMut(Slot) -> usize, events: &mut Vec<SourceEvent>) {
        let held = self.meter.held();
        for slot in self.serve(events).unwrap_or_default() {
            let room = room(slot);
            if room == 0 {
                continue;
            }
            match self.cluster.state().take(self.process, slot, room, &self.meter, held) {
                Some(Ready::Records(batch)) => events.push(SourceEvent::Records(slot, batch)),
                Some(Ready::OutOfRange(log)) => events.push(SourceEvent::OutOfRange(slot, log)),
                None => {}
            }
        }
    }

    fn start(&mut self, slot: Slot, offset: i64) {
        if let Some(mut state) = self.enter() {
            state.start(self.process, slot, offset);
        }
    }

    fn commit(&mut self, id: CommitId, entries: Vec<CommitEntry>) {
        if let Some(mut state) = self.enter() {
            state.commit(self.process, id, entries);
        }
    }

    fn release(&mut self, slots: &[Slot]) {
        if let Some(mut state) = self.enter() {
            state.release(self.process, slots);
        }
    }

    fn leave(&mut self) {
        if let Some(mut state) = self.enter() {
            state.leave(self.process);
        }
    }

    fn trim(&mut self, slot: Slot, before: i64) {
        if let Some(mut state) = self.enter() {
            state.ask_trim(self.process, slot, before);
        }
    }

    /// Returns at once: time passes only when the cluster is advanced, by whoever runs the members.
    fn wait(&mut self, _limit: Duration) {}

    fn waker(&self) -> Waker {
        let state = self.cluster.state();
        let awake = state.clients.get(&self.process).map(|client| Arc::clone(&client.awake));
        let alarm = state.alarm.clone();
        Waker::new(move || {
            awake.iter().for_each(|awake| awake.store(true, Ordering::Relaxed));
            alarm.iter().for_each(Waker::wake);
        })
    }

    fn close(self: Box<Self>, _limit: Duration) {
        self.cluster.state().kill(self.process);
    }
}

impl State {
    /// Writes down what a member is handed.
    fn told(&mut self, process: ProcessId, event: &SourceEvent) {
        match event {
            SourceEvent::Offered(offers) => {
                for offer in offers {
                    let slots = self.clients.get(&process).map(|client| &client.slots);
                    if let Some(assigned) = slots.and_then(|slots| slots.get(&offer.slot)) {
                        let (slot, place, committed) = (offer.slot, assigned.place.clone(), offer.committed.clone());
                        let end = self.topics.range(&place).end;
                        let holds = assigned.is_ours && committed.as_ref().is_none_or(|read| read.offset <= end);
                        self.seen(Event::Offered { process, slot, place, committed, holds });
                    }
                }
            }
            SourceEvent::Revoking { slots, lost } => {
                self.seen(Event::Revoking { process, slots: slots.clone(), lost: *lost });
            }
            SourceEvent::Committed(id, result) => {
                self.seen(Event::CommitAnswered { process, id: *id, result: result.clone() });
            }
            SourceEvent::Left => self.seen(Event::Left { process }),
            SourceEvent::Records(..)
            | SourceEvent::OutOfRange(..)
            | SourceEvent::Unreadable(..)
            | SourceEvent::Readable(_)
            | SourceEvent::Cut { .. }
            | SourceEvent::MadeAnew { .. }
            | SourceEvent::Trouble(_)
            | SourceEvent::Fatal(_) => {}
        }
    }
}
