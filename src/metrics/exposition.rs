//! A recorder for the process, and its numbers in Prometheus' text form.
//!
//! Histograms count into fixed buckets as they go. The exporter that goes with the facade keeps every sample, with the
//! time it came, until somebody scrapes: its memory grows with records a second, and one call counts one record. Here a
//! batch is one call, and memory is that of the series.
//!
//! # Invariants
//! 1. A series is registered once; every handle to it counts into the same number.
//! 2. What is printed parses, whatever names and labels a program's own metrics have.

use super::reference::{ALL, Kind};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit, atomics::AtomicU64,
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
};

/// The bounds of histograms that are not retrial's own, in seconds as the conventions have it.
const BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The recorder of this process, if it is ours.
static INSTALLED: OnceLock<Option<Exposition>> = OnceLock::new();

/// Makes ours the recorder of the process, unless there is another. Returns ours, where it records.
pub(crate) fn install() -> Option<&'static Exposition> {
    let installed = INSTALLED.get_or_init(|| {
        let exposition = Exposition::default();
        metrics::set_global_recorder(exposition.clone()).is_ok().then_some(exposition)
    });
    installed.as_ref()
}

/// See the module's header.
#[derive(Clone, Default)]
pub(crate) struct Exposition(Arc<Mutex<Families>>);

#[derive(Default)]
struct Families {
    by_name: BTreeMap<String, Family>,
    help: BTreeMap<String, String>,
}

/// All series of one name.
enum Family {
    Counter(BTreeMap<String, Arc<AtomicU64>>),
    Gauge(BTreeMap<String, Arc<AtomicU64>>),
    Histogram(BTreeMap<String, Arc<Buckets>>),
}

/// A histogram: how many were at most each bound, not counting those below the one before.
struct Buckets {
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    /// The bits of a float.
    sum: AtomicU64,
}

impl Buckets {
    fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(count as u64, Ordering::Relaxed);
        let add = |sum| Some((f64::from_bits(sum) + value * count as f64).to_bits());
        // It never answers `None`.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

impl Exposition {
    fn families(&self) -> MutexGuard<'_, Families> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn help(&self, name: &KeyName, text: &SharedString) {
        self.families().help.insert(word(name.as_str(), true), text.to_string());
    }

    /// Everything, in the text form of version 0.0.4. A gauge that is no number is left out.
    pub(crate) fn text(&self) -> String {
        let families = self.families();
        let mut text = String::new();
        for (name, family) in &families.by_name {
            if let Some(help) = families.help.get(name) {
                let _ = writeln!(text, "# HELP {name} {}", help.replace('\\', r"\\").replace('\n', r"\n"));
            }
            family.print(name, &mut text);
        }
        text
    }
}

impl Family {
    fn print(&self, name: &str, text: &mut String) {
        // Writing to a string does not fail.
        let _ = match self {
            Self::Counter(series) => {
                let _ = writeln!(text, "# TYPE {name} counter");
                series.iter().try_for_each(|(labels, n)| {
                    writeln!(text, "{name}{} {}", braced(labels), n.load(Ordering::Relaxed))
                })
            }
            Self::Gauge(series) => {
                let _ = writeln!(text, "# TYPE {name} gauge");
                let level = |n: &Arc<AtomicU64>| f64::from_bits(n.load(Ordering::Relaxed));
                let known = series.iter().filter(|(_, n)| !level(n).is_nan());
                known.into_iter().try_for_each(|(labels, n)| writeln!(text, "{name}{} {}", braced(labels), level(n)))
            }
            Self::Histogram(series) => {
                let _ = writeln!(text, "# TYPE {name} histogram");
                series.iter().try_for_each(|(labels, buckets)| buckets.print(name, labels, text))
            }
        };
    }
}

impl Buckets {
    fn print(&self, name: &str, labels: &str, text: &mut String) -> std::fmt::Result {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut upto = 0;
        for (index, count) in self.counts.iter().enumerate() {
            upto += count.load(Ordering::Relaxed);
            let bound = self.bounds.get(index).map_or("+Inf".to_owned(), ToString::to_string);
            writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {upto}")?;
        }
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
        writeln!(text, "{name}_sum{} {sum}", braced(labels))?;
        writeln!(text, "{name}_count{} {upto}", braced(labels))
    }
}

impl Recorder for Exposition {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.help(&name, &text);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.help(&name, &text);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.help(&name, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut families = self.families();
        let family = families.by_name.entry(word(key.name(), true)).or_insert_with(|| Family::Counter(BTreeMap::new()));
        // One name of two types is no metric: what comes second counts for nothing.
        let Family::Counter(series) = family else { return Counter::noop() };
        Counter::from_arc(Arc::clone(series.entry(labels(key)).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut families = self.families();
        let family = families.by_name.entry(word(key.name(), true)).or_insert_with(|| Family::Gauge(BTreeMap::new()));
        let Family::Gauge(series) = family else { return Gauge::noop() };
        Gauge::from_arc(Arc::clone(series.entry(labels(key)).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut families = self.families();
        let family =
            families.by_name.entry(word(key.name(), true)).or_insert_with(|| Family::Histogram(BTreeMap::new()));
        let Family::Histogram(series) = family else { return Histogram::noop() };
        let made = || Arc::new(Buckets::new(bounds(key.name())));
        Histogram::from_arc(Arc::clone(series.entry(labels(key)).or_insert_with(made)))
    }
}

fn bounds(name: &str) -> &'static [f64] {
    let own = ALL.iter().find(|metric| metric.name == name).map(|metric| metric.kind);
    if let Some(Kind::Histogram(bounds)) = own { bounds } else { BOUNDS }
}

/// A name with nothing in it that Prometheus does not take.
fn word(name: &str, colon: bool) -> String {
    let taken = |char: char| char.is_ascii_alphanumeric() || char == '_' || (colon && char == ':');
    let mut word: String = name.chars().map(|char| if taken(char) { char } else { '_' }).collect();
    if word.is_empty() || word.starts_with(|char: char| char.is_ascii_digit()) {
        word.insert(0, '_');
    }
    word
}

fn labels(key: &Key) -> String {
    let mut labels: Vec<String> = key
        .labels()
        .map(|label| {
            let value = label.value().replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            format!("{}=\"{value}\"", word(label.key(), false))
        })
        .collect();
    labels.sort();
    labels.join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::{counter, gauge, histogram, with_local_recorder};

    #[test]
    fn counters_gauges_and_histograms_are_printed_as_prometheus_reads_them() {
        let exposition = Exposition::default();
        with_local_recorder(&exposition, || {
            metrics::describe_counter!("jobs.done", "Jobs\nthat are \\done");
            counter!("jobs.done", "who" => "a \"b\"\\\n").increment(2);
            counter!("jobs.done", "who" => "a \"b\"\\\n").increment(1);
            gauge!("level", "b" => "2", "a" => "1").set(1.5);
            gauge!("level").set(f64::NAN);
            histogram!("took_seconds", "x" => "y").record_many(0.01, 3);
            histogram!("took_seconds", "x" => "y").record(99.0);
            gauge!("jobs.done").set(7.0);
        });
        let text = exposition.text();
        let expected = "# HELP jobs_done Jobs\\nthat are \\\\done\n# TYPE jobs_done counter\n\
                        jobs_done{who=\"a \\\"b\\\"\\\\\\n\"} 3\n# TYPE level gauge\nlevel{a=\"1\",b=\"2\"} 1.5\n\
                        # TYPE took_seconds histogram\n";
        assert!(text.starts_with(expected), "{text}");
        for line in [
            "took_seconds_bucket{x=\"y\",le=\"0.005\"} 0",
            "took_seconds_bucket{x=\"y\",le=\"0.01\"} 3",
            "took_seconds_bucket{x=\"y\",le=\"10\"} 3",
            "took_seconds_bucket{x=\"y\",le=\"+Inf\"} 4",
            "took_seconds_sum{x=\"y\"} 99.03",
            "took_seconds_count{x=\"y\"} 4",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} in {text}");
        }
    }

    #[test]
    fn own_histograms_have_their_own_bounds() {
        let exposition = Exposition::default();
        let text = with_local_recorder(&exposition, || {
            super::super::reference::RESIDENCE_TIME.histogram(["orders"]).record(100_000.0);
            exposition.text()
        });
        assert!(text.contains("le=\"604800\"} 1\n") && text.contains("le=\"86400\"} 0\n"), "{text}");
    }
}
