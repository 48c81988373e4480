//! The one clock of the process: the wall clock, read once, carried on by the monotonic one.
//!
//! Everything that is compared with anything else is taken from here: when a forward was sent and acknowledged, and
//! when a tier opens. A wall clock that is set in between would make retries early; this one never jumps.

use retrial_core::time::Timestamp;
use std::{
    sync::OnceLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Where the two clocks stood at the first reading.
static ANCHOR: OnceLock<(Instant, Timestamp)> = OnceLock::new();

/// The time.
pub(crate) fn now() -> Timestamp {
    let (began, wall) = ANCHOR.get_or_init(|| (Instant::now(), wall()));
    let since = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    wall.shifted(since)
}

fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back_and_starts_at_the_wall() {
        let (before, first) = (wall(), now());
        let mut last = first;
        for _ in 0..10_000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
        assert!(before.since(last).as_secs() < 60 && last.since(before).as_secs() < 60);
    }
}
