//! What a test does when no Kafka can be had: say so where everybody sees it, or fail if it must not be missing.

use std::{env, fmt::Write as _, io::Write as _};

/// No Kafka could be had. Each line is one way that was tried and why it did not work.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no Kafka for tests{}", self.lines())]
pub struct Unavailable {
    reasons: Vec<String>,
}

impl Unavailable {
    pub(crate) fn new() -> Self {
        Self { reasons: Vec::new() }
    }

    pub(crate) fn add(&mut self, way: &str, reason: impl std::fmt::Display) {
        self.reasons.push(format!("{way}: {reason}"));
    }

    /// Why each way did not work, in the order in which they were tried.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    fn lines(&self) -> String {
        self.reasons.iter().fold(String::new(), |mut all, reason| {
            let _ = write!(all, "\n  - {reason}");
            all
        })
    }

    /// Says on standard error that `test` did not run. [`available!`](crate::available) calls this.
    ///
    /// # Panics
    /// With `RETRIAL_REQUIRE_KAFKA=1` in the environment.
    pub fn report(&self, test: &str) {
        if is_required() {
            panic!("RETRIAL_REQUIRE_KAFKA is set and there is {self}");
        }
        say(&format!("NOT RUN: {test}: there is {self}"));
    }
}

fn is_required() -> bool {
    env::var_os("RETRIAL_REQUIRE_KAFKA").is_some_and(|value| !value.is_empty() && value != "0")
}

/// A line on standard error that the test runner does not capture, as it does what `eprintln!` writes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The Kafka of a `Result<_, Unavailable>`; with none, reports that and returns from the test.
///
/// The second form says what to return from a test that returns something.
///
/// ```no_run
/// # use retrial_kafka_for_tests::{Kafka, available};
/// # fn a_record_comes_back() {
/// let kafka = available!(Kafka::shared());
/// # let _ = kafka;
/// # }
/// # fn another() -> Result<(), std::io::Error> {
/// let kafka = available!(Kafka::shared(), Ok(()));
/// # let _ = kafka;
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! available {
    ($kafka:expr) => {
        $crate::available!($kafka, ())
    };
    ($kafka:expr, $otherwise:expr) => {
        match $kafka {
            Ok(kafka) => kafka,
            Err(unavailable) => {
                unavailable.report(::std::thread::current().name().unwrap_or(module_path!()));
                return $otherwise;
            }
        }
    };
}
