//! Which fault explains what should not have happened without one.
//!
//! A fault explains only what it can cause. A killed worker loses what it had finished and not committed, so its death
//! must come soon after the end of the attempt; later only if something kept commits from going through: a broker that
//! was away, or a round of the group that waited for another worker that was dead or frozen. A frozen worker has lost its
//! partitions when it wakes: what it ran then is void, and what it had finished right before is not committed. A broker
//! that is away may take a group's coordinator with it: commits and heartbeats of all workers fail. Its time counts until
//! every replica is in sync again, and then for a session more, in which expelled workers find out and join again.
//!
//! Nothing that is asked in an orderly way (SIGTERM, scaling, a rebalance because of these) explains anything.

use std::collections::BTreeMap;

use super::Evidence;
use crate::{
    clock::{Micros, SECOND},
    faults::{Fault, Kind, Subject},
    ledger::Worker,
};

/// How long finished work may be uncommitted at a worker that can commit: a second by default, and as much again for the
/// round trips of a busy machine.
const UNCOMMITTED: Micros = 2 * SECOND;

/// How long a group may take to come to terms after the session of a lost member is over.
const SETTLING: Micros = 5 * SECOND;

/// How long a worker tries to connect.
const CONNECTING: Micros = 10 * SECOND;

/// Why something was done again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reason {
    pub(super) kind: Kind,
    /// The time from the end of the attempt to the fault.
    pub(super) age: Micros,
    /// Whether the attempt would have been committed by then, had commits gone through.
    pub(super) blocked: bool,
}

#[derive(Debug)]
pub(super) struct Explanations<'a> {
    session: Micros,
    brokers: Vec<&'a Fault>,
    /// Those that leave a round of the group waiting.
    workers: Vec<&'a Fault>,
    killed: BTreeMap<Worker, &'a Fault>,
    frozen: BTreeMap<Worker, Vec<&'a Fault>>,
}

impl<'a> Explanations<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let brokers = evidence.faults.iter().filter(|fault| fault.kind.is_of_a_broker()).collect();
        let is_hard =
            |fault: &&Fault| matches!(fault.kind, Kind::WorkerKilled | Kind::WorkerFrozen | Kind::WorkerPaused);
        let workers: Vec<_> = evidence.faults.iter().filter(is_hard).collect();
        let (mut killed, mut frozen) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        for &fault in &workers {
            match (fault.subject, fault.kind) {
                (Subject::Worker(worker), Kind::WorkerKilled) => drop(killed.insert(worker, fault)),
                (Subject::Worker(worker), _) => frozen.entry(worker).or_default().push(fault),
                (Subject::Broker(_) | Subject::Machine, _) => {}
            }
        }
        Self { session: evidence.session, brokers, workers, killed, frozen }
    }

    /// When a worker was gone that was killed.
    pub(super) fn death(&self, worker: Worker) -> Option<Micros> {
        self.killed.get(&worker).map(|fault| fault.to)
    }

    /// Why an attempt that had ended at `worker` was begun again elsewhere at `again`.
    pub(super) fn of_redo(&self, worker: Worker, began: Micros, ended: Micros, again: Micros) -> Option<Reason> {
        let killed = self.killed.get(&worker).filter(|fault| fault.from <= again);
        let killed = killed.map(|fault| (fault.kind, fault.to));
        let frozen = self.frozen.get(&worker).into_iter().flatten();
        let frozen = frozen.filter(|fault| fault.from <= again && began <= fault.to);
        let own = killed.into_iter().chain(frozen.map(|fault| (fault.kind, fault.from)));
        let own = own.map(|(kind, at)| Reason { kind, age: (at - ended).max(0), blocked: at - ended > UNCOMMITTED });
        let mut own = own.filter(|own| !own.blocked || self.commits_were_blocked(ended, ended + own.age));
        own.next().or_else(|| {
            let broker = self.broker_away(ended - UNCOMMITTED, again)?;
            Some(Reason { kind: broker.kind, age: (broker.from - ended).max(0), blocked: true })
        })
    }

    /// Why a worker may have held a partition for its own between two times that was another's.
    pub(super) fn may_have_lost(&self, worker: Worker, from: Micros, to: Micros) -> Option<Kind> {
        let frozen = self.frozen.get(&worker).into_iter().flatten();
        let mut frozen = frozen.filter(|fault| fault.from <= to && from <= fault.to);
        frozen.next().map(|fault| fault.kind).or_else(|| self.broker_away(from, to).map(|fault| fault.kind))
    }

    /// Why a forward may have been written twice, whoever wrote it, when the copies were appended at these times.
    pub(super) fn of_copy(&self, first: Micros, second: Micros) -> Option<Kind> {
        let (from, to) = (first - UNCOMMITTED, second);
        let worker = self.workers.iter().find(|fault| fault.from <= to && from <= fault.to + self.session + SETTLING);
        worker.map(|fault| fault.kind).or_else(|| self.broker_away(from, to).map(|fault| fault.kind))
    }

    /// Why a worker may have given up then: it takes ten seconds to find out that it cannot connect.
    pub(super) fn of_giving_up(&self, worker: Worker, at: Micros) -> Option<Kind> {
        self.may_have_lost(worker, at - CONNECTING, at)
    }

    /// Whether a broker that was away, or a round of the group, may have kept commits from going through.
    fn commits_were_blocked(&self, from: Micros, to: Micros) -> bool {
        let blocks = |fault: &Fault| fault.from < to && from <= fault.to + self.session + SETTLING;
        self.broker_away(from - UNCOMMITTED, to).is_some()
            || self.workers.iter().any(|fault| fault.to < to && blocks(fault))
    }

    /// The last fault of a broker that was felt between these times.
    fn broker_away(&self, from: Micros, to: Micros) -> Option<&'a Fault> {
        let felt = |fault: &&&Fault| fault.from <= to && from <= fault.to + self.session + SETTLING;
        self.brokers.iter().rev().find(felt).copied()
    }
}
