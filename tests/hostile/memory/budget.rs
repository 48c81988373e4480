//! What a service may have, and the line that says what it had.

use std::io::Write as _;

pub(super) const MIB: u64 = 1 << 20;

/// How much more than the budget may be resident.
const SPARE: f64 = 0.2;

/// What is granted by configuration, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// `Settings::memory`: records held. What is fetched ahead has the same again, and what is to be written half.
    pub(super) memory: u64,
    /// Whether records are forwarded in numbers, so that the producer's queue counts.
    pub(super) forwards: bool,
}

impl Budget {
    fn bytes(self) -> u64 {
        2 * self.memory + if self.forwards { self.memory / 2 } else { 0 }
    }

    /// Prints the figures of one run, and holds the peak against the budget.
    pub(super) fn assert_held(self, scene: &str, idle: u64, peak: u64) {
        let (budget, used) = (self.bytes(), peak.saturating_sub(idle));
        let ratio = used as f64 / budget as f64;
        let in_mib = |bytes: u64| bytes as f64 / MIB as f64;
        let line = format!(
            "memory: {scene:<58} | idle {:>5.1} MiB | peak {:>6.1} MiB | more {:>6.1} MiB | budget {:>5.1} MiB | {ratio:.2}\n",
            in_mib(idle),
            in_mib(peak),
            in_mib(used),
            in_mib(budget),
        );
        // Past the test runner's capture: the figures are what these tests are read for.
        std::io::stderr().lock().write_all(line.as_bytes()).expect("standard error");
        assert!(ratio <= 1.0 + SPARE, "{line}");
    }
}
