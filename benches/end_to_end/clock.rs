//! The time of day, which the processes of one machine share.

use std::time::SystemTime;

/// Microseconds since 1970.
pub(crate) fn micros() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
    u64::try_from(since).unwrap_or(u64::MAX)
}
