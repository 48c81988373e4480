//! What a record asks of its handler: its body, as JSON.

use retrial_kafka_for_tests::TestRecord;
use serde::{Deserialize, Serialize};

/// A piece of work. By default it is done at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    /// Names it in journals; unique within a test.
    pub(crate) id: u64,
    /// How long it takes.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) millis: u64,
    /// Attempts with a lower number fail.
    #[serde(skip_serializing_if = "is_zero_attempts")]
    pub(crate) fails_below: u32,
    /// What it waits for.
    #[serde(skip_serializing_if = "Wait::is_none")]
    pub(crate) waits: Wait,
    /// It cannot be done and says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) refused: bool,
    /// It aborts its process.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) aborts: bool,
}

/// What a task waits for before it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wait {
    /// Nothing.
    #[default]
    None,
    /// Its worker's gate: the test opens it.
    Gate,
    /// The same, with its thread blocked meanwhile.
    GateOnThread,
    /// Something that never comes.
    Forever,
}

impl Wait {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_zero_attempts(number: &u32) -> bool {
    *number == 0
}

impl Task {
    /// One that is done at once.
    pub(crate) fn new(id: u64) -> Self {
        Self { id, ..Self::default() }
    }

    pub(crate) fn millis(self, millis: u64) -> Self {
        Self { millis, ..self }
    }

    pub(crate) fn fails_below(self, attempt: u32) -> Self {
        Self { fails_below: attempt, ..self }
    }

    /// It never succeeds.
    pub(crate) fn fails(self) -> Self {
        self.fails_below(u32::MAX)
    }

    pub(crate) fn waits(self, waits: Wait) -> Self {
        Self { waits, ..self }
    }

    pub(crate) fn refused(self) -> Self {
        Self { refused: true, ..self }
    }

    pub(crate) fn aborts(self) -> Self {
        Self { aborts: true, ..self }
    }

    /// As a record without a key.
    pub(crate) fn record(&self) -> TestRecord {
        TestRecord::new(serde_json::to_vec(self).expect("a task is JSON"))
    }
}
