//! Every metric, by name. The names, types and labels are frozen (`src/docs/design.md`).
//!
//! They go through the `metrics` facade: without a recorder they cost next to nothing. Handles are made once and
//! counted per batch. Labels are topics, tiers and small fixed words; never a key, an offset or a text.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How records of one source topic ended, and how its attempts did.
pub(crate) struct TopicCounters {
    pub(crate) done: Counter,
    pub(crate) discarded: Counter,
    pub(crate) attempts_done: Counter,
    pub(crate) attempts_retried: Counter,
    pub(crate) attempts_snoozed: Counter,
    pub(crate) attempts_held: Counter,
    pub(crate) attempts_discarded: Counter,
    pub(crate) attempts_dead: Counter,
    pub(crate) in_flight_limit: Gauge,
}

impl TopicCounters {
    pub(crate) fn new(topic: &Arc<str>) -> Self {
        let records = |outcome: &'static str| counter!("retrial_records_total", "topic" => topic.to_string(), "outcome" => outcome);
        let attempts =
            |result: &'static str| counter!("retrial_attempts_total", "topic" => topic.to_string(), "result" => result);
        Self {
            done: records("done"),
            discarded: records("discarded"),
            attempts_done: attempts("done"),
            attempts_retried: attempts("retry"),
            attempts_snoozed: attempts("snooze"),
            attempts_held: attempts("hold"),
            attempts_discarded: attempts("discard"),
            attempts_dead: attempts("dead"),
            in_flight_limit: gauge!("retrial_in_flight_limit_records", "topic" => topic.to_string()),
        }
    }
}

/// Counters of the whole group member.
pub(crate) struct GroupCounters {
    pub(crate) redone: Counter,
    pub(crate) rebalances: Counter,
    pub(crate) buffer_bytes: Gauge,
    pub(crate) buffer_limit: Gauge,
    lateness: HashMap<u64, Histogram>,
}

impl GroupCounters {
    pub(crate) fn new() -> Self {
        Self {
            redone: counter!("retrial_redone_records_total"),
            rebalances: counter!("retrial_rebalances_total"),
            buffer_bytes: gauge!("retrial_buffer_bytes"),
            buffer_limit: gauge!("retrial_buffer_limit_bytes"),
            lateness: HashMap::new(),
        }
    }

    /// How late retries of one tier ran, in seconds.
    pub(crate) fn lateness(&mut self, tier: Duration) -> &Histogram {
        let make = || histogram!("retrial_retry_lateness_seconds", "tier" => format!("{}s", tier.as_secs()));
        self.lateness.entry(tier.as_secs()).or_insert_with(make)
    }
}

/// Dead letters of a topic, by cause.
pub(crate) fn dead_letters(topic: &str, cause: &'static str) -> Counter {
    counter!("retrial_dead_letters_total", "topic" => topic.to_owned(), "cause" => cause)
}

/// Tests of records that may have taken a process down, by result (RULES 8).
pub(crate) fn suspects(topic: &str, result: &'static str) -> Counter {
    counter!("retrial_suspects_total", "topic" => topic.to_owned(), "result" => result)
}

/// Records that the log lost before this group had finished them, as far as it knows, by cause: deleted (by retention or
/// a person), cut (by an unclean election).
pub(crate) fn lost_records(topic: &str, cause: &'static str) -> Counter {
    counter!("retrial_lost_records_total", "topic" => topic.to_owned(), "cause" => cause)
}

/// Partitions that begin again at an earlier place since the log is not the one that was read, by cause: cut, made anew.
pub(crate) fn restarted_partitions(topic: &str, cause: &'static str) -> Counter {
    counter!("retrial_restarted_partitions_total", "topic" => topic.to_owned(), "cause" => cause)
}

/// Commit metadata that was not used, since it is not ours, or not of this place.
pub(crate) fn ignored_metadata(topic: &str) -> Counter {
    counter!("retrial_commit_metadata_ignored_total", "topic" => topic.to_owned())
}

/// Partitions that the group took away without asking: this member was not heard for a session, or was expelled.
pub(crate) fn lost_partitions(topic: &str) -> Counter {
    counter!("retrial_lost_partitions_total", "topic" => topic.to_owned())
}

/// When the oldest open dead letter will be deleted by its topic's retention, in seconds since 1970 (RULES 5).
pub(crate) fn dead_letters_vanish(at: retrial_core::time::Timestamp) {
    gauge!("retrial_dead_letters_vanish_timestamp_seconds").set(at.as_millis() as f64 / 1000.0);
}

/// Partitions that take nothing, by reason.
pub(crate) fn held_partitions(topic: &str, reason: &'static str) -> Gauge {
    gauge!("retrial_held_partitions", "topic" => topic.to_owned(), "reason" => reason)
}

/// Forwards to a tier that no attempt asked for: the record was not due, or nobody handles its topic here.
pub(crate) fn hops(tier: Duration) -> Counter {
    counter!("retrial_hops_total", "tier" => format!("{}s", tier.as_secs()))
}

/// Records of the control topic that could not be read.
pub(crate) fn control_skipped() -> Counter {
    counter!("retrial_control_skipped_total")
}
