//! Every metric, by name. The names, types and labels are frozen; [`reference`] describes them.
//!
//! They go through the `metrics` facade: without a recorder they cost next to nothing. Handles are made once and
//! counted per batch. Labels are topics, tiers and small fixed words; never a key, an offset or a text.

#[cfg(feature = "service")]
pub(crate) mod exposition;
mod kinds;
pub(crate) mod reference;

pub(crate) use kinds::Kinds;

use metrics::{Counter, Gauge, Histogram};
use reference as all;
use retrial_core::{event::HoldReason, naming::spell_delay, outcome::Cause, time::Timestamp};
use std::{collections::HashMap, time::Duration};

/// How records of one source topic ended, and how its attempts did.
pub(crate) struct TopicCounters {
    pub(crate) done: Counter,
    pub(crate) discarded: Counter,
    pub(crate) dead: Counter,
    pub(crate) attempts_done: Counter,
    pub(crate) attempts_retried: Counter,
    pub(crate) attempts_snoozed: Counter,
    pub(crate) attempts_held: Counter,
    pub(crate) attempts_discarded: Counter,
    pub(crate) attempts_dead: Counter,
    causes: [Counter; Cause::ALL.len()],
    pub(crate) kinds: Kinds,
    pub(crate) in_flight: Gauge,
    pub(crate) in_flight_limit: Gauge,
    pub(crate) ready: Gauge,
    pub(crate) metadata: Gauge,
}

impl TopicCounters {
    pub(crate) fn new(topic: &str) -> Self {
        rare(topic);
        let records = |outcome| all::RECORDS.counter([topic, outcome]);
        let attempts = |result| all::ATTEMPTS.counter([topic, result]);
        Self {
            done: records("done"),
            discarded: records("discarded"),
            dead: records("dead"),
            attempts_done: attempts("done"),
            attempts_retried: attempts("retry"),
            attempts_snoozed: attempts("snooze"),
            attempts_held: attempts("hold"),
            attempts_discarded: attempts("discard"),
            attempts_dead: attempts("dead"),
            causes: Cause::ALL.map(|cause| all::DEAD_LETTERS.counter([topic, cause.as_str()])),
            kinds: Kinds::new(topic),
            in_flight: all::IN_FLIGHT.gauge([topic]),
            in_flight_limit: all::IN_FLIGHT_LIMIT.gauge([topic]),
            ready: all::READY.gauge([topic]),
            metadata: all::COMMIT_METADATA.gauge([topic]),
        }
    }

    /// Counts a dead letter.
    pub(crate) fn buried(&self, cause: Cause) {
        self.dead.increment(1);
        let counted = Cause::ALL.iter().zip(&self.causes).find(|(other, _)| **other == cause);
        counted.into_iter().for_each(|(_, counter)| counter.increment(1));
    }
}

/// Counts a dead letter of which no source topic is known.
pub(crate) fn buried_from_unknown(cause: Cause) {
    all::DEAD_LETTERS.counter(["unknown", cause.as_str()]).increment(1);
}

/// What is seldom counted is there from the start all the same: a rate needs a first value.
fn rare(topic: &str) {
    use HoldReason::{Crashed, ForwardRefused, MetadataFull, OffsetMissing, ReadRefused};
    for reason in [ForwardRefused, OffsetMissing, MetadataFull, Crashed, ReadRefused] {
        held_partitions(topic, reason.as_str()).increment(0.0);
    }
    ["tested", "survived", "buried", "held"].iter().for_each(|result| suspects(topic, result).increment(0));
    ["deleted", "cut"].iter().for_each(|cause| lost_records(topic, cause).increment(0));
    ["cut", "made_anew"].iter().for_each(|cause| restarted_partitions(topic, cause).increment(0));
    ignored_metadata(topic).increment(0);
    lost_partitions(topic).increment(0);
}

/// Counters of the whole group member.
pub(crate) struct GroupCounters {
    pub(crate) redone: Counter,
    pub(crate) rebalances: Counter,
    pub(crate) rebalance: Histogram,
    pub(crate) commit: Histogram,
    pub(crate) buffer_bytes: Gauge,
    pub(crate) buffer_limit: Gauge,
    pub(crate) producer_queue: Gauge,
    pub(crate) last_turn: Gauge,
    lateness: HashMap<Duration, Histogram>,
}

impl GroupCounters {
    pub(crate) fn new() -> Self {
        reference::describe();
        all::BUILD_INFO.gauge([env!("CARGO_PKG_VERSION")]).set(1.0);
        // Counted elsewhere, and there from the start: a rate needs a first value.
        all::CLIENT_RESTARTS.counter([]).increment(0);
        all::CONTROL_SKIPPED.counter([]).increment(0);
        Self {
            redone: all::REDONE.counter([]),
            rebalances: all::REBALANCES.counter([]),
            rebalance: all::REBALANCE_DURATION.histogram([]),
            commit: all::COMMIT_DURATION.histogram([]),
            buffer_bytes: all::BUFFER.gauge([]),
            buffer_limit: all::BUFFER_LIMIT.gauge([]),
            producer_queue: all::PRODUCER_QUEUE.gauge([]),
            last_turn: all::LAST_TURN.gauge([]),
            lateness: HashMap::new(),
        }
    }

    /// How late retries of one tier ran, in seconds.
    pub(crate) fn lateness(&mut self, tier: Duration) -> &Histogram {
        self.lateness.entry(tier).or_insert_with(|| all::LATENESS_OF_RETRIES.histogram([&tier_label(tier)]))
    }
}

/// A tier as its topic's name ends: `5s`, `10m`.
pub(crate) fn tier_label(tier: Duration) -> String {
    spell_delay(tier).unwrap_or_else(|_| format!("{}s", tier.as_secs()))
}

/// A time as a gauge shows it.
pub(crate) fn seconds(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1000.0
}

/// Tests of records that may have taken a process down, by result (RULES 8).
pub(crate) fn suspects(topic: &str, result: &'static str) -> Counter {
    all::SUSPECTS.counter([topic, result])
}

/// Records that the log lost before this group had finished them, as far as it knows, by cause: deleted (by retention or
/// a person), cut (by an unclean election).
pub(crate) fn lost_records(topic: &str, cause: &'static str) -> Counter {
    all::LOST_RECORDS.counter([topic, cause])
}

/// Partitions that begin again at an earlier place since the log is not the one that was read, by cause: cut, made anew.
pub(crate) fn restarted_partitions(topic: &str, cause: &'static str) -> Counter {
    all::RESTARTED_PARTITIONS.counter([topic, cause])
}

/// Commit metadata that was not used, since it is not ours, or not of this place.
pub(crate) fn ignored_metadata(topic: &str) -> Counter {
    all::IGNORED_METADATA.counter([topic])
}

/// Partitions that the group took away without asking: this member was not heard for a session, or was expelled.
pub(crate) fn lost_partitions(topic: &str) -> Counter {
    all::LOST_PARTITIONS.counter([topic])
}

/// When the oldest open dead letter will be deleted by its topic's retention (RULES 5).
pub(crate) fn dead_letters_vanish(at: Timestamp) {
    all::DEAD_LETTERS_VANISH.gauge([]).set(seconds(at));
}

/// Partitions that take nothing, by reason.
pub(crate) fn held_partitions(topic: &str, reason: &'static str) -> Gauge {
    all::HELD_PARTITIONS.gauge([topic, reason])
}

/// Forwards to a tier that no attempt asked for: the record was not due, or nobody handles its topic here.
pub(crate) fn hops(tier: Duration) -> Counter {
    all::HOPS.counter([&tier_label(tier)])
}

/// Records of the control topic that could not be read.
pub(crate) fn control_skipped() -> Counter {
    all::CONTROL_SKIPPED.counter([])
}

/// A Kafka client was replaced.
pub(crate) fn client_restarted() {
    all::CLIENT_RESTARTS.counter([]).increment(1);
}
