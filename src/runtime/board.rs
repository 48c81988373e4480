//! What a service shows of itself while it runs: hung out by the driver about once a second, read by whoever asks.

use super::crew::Command;
use crate::clock;
use retrial_core::{
    engine::{PartitionStanding, TopicStanding},
    event::HoldReason,
    time::Timestamp,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::sync::mpsc::WeakUnboundedSender;

/// Where a service stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// When that was.
    pub(crate) at: Timestamp,
    /// The source topics, with their names.
    pub(crate) topics: Vec<(Arc<str>, TopicStanding)>,
    /// The partitions, with their topics and numbers.
    pub(crate) partitions: Vec<ShownPartition>,
    /// Whether the group has counted this process in within the last session.
    pub(crate) leased: bool,
    /// Bytes of records held in memory.
    pub(crate) buffer: usize,
    /// Whether it is a member of the group: what it owns, it was given since it joined.
    pub(crate) joined: bool,
    /// Whether a stop was asked for.
    pub(crate) stopping: bool,
}

/// One partition of [`Shown`].
#[derive(Clone, Debug)]
pub(crate) struct ShownPartition {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) standing: PartitionStanding,
    /// The timestamp of its oldest record that is not finished, as far as fetched.
    pub(crate) oldest: Option<Timestamp>,
    /// Why it takes nothing.
    pub(crate) held: Vec<HoldReason>,
}

/// An attempt that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) attempt: u32,
    pub(crate) for_: Duration,
}

/// See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Board {
    shown: Mutex<Arc<Shown>>,
    /// Milliseconds; 0 before the first turn.
    turned: AtomicI64,
    workers: Mutex<Vec<WeakUnboundedSender<Command>>>,
    behind: Mutex<Vec<(Arc<str>, i32)>>,
    #[cfg(feature = "service")]
    ends: Mutex<std::collections::HashMap<(Arc<str>, i32), i64>>,
}

impl Board {
    /// The loop turned.
    pub(crate) fn turned(&self, now: Timestamp) {
        self.turned.store(now.as_millis(), Ordering::Relaxed);
    }

    /// How long ago the loop last turned; `None` before it began.
    pub(crate) fn since_turn(&self) -> Option<Duration> {
        let turned = self.turned.load(Ordering::Relaxed);
        (turned != 0).then(|| clock::now().since(Timestamp::from_millis(turned)))
    }

    /// A loop begins anew, with other workers.
    pub(crate) fn begin(&self, workers: Vec<WeakUnboundedSender<Command>>) {
        self.turned.store(clock::now().as_millis(), Ordering::Relaxed);
        *self.workers.lock().unwrap_or_else(PoisonError::into_inner) = workers;
    }

    /// Tells where logs end.
    #[cfg(feature = "service")]
    pub(crate) fn ends(&self, ends: std::collections::HashMap<(Arc<str>, i32), i64>) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }

    /// Where this log ended when that was last asked.
    #[cfg(feature = "service")]
    pub(crate) fn log_end(&self, topic: &Arc<str>, partition: i32) -> Option<i64> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&(Arc::clone(topic), partition)).copied()
    }

    /// Tells which partitions have records that are not fetched, though there is room.
    pub(crate) fn behind(&self, behind: Vec<(Arc<str>, i32)>) {
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = behind;
    }

    /// Whether this partition is one of those.
    pub(super) fn is_behind(&self, topic: &str, partition: i32) -> bool {
        let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        behind.iter().any(|(name, number)| &**name == topic && *number == partition)
    }

    pub(super) fn show(&self, shown: Shown) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(shown);
    }

    /// What was shown last.
    pub(crate) fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks every worker what it runs: the attempts, longest first, and how many workers gave no answer within the
    /// limit, since a handler blocks their thread. Waits.
    pub(crate) fn running(&self, limit: Duration) -> (Vec<Running>, usize) {
        let (tell, told) = mpsc::channel();
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ask = |worker: WeakUnboundedSender<Command>| worker.upgrade()?.send(Command::Tell(tell.clone())).ok();
        let asked = workers.into_iter().filter_map(ask).count();
        drop(tell);
        let deadline = std::time::Instant::now() + limit;
        let (mut running, mut answers) = (Vec::new(), 0);
        while answers < asked {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let Ok(some) = told.recv_timeout(left) else { break };
            running.extend(some);
            answers += 1;
        }
        running.sort_by_key(|running| std::cmp::Reverse(running.for_));
        (running, asked - answers)
    }
}
