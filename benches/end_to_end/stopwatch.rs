//! Time and processor time between two counts of handled records.

use crate::process;
use serde::{Deserialize, Serialize};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two looks. A measure takes a second or more, so this is below a thousandth of it.
const LOOK: Duration = Duration::from_millis(1);

/// A client that handles nothing for so long has lost what is missing.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was used between two counts.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lap {
    pub(crate) records: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) allocations: u64,
    /// Bytes that were resident at its end and not at its start.
    pub(crate) grown_bytes: i64,
}

/// The state of the process at a count.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    records: u64,
    cpu: Duration,
    allocations: u64,
    resident: u64,
}

impl Mark {
    fn now(records: u64) -> Self {
        let (cpu, allocations, resident) = (process::cpu(), process::allocations(), process::resident());
        Self { at: Instant::now(), records, cpu, allocations, resident }
    }

    fn until(&self, end: &Self) -> Lap {
        Lap {
            records: end.records - self.records,
            seconds: (end.at - self.at).as_secs_f64(),
            cpu_seconds: (end.cpu.saturating_sub(self.cpu)).as_secs_f64(),
            allocations: end.allocations - self.allocations,
            grown_bytes: end.resident.cast_signed() - self.resident.cast_signed(),
        }
    }
}

/// What is used in a time.
pub(crate) fn rest(time: Duration) -> Lap {
    let start = Mark::now(0);
    thread::sleep(time);
    start.until(&Mark::now(0))
}

/// Waits until `all` are counted or the client `is_over`; measures from the count `first` to the count `last`.
/// `None` if it did not come that far.
pub(crate) fn watch(
    count: impl Fn() -> u64,
    first: u64,
    last: u64,
    all: u64,
    is_over: impl Fn() -> bool,
) -> Option<Lap> {
    let (mut start, mut end) = (None, None);
    let (mut before, mut moved) = (0, Instant::now());
    loop {
        let counted = count();
        if start.is_none() && counted >= first && counted > 0 {
            start = Some(Mark::now(counted));
        }
        if end.is_none() && counted >= last {
            end = Some(Mark::now(counted));
        }
        if counted > before {
            (before, moved) = (counted, Instant::now());
        }
        if counted >= all || moved.elapsed() > PATIENCE || is_over() {
            return Some(start?.until(&end?));
        }
        thread::sleep(LOOK);
    }
}
