//! Reads the service's metrics as an exporter would: a recorder for the `metrics` facade, which keeps the last values.

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

type Cells = Mutex<HashMap<Key, Arc<AtomicU64>>>;

#[derive(Debug, Default)]
struct Meters {
    counters: Cells,
    gauges: Cells,
}

static METERS: LazyLock<Meters> = LazyLock::new(Meters::default);

fn cell(cells: &Cells, key: &Key) -> Arc<AtomicU64> {
    Arc::clone(cells.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default())
}

struct Exporter;

impl Recorder for Exporter {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(cell(&METERS.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(cell(&METERS.gauges, key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Begins to keep values. Before the first service, whose handles would lead nowhere else.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| metrics::set_global_recorder(Exporter).expect("no other recorder in this process"));
}

fn matching(cells: &Cells, name: &str, labels: &[(&str, &str)]) -> Vec<u64> {
    let cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
    let has = |key: &Key, (name, value): &(&str, &str)| {
        key.labels().any(|label| label.key() == *name && label.value() == *value)
    };
    let found = cells.iter().filter(|(key, _)| key.name() == name && labels.iter().all(|label| has(key, label)));
    found.map(|(_, cell)| cell.load(Ordering::Acquire)).collect()
}

/// The sum of the counters of a name that have these labels.
pub(crate) fn counter(name: &str, labels: &[(&str, &str)]) -> u64 {
    matching(&METERS.counters, name, labels).into_iter().sum()
}

/// The sum of the gauges of a name that have these labels.
pub(crate) fn gauge(name: &str, labels: &[(&str, &str)]) -> f64 {
    matching(&METERS.gauges, name, labels).into_iter().map(f64::from_bits).sum()
}
