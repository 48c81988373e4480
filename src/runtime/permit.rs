//! Who may start: what the driver tells the workers without a message.
//!
//! Work that waits in a worker's inbox when its partition is revoked, or when the lease runs out, must not begin any
//! more (promise 9). A worker asks here right before each attempt: one load for the partition, one for the lease.

use super::saboteur::{Saboteur, sabotaged};
use retrial_core::id::Slot;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// Partitions that one process can own at once. Indices are small and used again, so this is far away.
const MAX_SLOTS: usize = 65_536;

/// No generation has this number, so nobody may start.
const CLOSED: u32 = u32::MAX;

/// What a process measures its lease by, and whether its workers get to run: the simulator's, where one machine has many
/// processes.
pub(crate) trait Machine: Send + Sync {
    /// The monotonic clock.
    fn now(&self) -> Instant;
    /// Pending while its workers stand still.
    fn poll_runs(&self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The generation that may start, by slot index, and until when the lease holds.
pub(crate) struct Permits {
    slots: Box<[AtomicU32]>,
    machine: Option<Arc<dyn Machine>>,
    epoch: Instant,
    /// Microseconds after `epoch` until which work may start.
    lease: AtomicI64,
}

impl Permits {
    /// Nothing may start yet.
    pub(crate) fn new() -> Self {
        Self::with(MAX_SLOTS, None)
    }

    /// For so many slots, on this machine instead of the real one.
    pub(crate) fn with(slots: usize, machine: Option<Arc<dyn Machine>>) -> Self {
        let slots = (0..slots).map(|_| AtomicU32::new(CLOSED)).collect();
        let epoch = machine.as_ref().map_or_else(Instant::now, |machine| machine.now());
        Self { slots, machine, epoch, lease: AtomicI64::new(0) }
    }

    /// The time that leases are measured by.
    pub(crate) fn now(&self) -> Instant {
        self.machine.as_ref().map_or_else(Instant::now, |machine| machine.now())
    }

    /// Pending while the workers stand still.
    pub(super) fn poll_runs(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.machine.as_ref().map_or(Poll::Ready(()), |machine| machine.poll_runs(cx))
    }

    /// From now on, work of this assignment may start.
    pub(crate) fn open(&self, slot: Slot) {
        if let Some(entry) = self.slots.get(slot.index as usize) {
            entry.store(slot.generation, Ordering::Release);
        }
    }

    /// From now on, no work of this assignment starts.
    pub(crate) fn close(&self, slot: Slot) {
        if let Some(entry) = self.slots.get(slot.index as usize) {
            // Another assignment may have taken the index over already.
            let _ = entry.compare_exchange(slot.generation, CLOSED, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Nothing starts from this long after a sign of life, unless there is another before.
    pub(crate) fn extend_lease(&self, sign_of_life: Instant, time: Duration) {
        let until = sign_of_life.saturating_duration_since(self.epoch).saturating_add(time).as_micros();
        self.lease.fetch_max(i64::try_from(until).unwrap_or(i64::MAX), Ordering::AcqRel);
    }

    /// Nothing starts from now on, until the lease is extended.
    pub(crate) fn end_lease(&self) {
        self.lease.store(0, Ordering::Release);
    }

    /// Whether work of this assignment may start, at a time not long ago.
    pub(crate) fn allows(&self, slot: Slot, now: Instant) -> bool {
        if sabotaged(Saboteur::NeedsNoPermit) {
            return true;
        }
        let owned = self.slots.get(slot.index as usize).map(|entry| entry.load(Ordering::Acquire));
        let micros = now.saturating_duration_since(self.epoch).as_micros();
        owned == Some(slot.generation)
            && i64::try_from(micros).is_ok_and(|now| now < self.lease.load(Ordering::Acquire))
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permits({} slots)", self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { index: 3, generation: 7 };

    #[test]
    fn an_old_assignment_cannot_close_its_successor() {
        let permits = Permits::new();
        permits.extend_lease(Instant::now(), Duration::from_secs(60));
        let successor = Slot { generation: 8, ..SLOT };
        permits.open(SLOT);
        permits.open(successor);
        permits.close(SLOT);
        assert!(permits.allows(successor, Instant::now()));
        assert!(!permits.allows(SLOT, Instant::now()));
    }

    #[test]
    fn nothing_starts_without_a_lease() {
        let permits = Permits::new();
        permits.open(SLOT);
        assert!(!permits.allows(SLOT, Instant::now()));
        permits.extend_lease(Instant::now(), Duration::from_secs(10));
        assert!(permits.allows(SLOT, Instant::now()));
        assert!(!permits.allows(SLOT, Instant::now() + Duration::from_secs(11)));
        permits.end_lease();
        assert!(!permits.allows(SLOT, Instant::now()));
    }
}
