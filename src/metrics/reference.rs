//! Every metric that there is: name, type, labels and words, once. Handles, the exposition and the guide's page
//! (`src/docs/metrics.md`) are made of these descriptions.

use metrics::{Counter, Gauge, Histogram, Label, Unit, counter, gauge, histogram};

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Only grows.
    Counter,
    /// A level.
    Gauge,
    /// A distribution, in buckets up to these bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Prometheus' word for it.
    #[cfg(test)]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

impl Metric {
    pub(crate) fn counter<const N: usize>(&self, values: [&str; N]) -> Counter {
        debug_assert_eq!(self.kind, Kind::Counter, "{}", self.name);
        counter!(self.name, self.labelled(values))
    }

    pub(crate) fn gauge<const N: usize>(&self, values: [&str; N]) -> Gauge {
        debug_assert_eq!(self.kind, Kind::Gauge, "{}", self.name);
        gauge!(self.name, self.labelled(values))
    }

    pub(crate) fn histogram<const N: usize>(&self, values: [&str; N]) -> Histogram {
        debug_assert!(matches!(self.kind, Kind::Histogram(_)), "{}", self.name);
        histogram!(self.name, self.labelled(values))
    }

    fn labelled<const N: usize>(&self, values: [&str; N]) -> Vec<Label> {
        debug_assert_eq!(self.labels.len(), N, "{} has the labels {:?}", self.name, self.labels);
        self.labels.iter().zip(values).map(|(&label, value)| Label::new(label, value.to_owned())).collect()
    }

    /// The unit that its name ends in.
    fn unit(&self) -> Option<Unit> {
        let stem = self.name.strip_suffix("_total").unwrap_or(self.name);
        match stem.rsplit('_').next() {
            Some("seconds") => Some(Unit::Seconds),
            Some("bytes") => Some(Unit::Bytes),
            _ => Some(Unit::Count),
        }
    }
}

/// Tells the process's recorder what the metrics mean.
pub(crate) fn describe() {
    for metric in ALL {
        let unit = metric.unit().unwrap_or(Unit::Count);
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram(_) => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

/// From quick calls to the time limit and beyond it, in seconds.
const ATTEMPT: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];

/// From a quick stream to a schedule of days.
const RESIDENCE: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0,
    86_400.0, 604_800.0,
];

/// What is late by an hour was not late, but without a worker.
const LATENESS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0];

/// A round trip to a broker, up to where librdkafka gives up.
const ROUND_TRIP: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

macro_rules! metrics {
    ($($ident:ident = $kind:ident $(($bounds:ident))? $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) const $ident: Metric = Metric {
            name: $name,
            kind: Kind::$kind $(($bounds))?,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order of the guide's page.
        pub(crate) const ALL: &[Metric] = &[$($ident),*];
    };
}

metrics! {
    RECORDS = Counter "retrial_records_total" ["topic", "outcome"]
        "Records that are settled for good, by outcome: done, discarded, or dead (in the dead letters).";
    ATTEMPTS = Counter "retrial_attempts_total" ["topic", "result"]
        "Attempts that ended, by what the handler made of them: done, retry, snooze, hold, discard or dead.";
    FAILED_ATTEMPTS = Counter "retrial_failed_attempts_total" ["topic", "kind"]
        "Attempts that failed, by the kind of failure; the first 32 kinds of a topic by name, all others as `other`.";
    ATTEMPT_DURATION = Histogram(ATTEMPT) "retrial_attempt_duration_seconds" ["topic"]
        "How long attempts took, tries in place apart. Those that end at once are timed together, 32 at most.";
    RESIDENCE_TIME = Histogram(RESIDENCE) "retrial_residence_seconds" ["topic"]
        "From a record's timestamp in the source topic until it was done, waits and retries included.";
    OLDEST_UNFINISHED = Gauge "retrial_oldest_unfinished_timestamp_seconds" ["topic", "partition"]
        "Timestamp of the oldest record of a source partition that is not finished, exact to a batch; the time of the look where none waits. The age is `time()` minus this, and grows when the process wedges.";
    LAG = Gauge "retrial_lag_records" ["topic", "partition"]
        "Offsets between the watermark of a source partition and the end of its log, as other tools count lag.";
    WAITING = Gauge "retrial_waiting_records" ["tier"]
        "Records that wait in the partitions of a tier that this process owns.";
    NEXT_DUE = Gauge "retrial_next_due_timestamp_seconds" ["tier"]
        "When the next record of a tier is let through, of those that this process has fetched; absent while none waits.";
    LATENESS_OF_RETRIES = Histogram(LATENESS) "retrial_retry_lateness_seconds" ["tier"]
        "How long after it was due a retry's turn came, by the broker's clock.";
    HOPS = Counter "retrial_hops_total" ["tier"]
        "Forwards to a tier that no attempt asked for: the record was not due, or nobody handles its topic here.";
    IN_FLIGHT = Gauge "retrial_in_flight_records" ["topic"]
        "Attempts that run now.";
    IN_FLIGHT_LIMIT = Gauge "retrial_in_flight_limit_records" ["topic"]
        "Attempts that may run at once.";
    READY = Gauge "retrial_ready_records" ["topic"]
        "Records that wait in memory for nothing but a free slot.";
    DEAD_LETTERS = Counter "retrial_dead_letters_total" ["topic", "cause"]
        "Records written to the dead letters, by cause: exhausted, refused, undecodable, expired, crashed or unhandled.";
    DEAD_LETTERS_VANISH = Gauge "retrial_dead_letters_vanish_timestamp_seconds" []
        "When the oldest open dead letter will be deleted by its topic's retention.";
    SUSPECTS = Counter "retrial_suspects_total" ["topic", "result"]
        "Tests of records that may have taken a process down: tested, survived, buried or held.";
    HELD_PARTITIONS = Gauge "retrial_held_partitions" ["topic", "reason"]
        "Partitions that take nothing: forward_refused, offset_missing, metadata_full, crashed or read_refused.";
    COMMIT_DURATION = Histogram(ROUND_TRIP) "retrial_commit_duration_seconds" []
        "From a commit's request to its acknowledgement.";
    COMMIT_METADATA = Gauge "retrial_commit_metadata_bytes" ["topic"]
        "Bytes of metadata beside the largest entry of the topic in its last commit; brokers take 4096 by default.";
    IGNORED_METADATA = Counter "retrial_commit_metadata_ignored_total" ["topic"]
        "Commits found whose metadata was not used, since it is not retrial's, or not of this place.";
    REDONE = Counter "retrial_redone_records_total" []
        "Records that ran or came again though some owner had finished or forwarded them.";
    LOST_RECORDS = Counter "retrial_lost_records_total" ["topic", "cause"]
        "Records that the log lost before this group had finished them, by cause: deleted or cut.";
    RESTARTED_PARTITIONS = Counter "retrial_restarted_partitions_total" ["topic", "cause"]
        "Partitions that begin again at an earlier place, by cause: cut or made_anew.";
    LOST_PARTITIONS = Counter "retrial_lost_partitions_total" ["topic"]
        "Partitions that the group took away without asking: the process was not heard for a session, or was expelled.";
    PARTITIONS = Gauge "retrial_assigned_partitions" ["topic"]
        "Partitions that this process owns.";
    REBALANCES = Counter "retrial_rebalances_total" []
        "Times that partitions were taken from this process.";
    REBALANCE_DURATION = Histogram(ROUND_TRIP) "retrial_rebalance_duration_seconds" []
        "From a revocation to its answer: draining what runs and the last commit.";
    BUFFER = Gauge "retrial_buffer_bytes" []
        "Bytes of records held in memory: by handlers, ready, waiting, and until a forward is acknowledged.";
    BUFFER_LIMIT = Gauge "retrial_buffer_limit_bytes" []
        "Bytes of records that may be held before nothing new is read.";
    PRODUCER_QUEUE = Gauge "retrial_producer_queue_records" []
        "Forwards that are not acknowledged yet.";
    CLIENT_RESTARTS = Counter "retrial_client_restarts_total" []
        "Times that a Kafka client was replaced because it was broken or stood still.";
    CONTROL_SKIPPED = Counter "retrial_control_skipped_total" []
        "Records of the control topic that could not be read.";
    LAST_TURN = Gauge "retrial_last_turn_timestamp_seconds" []
        "When the loop that serves the group last turned.";
    BUILD_INFO = Gauge "retrial_build_info" ["version"]
        "Always 1, with the version of retrial.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The guide's page, as it must be.
    fn page() -> String {
        let mut page = String::from(
            "# Metrics\n\nEvery metric of a service. This page is made of the descriptions in `src/metrics/reference.rs`; \
             to write it anew:\n\n```sh\nRETRIAL_WRITE_REFERENCE=1 cargo test --lib the_page_is_true\n```\n\nSeconds and bytes \
             throughout. Points of time are timestamps, not ages: an age stops growing when its process\nwedges. Labels are \
             topics, partitions, tiers (`5s`, `10m`) and the words named here; never a key, an offset or a text.\n\n\
             | metric | type | labels | what it says |\n|---|---|---|---|\n",
        );
        for metric in ALL {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind, help) = (metric.name, metric.kind.as_str(), metric.help);
            page += &format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(" "));
        }
        page += "\n## Bounds of the buckets\n\n";
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
                page += &format!("- `{}`: {}\n", metric.name, bounds.join(" "));
            }
        }
        page
    }

    #[test]
    fn the_page_is_true() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/metrics.md");
        if std::env::var_os("RETRIAL_WRITE_REFERENCE").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "src/docs/metrics.md is not what the code says; the page names the command");
    }

    #[test]
    fn names_follow_the_conventions_and_none_is_there_twice() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for Metric { name, kind, labels, help } in ALL {
            assert!(name.starts_with("retrial_") && help.ends_with('.'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(name.chars().all(|char| char.is_ascii_lowercase() || char == '_'), "{name}");
            assert!(!labels.contains(&"key") && !labels.contains(&"offset") && !labels.contains(&"le"), "{name}");
            if let Kind::Histogram(bounds) = kind {
                assert!(name.ends_with("_seconds") && bounds.is_sorted(), "{name}");
            }
        }
    }

    /// These were promised for ten years: other tools name them.
    #[test]
    fn the_frozen_names_are_there_with_their_types_and_labels() {
        let frozen = "counter retrial_records_total topic outcome\ncounter retrial_attempts_total topic result\n\
                      counter retrial_dead_letters_total topic cause\ncounter retrial_redone_records_total\n\
                      counter retrial_rebalances_total\ncounter retrial_client_restarts_total\n\
                      histogram retrial_attempt_duration_seconds topic\nhistogram retrial_residence_seconds topic\n\
                      histogram retrial_retry_lateness_seconds tier\nhistogram retrial_commit_duration_seconds\n\
                      gauge retrial_oldest_unfinished_timestamp_seconds topic partition\n\
                      gauge retrial_lag_records topic partition\ngauge retrial_waiting_records tier\n\
                      gauge retrial_next_due_timestamp_seconds tier\ngauge retrial_in_flight_records topic\n\
                      gauge retrial_in_flight_limit_records topic\ngauge retrial_held_partitions topic reason\n\
                      gauge retrial_commit_metadata_bytes topic\ngauge retrial_buffer_bytes\n\
                      gauge retrial_buffer_limit_bytes\ngauge retrial_build_info version";
        let described = |metric: &Metric| [&[metric.kind.as_str(), metric.name][..], metric.labels].concat().join(" ");
        let all: Vec<String> = ALL.iter().map(described).collect();
        for line in frozen.lines() {
            assert!(all.iter().any(|described| described == line), "{line}");
        }
    }
}
