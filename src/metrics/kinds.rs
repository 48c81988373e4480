//! Failures by kind. Kinds are the user's words, perhaps made of a hostile record's text, so their number is bounded.

use super::reference::FAILED_ATTEMPTS;
use metrics::Counter;
use std::collections::HashMap;

/// So many kinds of failure of a topic are counted by name.
const NAMED: usize = 32;

/// A longer name is that of no kind, but a text.
const LONGEST: usize = 64;

/// The failed attempts of one topic.
pub(crate) struct Kinds {
    topic: String,
    named: HashMap<String, Counter>,
    other: Counter,
}

impl Kinds {
    /// For this topic.
    pub(crate) fn new(topic: &str) -> Self {
        let other = FAILED_ATTEMPTS.counter([topic, "other"]);
        Self { topic: topic.to_owned(), named: HashMap::new(), other }
    }

    /// Counts a failure of this kind.
    pub(crate) fn failed(&mut self, kind: &str) {
        if let Some(counter) = self.named.get(kind) {
            return counter.increment(1);
        }
        if self.named.len() >= NAMED || kind.len() > LONGEST || kind == "other" {
            return self.other.increment(1);
        }
        let counter = FAILED_ATTEMPTS.counter([&self.topic, kind]);
        counter.increment(1);
        self.named.insert(kind.to_owned(), counter);
    }
}
