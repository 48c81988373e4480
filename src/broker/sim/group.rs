//! The coordinator of one group, classic protocol: members, generations, and offsets with metadata.
//!
//! # What it does as Kafka does
//! 1. A round waits for every member it knows: for dead ones until their session is over. Who waits in a round is
//!    not expired.
//! 2. A commit is checked for member and generation, never for ownership. It passes while a round gathers, and is
//!    turned away between the round and its answers.
//! 3. Commits are a sign of life.
//! 4. Offsets are kept by topic name: they know nothing of a topic made anew.

use super::{
    assignor::{Claim, assign},
    trace::{Event, Part, Place, ProcessId},
};
use retrial_core::{
    event::{CommitResult, Committed},
    id::CommitId,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Longest metadata the coordinator takes, in bytes (`offset.metadata.max.bytes`).
pub(crate) const MAX_METADATA_BYTES: usize = 4096;
/// Largest commit request it takes, in bytes: one batch of the offsets topic.
pub(crate) const MAX_COMMIT_BYTES: usize = 1 << 20;

/// One membership. A process that was expelled comes back as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MemberId(pub(crate) u64);

/// A commit on the wire.
#[derive(Clone, Debug)]
pub(crate) struct CommitRequest {
    pub(crate) id: CommitId,
    pub(crate) member: Option<MemberId>,
    pub(crate) generation: i32,
    pub(crate) parts: Vec<Part>,
    /// Partitions that the request does not carry, or that will be refused, and why.
    pub(crate) refused: Vec<(retrial_core::id::Slot, String)>,
    /// A repetition whose answer nobody waits for.
    pub(crate) repeated: bool,
}

/// A commit as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) committed: Committed,
    /// Which creation of the topic it was meant for. Kafka does not keep that; only the trace shows it.
    pub(crate) incarnation: u32,
}

/// What a client sends to the coordinator.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Join {
        member: Option<MemberId>,
        claim: Claim,
    },
    Heartbeat {
        member: MemberId,
        generation: i32,
    },
    Leave {
        member: MemberId,
    },
    Commit(CommitRequest),
    /// Reads offsets; the number tells answers apart.
    Offsets {
        number: u64,
        places: Vec<Place>,
    },
}

/// What the coordinator answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Joined {
        member: MemberId,
        generation: i32,
        assigned: Vec<Place>,
    },
    /// A round is under way: join it; `joining` where it answers a join, which has to be sent again.
    Rejoin {
        joining: bool,
    },
    /// Everything is lost: the member is unknown, or (`known`) its generation is over. `joining` as above.
    Fenced {
        known: bool,
        joining: bool,
    },
    Commit {
        id: CommitId,
        result: CommitResult,
    },
    Offsets {
        number: u64,
        committed: Vec<(Place, Option<Kept>)>,
    },
    /// The offsets cannot be read now.
    OffsetsUnreadable {
        number: u64,
    },
    Left,
}

/// What a request comes to.
#[derive(Debug)]
pub(crate) enum Effect {
    Answer(ProcessId, Answer),
    After(Duration, Alarm),
    Seen(Event),
}

/// A timer of the coordinator.
#[derive(Clone, Debug)]
pub(crate) enum Alarm {
    /// Looks whether the member showed a sign of life.
    Session(MemberId),
    /// The round has waited long enough for members that are alive.
    RoundOver(u64),
    /// The leader's assignment is in; members are answered.
    Synced(i32),
}

#[derive(Debug)]
struct Member {
    process: ProcessId,
    expires: Timestamp,
    joined: Option<Claim>,
    assigned: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Stable,
    /// Gathering members.
    Preparing,
    /// Waiting for the leader's assignment.
    Completing,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    name: Arc<str>,
    session: Duration,
    round_limit: Duration,
    sync: Duration,
    phase: Phase,
    generation: i32,
    round: u64,
    last_member: u64,
    members: BTreeMap<MemberId, Member>,
    offsets: BTreeMap<(Arc<str>, i32), Kept>,
    known: BTreeSet<Place>,
}

impl Group {
    /// A group that nobody joined yet. `sync` is how long the leader's assignment takes.
    pub(crate) fn new(name: Arc<str>, session: Duration, round_limit: Duration, sync: Duration) -> Self {
        Self {
            name,
            session,
            round_limit,
            sync,
            phase: Phase::Stable,
            generation: 0,
            round: 0,
            last_member: 0,
            members: BTreeMap::new(),
            offsets: BTreeMap::new(),
            known: BTreeSet::new(),
        }
    }

    /// What is committed for a partition.
    pub(crate) fn committed(&self, topic: &Arc<str>, partition: i32) -> Option<&Kept> {
        self.offsets.get(&(Arc::clone(topic), partition))
    }

    /// Whether the group ever committed this partition: what its control topic would say.
    pub(crate) fn knows(&self, place: &Place) -> bool {
        self.known.contains(place)
    }

    /// Forgets the offsets of a topic, as happens when it is deleted or the offsets expire.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.offsets.retain(|(name, _), _| &**name != topic);
    }

    /// Processes of the current members.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.members.values().map(|member| member.process)
    }

    /// Whether no round is under way.
    pub(crate) fn is_stable(&self) -> bool {
        self.phase == Phase::Stable
    }

    /// A request arrived.
    pub(crate) fn handle(&mut self, now: Timestamp, from: ProcessId, request: Request, out: &mut Vec<Effect>) {
        match request {
            Request::Join { member, claim } => self.join(now, from, member, claim, out),
            Request::Heartbeat { member, generation } => self.heartbeat(now, from, member, generation, out),
            Request::Leave { member } => {
                if self.members.contains_key(&member) {
                    self.expel(member, out);
                    self.shrunk(now, out);
                }
                out.push(Effect::Answer(from, Answer::Left));
            }
            Request::Commit(commit) => self.commit(now, from, commit, out),
            Request::Offsets { number, places } => {
                let read = |place: Place| {
                    let committed = self.committed(&place.topic, place.partition).cloned();
                    (place, committed)
                };
                let committed = places.into_iter().map(read).collect();
                out.push(Effect::Answer(from, Answer::Offsets { number, committed }));
            }
        }
    }

    /// A timer went off.
    pub(crate) fn alarm(&mut self, now: Timestamp, alarm: Alarm, out: &mut Vec<Effect>) {
        match alarm {
            Alarm::Session(member) => self.check_session(now, member, out),
            Alarm::RoundOver(round) if self.phase == Phase::Preparing && round == self.round => {
                let late: Vec<MemberId> = self.absent().collect();
                late.into_iter().for_each(|member| self.expel(member, out));
                self.complete(now, out);
            }
            Alarm::Synced(generation) if self.phase == Phase::Completing && generation == self.generation => {
                self.phase = Phase::Stable;
                for (&id, member) in &mut self.members {
                    member.expires = now.after(self.session);
                    member.joined = None;
                    let assigned = member.assigned.clone();
                    out.push(Effect::Answer(member.process, Answer::Joined { member: id, generation, assigned }));
                }
            }
            Alarm::RoundOver(_) | Alarm::Synced(_) => {}
        }
    }

    /// Begins a round, as a member does that joins again with another subscription.
    pub(crate) fn shake(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if !self.members.is_empty() {
            self.prepare(now, out);
        }
    }

    fn absent(&self) -> impl Iterator<Item = MemberId> {
        self.members.iter().filter(|(_, member)| member.joined.is_none()).map(|(&id, _)| id)
    }

    fn join(&mut self, now: Timestamp, from: ProcessId, id: Option<MemberId>, claim: Claim, out: &mut Vec<Effect>) {
        let id = match id {
            Some(id) if !self.members.contains_key(&id) => {
                return out.push(Effect::Answer(from, Answer::Fenced { known: false, joining: true }));
            }
            Some(id) => id,
            None => {
                self.last_member += 1;
                out.push(Effect::After(self.session, Alarm::Session(MemberId(self.last_member))));
                MemberId(self.last_member)
            }
        };
        // Before this claim is taken: a round that waits for its assignment begins anew, and who is in it comes back.
        if let Some(member) = self.members.get_mut(&id) {
            member.joined = None;
        }
        self.prepare(now, out);
        let expires = now.after(self.session);
        let member =
            self.members.entry(id).or_insert(Member { process: from, expires, joined: None, assigned: vec![] });
        member.joined = Some(claim);
        if self.absent().next().is_none() {
            self.complete(now, out);
        }
    }

    fn prepare(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if self.phase == Phase::Preparing {
            return;
        }
        for member in self.members.values_mut() {
            if member.joined.take().is_some() {
                member.expires = now.after(self.session);
                out.push(Effect::Answer(member.process, Answer::Rejoin { joining: true }));
            }
        }
        self.phase = Phase::Preparing;
        self.round += 1;
        out.push(Effect::After(self.round_limit, Alarm::RoundOver(self.round)));
    }

    fn complete(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.generation += 1;
        let claims: BTreeMap<MemberId, Claim> =
            self.members.iter().filter_map(|(&id, member)| Some((id, member.joined.clone()?))).collect();
        let mut seen = Vec::new();
        for (id, places) in assign(&claims) {
            if let Some(member) = self.members.get_mut(&id) {
                member.assigned.clone_from(&places);
                member.expires = now.after(self.session);
                seen.push((member.process, places));
            }
        }
        self.phase = if seen.is_empty() { Phase::Stable } else { Phase::Completing };
        let (group, generation) = (Arc::clone(&self.name), self.generation);
        out.push(Effect::Seen(Event::Generation { group, generation, assigned: seen }));
        out.push(Effect::After(self.sync, Alarm::Synced(generation)));
    }

    fn expel(&mut self, member: MemberId, out: &mut Vec<Effect>) {
        if let Some(member) = self.members.remove(&member) {
            out.push(Effect::Seen(Event::Expelled { process: member.process }));
        }
    }

    fn shrunk(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Preparing if self.absent().next().is_none() => self.complete(now, out),
            Phase::Preparing => {}
            Phase::Stable | Phase::Completing => self.shake(now, out),
        }
    }

    fn check_session(&mut self, now: Timestamp, id: MemberId, out: &mut Vec<Effect>) {
        let Some(member) = self.members.get(&id) else { return };
        let waits = self.phase == Phase::Preparing && member.joined.is_some();
        if waits || member.expires > now {
            let left = if waits { self.session } else { member.expires.since(now) };
            return out.push(Effect::After(left, Alarm::Session(id)));
        }
        self.expel(id, out);
        self.shrunk(now, out);
    }

    fn heartbeat(&mut self, now: Timestamp, from: ProcessId, id: MemberId, generation: i32, out: &mut Vec<Effect>) {
        match self.members.get_mut(&id) {
            Some(member) if generation == self.generation => {
                member.expires = now.after(self.session);
                if self.phase == Phase::Preparing && member.joined.is_none() {
                    out.push(Effect::Answer(from, Answer::Rejoin { joining: false }));
                }
            }
            member => out.push(Effect::Answer(from, Answer::Fenced { known: member.is_some(), joining: false })),
        }
    }

    fn commit(&mut self, now: Timestamp, from: ProcessId, commit: CommitRequest, out: &mut Vec<Effect>) {
        let CommitRequest { id, member, generation, parts, refused, repeated } = commit;
        let result = match member.and_then(|member| self.members.get_mut(&member)) {
            None => CommitResult::Expelled,
            Some(_) if generation != self.generation || self.phase == Phase::Completing => CommitResult::Rebalancing,
            Some(member) => {
                member.expires = now.after(self.session);
                for part in parts {
                    if refused.iter().all(|(slot, _)| *slot != part.slot) {
                        self.store(&part);
                        out.push(Effect::Seen(Event::CommitApplied { process: from, id, part, generation }));
                    }
                }
                CommitResult::Accepted { refused }
            }
        };
        if !repeated {
            out.push(Effect::Answer(from, Answer::Commit { id, result }));
        }
    }

    fn store(&mut self, part: &Part) {
        let key = (Arc::clone(&part.place.topic), part.place.partition);
        self.known.insert(part.place.clone());
        let metadata = part.metadata.as_bytes().to_vec();
        let committed = Committed { offset: part.offset, leader_epoch: part.epoch, metadata };
        self.offsets.insert(key, Kept { committed, incarnation: part.place.incarnation });
    }
}
