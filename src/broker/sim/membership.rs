//! Rounds and rebalances of one client: cooperative, in order, one at a time.
//!
//! # What it does as librdkafka does
//! 1. What a round takes away is revoked first; what it gives is assigned next; then it joins again, so that others
//!    get what it gave up.
//! 2. While a rebalance waits to be answered, no partition delivers and the client does not join.
//! 3. News of a loss waits behind a revocation that is being answered, and covers what is left.

use super::{
    client::{Client, Leaving, Membership},
    cluster::{State, Step},
    faults::Fault,
    fetch::{Assigned, Stage},
    group::{Kept, MemberId, Request},
    topics::topic_id,
    trace::{Place, ProcessId},
};
use crate::{broker::SourceEvent, broker::sim::assignor::Claim};
use retrial_core::{
    event::{CommitResult, Offer, Past},
    id::Slot,
};
use std::collections::BTreeSet;

/// A rebalance that the owner has not answered yet.
#[derive(Debug)]
pub(super) enum Rebalance {
    /// Offsets are to be read, then the partitions are offered. The number tells which reading is awaited.
    Assign { places: Vec<Place>, reading: Option<u64> },
    /// These, or where there are none everything, are to be given up.
    Revoke { slots: Option<Vec<Slot>>, lost: bool },
    /// The owner was told, and has these left to release.
    Releasing { left: BTreeSet<Slot>, lost: bool },
}

impl State {
    /// Joins the group, now or as soon as the client may.
    pub(super) fn join(&mut self, process: ProcessId) {
        let Some(client) = self.client(process) else { return };
        if client.leaving != Leaving::No || client.broken {
            return;
        }
        if client.membership == Membership::Joining || !client.rebalances.is_empty() {
            client.rejoin = true;
            return;
        }
        let wants = std::rc::Rc::clone(&client.wants);
        let view: BTreeSet<Place> = self.topics.places(|topic| wants(topic)).collect();
        let Some(client) = self.client(process) else { return };
        let owned = client.slots.values().map(|assigned| assigned.place.clone()).collect();
        let claim = Claim { generation: client.generation, owned, wanted: view.clone() };
        (client.view, client.membership, client.rejoin) = (view, Membership::Joining, false);
        let member = client.member;
        self.send(process, Request::Join { member, claim });
    }

    /// The coordinator asks for a round.
    pub(super) fn rejoin(&mut self, process: ProcessId, joining: bool) {
        let Some(client) = self.client(process) else { return };
        match client.membership {
            Membership::Joining if joining => client.membership = Membership::In,
            Membership::In if !joining => {}
            _ => return,
        }
        self.join(process);
    }

    /// A round ended for this client.
    pub(super) fn joined(&mut self, process: ProcessId, member: MemberId, generation: i32, assigned: Vec<Place>) {
        let Some(client) = self.client(process) else { return };
        if client.membership != Membership::Joining || client.leaving == Leaving::Said {
            return;
        }
        (client.member, client.generation, client.membership) = (Some(member), generation, Membership::In);
        client.unpark_all(&CommitResult::Rebalancing);
        if client.leaving == Leaving::No {
            let assigned: BTreeSet<Place> = assigned.into_iter().collect();
            let owned: BTreeSet<Place> = client.slots.values().map(|assigned| assigned.place.clone()).collect();
            let taken = client.slots.iter().filter(|(_, held)| !assigned.contains(&held.place));
            let slots: Vec<Slot> = taken.map(|(&slot, _)| slot).collect();
            if !slots.is_empty() {
                client.rebalances.push_back(Rebalance::Revoke { slots: Some(slots), lost: false });
            }
            let places: Vec<Place> = assigned.difference(&owned).cloned().collect();
            if !places.is_empty() {
                client.rebalances.push_back(Rebalance::Assign { places, reading: None });
            }
        }
        self.next_rebalance(process);
    }

    /// The group does not know the client, or its generation, any more.
    pub(super) fn fenced(&mut self, process: ProcessId, known: bool, joining: bool) {
        let Some(client) = self.client(process) else { return };
        if joining != (client.membership == Membership::Joining) || client.membership == Membership::Out {
            return;
        }
        if !known {
            client.member = None;
        }
        (client.generation, client.membership) = (-1, Membership::Out);
        client.unpark_all(&CommitResult::Expelled);
        client.rebalances.retain(|rebalance| matches!(rebalance, Rebalance::Releasing { .. }));
        client.rebalances.push_back(Rebalance::Revoke { slots: None, lost: true });
        self.next_rebalance(process);
    }

    /// Goes on with the first rebalance that waits, or joins or leaves when none does.
    pub(super) fn next_rebalance(&mut self, process: ProcessId) {
        let Some(client) = self.client(process) else { return };
        match client.rebalances.front_mut() {
            Some(Rebalance::Assign { places, reading: reading @ None }) => {
                client.offsets_asked += 1;
                let number = client.offsets_asked;
                *reading = Some(number);
                let places = places.clone();
                self.send(process, Request::Offsets { number, places });
            }
            Some(Rebalance::Revoke { slots, lost }) => {
                let (slots, lost) = (slots.take(), *lost);
                client.rebalances.pop_front();
                self.revoke(process, slots, lost);
            }
            Some(_) => {}
            None if client.leaving == Leaving::Asked => self.say_goodbye(process),
            None if client.rejoin || client.membership == Membership::Out => self.join(process),
            None => {}
        }
    }

    fn revoke(&mut self, process: ProcessId, slots: Option<Vec<Slot>>, lost: bool) {
        let Some(client) = self.client(process) else { return };
        let slots = slots.unwrap_or_else(|| client.slots.keys().copied().collect());
        for slot in &slots {
            if let Some(assigned) = client.slots.get_mut(slot) {
                assigned.stage = Stage::Revoking;
            }
        }
        if !slots.is_empty() {
            client.rebalances.push_front(Rebalance::Releasing { left: slots.iter().copied().collect(), lost });
            client.tell(SourceEvent::Revoking { slots, lost });
        }
        self.next_rebalance(process);
    }

    /// The owner gave up partitions.
    pub(super) fn release(&mut self, process: ProcessId, slots: &[Slot]) {
        for &slot in slots {
            let Some(client) = self.client(process) else { return };
            let left = match client.rebalances.front_mut() {
                Some(Rebalance::Releasing { left, .. }) if client.events.iter().all(|event| !revokes(event, slot)) => {
                    left
                }
                _ => return self.misuse(process, format!("release of {slot:?} without a revocation")),
            };
            if !left.remove(&slot) {
                return self.misuse(process, format!("release of {slot:?}, which is not being revoked"));
            }
            client.slots.remove(&slot);
            self.seen(super::trace::Event::Released { process, slot });
        }
        let Some(client) = self.client(process) else { return };
        if let Some(Rebalance::Releasing { left, lost }) = client.rebalances.front()
            && left.is_empty()
        {
            client.rejoin |= !lost;
            client.rebalances.pop_front();
            self.next_rebalance(process);
        }
    }

    /// Committed offsets of an assignment came.
    pub(super) fn offsets_read(&mut self, process: ProcessId, number: u64, read: Vec<(Place, Option<Kept>)>) {
        let Some(client) = self.client(process) else { return };
        if !client.awaits(number) {
            return;
        }
        client.rebalances.pop_front();
        let offers: Vec<Offer> =
            read.into_iter().filter_map(|(place, committed)| self.offer(process, place, committed)).collect();
        if let Some(client) = self.client(process)
            && !offers.is_empty()
        {
            client.tell(SourceEvent::Offered(offers));
        }
        self.next_rebalance(process);
    }

    fn offer(&mut self, process: ProcessId, place: Place, kept: Option<Kept>) -> Option<Offer> {
        let is_ours = kept.as_ref().is_none_or(|kept| kept.incarnation == place.incarnation);
        let committed = kept.map(|kept| kept.committed);
        let range = self.topics.log(&place)?.range();
        // A broker tells the range only who asks for it; with an offset at hand nobody must.
        let log = (committed.is_none() || !is_ours || self.random.happens(5_000)).then_some(range);
        let client = self.clients.get_mut(&process)?;
        let past = match self.groups.get(&client.group) {
            _ if !is_ours => Past::Another,
            Some(group) if group.knows(&place) => Past::Read,
            _ => Past::New,
        };
        let slot = client.new_slot();
        let position = committed.as_ref().map(|committed| (committed.offset, committed.leader_epoch));
        client
            .slots
            .insert(slot, Assigned { place: place.clone(), stage: Stage::Offered, committed: position, is_ours });
        client.places.insert(slot, place.clone());
        let (topic_id, partition) = (Some(topic_id(&place)), place.partition);
        Some(Offer { slot, topic: place.topic, partition, topic_id, committed, log, past })
    }

    /// The offsets could not be read: again, after a while.
    pub(super) fn offsets_unread(&mut self, process: ProcessId, number: u64) {
        let backoff = self.timing.retry_backoff;
        let Some(client) = self.client(process) else { return };
        if client.awaits(number)
            && let Some(Rebalance::Assign { places, .. }) = client.rebalances.front()
        {
            let places = places.clone();
            client.tell(SourceEvent::Trouble("committed offsets could not be read".into()));
            self.after(backoff, Step::Request(process, Request::Offsets { number, places }));
        }
    }

    /// The owner wants to leave.
    pub(super) fn leave(&mut self, process: ProcessId) {
        let Some(client) = self.client(process) else { return };
        if client.leaving != Leaving::No {
            return;
        }
        client.leaving = Leaving::Asked;
        client.rebalances.retain(|rebalance| matches!(rebalance, Rebalance::Releasing { .. }));
        client.rebalances.push_back(Rebalance::Revoke { slots: None, lost: false });
        self.next_rebalance(process);
    }

    fn say_goodbye(&mut self, process: ProcessId) {
        let Some(client) = self.client(process) else { return };
        client.leaving = Leaving::Said;
        client.membership = Membership::Out;
        client.unpark_all(&CommitResult::Expelled);
        match client.member.take() {
            Some(member) => self.send(process, Request::Leave { member }),
            None => self.left(process),
        }
    }

    /// The goodbye arrived. A client that left by itself for want of polls has said it without leaving.
    pub(super) fn left(&mut self, process: ProcessId) {
        if let Some(client) = self.client(process)
            && client.leaving == Leaving::Said
        {
            client.tell(SourceEvent::Left);
        }
    }

    /// The client hears of the topics as they are now.
    pub(super) fn refresh(&mut self, process: ProcessId) {
        let Some(client) = self.client(process) else { return };
        let wants = std::rc::Rc::clone(&client.wants);
        let view: BTreeSet<Place> = self.topics.places(|topic| wants(topic)).collect();
        if self.client(process).is_some_and(|client| client.view != view) {
            self.join(process);
        }
    }

    /// Topics changed; every client hears of it some time later.
    pub(super) fn metadata_changed(&mut self) {
        let clients: Vec<ProcessId> = self.clients.keys().copied().collect();
        for process in clients {
            let delay = self.random.millis(&self.timing.metadata.clone());
            self.after(delay, Step::Refresh(process));
        }
    }

    /// Committed offsets as they come back: as they were stored, or as somebody left them.
    pub(super) fn tampered(&mut self, kept: Option<Kept>) -> Option<Kept> {
        let Kept { mut committed, incarnation } = kept?;
        if self.fails(Fault::MetadataCut) && !committed.metadata.is_empty() {
            let length = self.faults.dice(Fault::MetadataCut).below(committed.metadata.len() as u64) as usize;
            committed.metadata.truncate(length);
            self.fault(Fault::MetadataCut);
        }
        if self.breaks(Fault::MetadataForeign) {
            committed.metadata = b"\xFFsomebody else's 1,2,5-9".to_vec();
        }
        Some(Kept { committed, incarnation })
    }
}

fn revokes(event: &SourceEvent, slot: Slot) -> bool {
    matches!(event, SourceEvent::Revoking { slots, .. } if slots.contains(&slot))
}

impl Client {
    fn awaits(&self, number: u64) -> bool {
        matches!(self.rebalances.front(), Some(Rebalance::Assign { reading: Some(awaited), .. }) if *awaited == number)
    }

    /// Ends every commit that waited for the round.
    fn unpark_all(&mut self, result: &CommitResult) {
        for commit in std::mem::take(&mut self.parked) {
            self.tell(SourceEvent::Committed(commit.id, result.clone()));
        }
    }
}
