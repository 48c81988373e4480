//! What this process has counted: a recorder for the `metrics` facade.

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit, set_global_recorder,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// A counter: its name without the prefix `retrial_`, and its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    name: String,
    labels: Vec<(String, String)>,
}

impl Name {
    pub(crate) fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self::of(name.to_owned(), labels.collect())
    }

    fn of(name: String, mut labels: Vec<(String, String)>) -> Self {
        labels.sort();
        Self { name, labels }
    }

    /// Whether it is of one topic, so that no other test of this process moves it: topics have names of their own.
    pub(crate) fn is_of_one_topic(&self) -> bool {
        self.labels.iter().any(|(label, topic)| label == "topic" && topic != "unknown")
    }

    /// What it has counted so far.
    pub(crate) fn value(&self) -> u64 {
        let counters = counters().lock().unwrap_or_else(PoisonError::into_inner);
        counters.get(self).map_or(0, |counter| counter.load(Ordering::SeqCst))
    }
}

/// Without the topic, which is the same for all of a table.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name.trim_end_matches("_total"))?;
        let labels = self.labels.iter().filter(|(name, _)| name != "topic").map(|(_, value)| value.as_str());
        match labels.collect::<Vec<_>>()[..] {
            [] => Ok(()),
            ref labels => write!(f, "{{{}}}", labels.join(",")),
        }
    }
}

type Counters = Mutex<BTreeMap<Name, Arc<AtomicU64>>>;

fn counters() -> &'static Counters {
    static COUNTERS: OnceLock<Counters> = OnceLock::new();
    COUNTERS.get_or_init(Counters::default)
}

struct Recording;

impl Recorder for Recording {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label: &Label| (label.key().to_owned(), label.value().to_owned()));
        let name = key.name().trim_start_matches("retrial_").to_owned();
        let mut counters = counters().lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(Name::of(name, labels.collect())).or_default();
        Counter::from_arc(Arc::clone(counter))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Counts from here on; a second call does nothing.
pub(crate) fn count() {
    static COUNTING: OnceLock<()> = OnceLock::new();
    COUNTING.get_or_init(|| set_global_recorder(Recording).expect("no other recorder in this process"));
}
