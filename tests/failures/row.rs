//! One row of the table: told by the test that shows it.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

const TABLE: &str = include_str!("README.md");

/// What a test has found.
pub(crate) struct Row {
    /// Its number in the table.
    pub(crate) number: u32,
    /// What happened to the records.
    pub(crate) outcome: String,
    /// The metric that shows it, with labels.
    pub(crate) metric: &'static str,
    /// What that metric said.
    pub(crate) value: String,
    /// How long it took from the end of the failure until all was as before.
    pub(crate) recovery: Option<Duration>,
}

impl Row {
    /// Prints it past the test runner's capture.
    ///
    /// # Panics
    /// If the table does not name this metric in this row.
    pub(crate) fn tell(&self) {
        let Self { number, outcome, metric, value, recovery } = self;
        let row = TABLE.lines().find(|line| line.starts_with(&format!("| {number} |")));
        assert!(row.is_some_and(|row| row.contains(metric)), "README.md has no row {number} with {metric}: {row:?}");
        let recovery = recovery.map_or("none needed".to_owned(), |time| format!("{:.1} s", time.as_secs_f32()));
        let _ = writeln!(std::io::stderr().lock(), "row {number}: {outcome}; {metric} = {value}; recovery {recovery}");
    }
}

/// Runs until the end of a failure was survived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since(Instant);

impl Since {
    /// The failure ends now.
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// How long ago.
    pub(crate) fn passed(self) -> Duration {
        self.0.elapsed()
    }
}
