//! Waiting for what must come, and telling figures.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

/// What must come comes within this time, also on a busy machine. It says nothing of how quick anything is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until something is so, and fails with its name if it never is.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < limit, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A line that the test runner does not swallow.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The median, the 99th percentile and the largest, as milliseconds.
pub(crate) fn percentiles(micros: &mut [i64]) -> String {
    micros.sort_unstable();
    let at = |part: usize| {
        let index = (micros.len() * part / 1000).min(micros.len().saturating_sub(1));
        micros.get(index).map_or(f64::NAN, |&micros| micros as f64 / 1000.0)
    };
    format!("p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", at(500), at(990), at(1000))
}
