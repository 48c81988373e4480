//! The machine's clock: that of the workers, of the brokers and of the faults, so that their times can be compared.

use std::time::SystemTime;

/// Microseconds since 1970.
pub(crate) type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const MILLI: Micros = 1_000;

pub(crate) fn now() -> Micros {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| Micros::try_from(elapsed.as_micros()).unwrap_or(Micros::MAX))
}
