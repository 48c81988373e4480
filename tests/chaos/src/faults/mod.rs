//! What was done to brokers and workers, and when: the chronicle that judges read beside the ledgers.

pub(crate) mod brokers;
pub(crate) mod workers;

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;

use crate::{
    clock::{self, Micros},
    ledger::Worker,
};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    WorkerKilled,
    /// Frozen for longer than the session timeout.
    WorkerFrozen,
    /// Frozen for less than that.
    WorkerPaused,
    /// Asked to leave, and another one hired; of all workers, one after the other.
    WorkerReplaced,
    ScaledUp,
    ScaledDown,
    BrokerKilled,
    /// The same, of the one that was the active controller.
    ControllerKilled,
    BrokerFrozen,
    BrokerStopped,
    /// Injected by nobody: the machine was so busy that brokers were as slow as if they were frozen.
    Starved,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::WorkerKilled,
        Self::WorkerFrozen,
        Self::WorkerPaused,
        Self::WorkerReplaced,
        Self::ScaledUp,
        Self::ScaledDown,
        Self::BrokerKilled,
        Self::ControllerKilled,
        Self::BrokerFrozen,
        Self::BrokerStopped,
        Self::Starved,
    ];

    pub(crate) const fn is_of_a_broker(self) -> bool {
        matches!(
            self,
            Self::BrokerKilled | Self::ControllerKilled | Self::BrokerFrozen | Self::BrokerStopped | Self::Starved
        )
    }

    /// As it is called in tables and JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker_killed",
            Self::WorkerFrozen => "worker_frozen",
            Self::WorkerPaused => "worker_paused",
            Self::WorkerReplaced => "worker_replaced",
            Self::ScaledUp => "scaled_up",
            Self::ScaledDown => "scaled_down",
            Self::BrokerKilled => "broker_killed",
            Self::ControllerKilled => "controller_killed",
            Self::BrokerFrozen => "broker_frozen",
            Self::BrokerStopped => "broker_stopped",
            Self::Starved => "starved",
        }
    }
}

/// Whom a fault befell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Worker(Worker),
    Broker(i32),
    /// All of them.
    Machine,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) subject: Subject,
    /// When it was about to be done.
    pub(crate) from: Micros,
    /// When it was over: the process gone or awake again; for a broker, when it was back and every replica in sync.
    pub(crate) to: Micros,
}

/// Says what happens as it happens, and remembers the faults.
#[derive(Debug)]
pub(crate) struct Chronicle {
    clock: Instant,
    began: Micros,
    faults: Mutex<Vec<Fault>>,
}

impl Chronicle {
    pub(crate) fn begin() -> Self {
        Self { clock: Instant::now(), began: clock::now(), faults: Mutex::default() }
    }

    /// A line on standard output, with the seconds since the start.
    pub(crate) fn say(&self, line: &str) {
        println!("[{:7.1} s] {line}", self.clock.elapsed().as_secs_f32());
    }

    pub(crate) fn began(&self) -> Micros {
        self.began
    }

    pub(crate) fn note(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// All of them, by their beginnings.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
        faults.sort_by_key(|fault| fault.from);
        faults
    }
}
