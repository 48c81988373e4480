//! What this process has used until now.

use crate::ALLOCATOR;
use rustix::time::{ClockId, clock_gettime};
use std::{fs, time::Duration};

/// Processor time of all threads, those of the client library too.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Allocations and reallocations by Rust code; the client library's C has an allocator of its own.
pub(crate) fn allocations() -> u64 {
    let stats = ALLOCATOR.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// The most bytes that it ever had resident; 0 where the system does not tell.
pub(crate) fn peak() -> u64 {
    status("VmHWM:")
}

/// The bytes that it has resident now; 0 where the system does not tell.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
