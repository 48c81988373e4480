//! What came of a scenario, as text or JSON.

use crate::{child::Outcome, clients::Client};
use serde_json::json;

/// What came of all turns of one client.
pub(crate) struct Line {
    pub(crate) client: Client,
    outcomes: Vec<Outcome>,
    pub(crate) garbled: u64,
}

/// What came of a scenario. The first line is retrial's, the second that of the reference which the bar names.
pub(crate) struct Result {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// The middle one; of two in the middle the mean. 0 if there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(0.0);
    let lower = values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    f64::midpoint(lower, upper)
}

impl Line {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, outcomes: Vec::new(), garbled: 0 }
    }

    /// Adds a turn; all bodies together should have this checksum.
    pub(crate) fn add(&mut self, outcome: Outcome, written: u64) {
        self.garbled += u64::from(outcome.missing == 0 && outcome.repeated == 0 && outcome.checksum != written);
        self.outcomes.push(outcome);
    }

    fn rates(&self) -> Vec<f64> {
        self.of_laps(|lap| lap.records as f64 / lap.seconds)
    }

    fn of_laps(&self, of: impl Fn(&crate::stopwatch::Lap) -> f64) -> Vec<f64> {
        self.outcomes.iter().filter_map(|outcome| outcome.lap.as_ref().map(&of)).collect()
    }

    fn rate(&self) -> f64 {
        median(self.rates())
    }

    /// How far the fastest turn is from the slowest, as a part of the median.
    fn spread(&self) -> f64 {
        let rates = self.rates();
        let most = rates.iter().copied().fold(0.0, f64::max);
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        if rates.is_empty() { 0.0 } else { (most - least) / self.rate() }
    }

    fn cpu(&self) -> f64 {
        median(self.of_laps(|lap| lap.cpu_seconds * 1e6 / lap.records as f64))
    }

    fn allocations(&self) -> f64 {
        median(self.of_laps(|lap| lap.allocations as f64 / lap.records as f64))
    }

    fn peak(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.peak_bytes).max().unwrap_or(0)
    }

    fn missing(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.missing).sum()
    }

    fn repeated(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.repeated).sum()
    }
}

impl Result {
    /// Whether every client handled every record once.
    pub(crate) fn is_sound(&self) -> bool {
        self.lines.iter().all(|line| line.missing() + line.repeated() + line.garbled == 0)
    }
}

/// Three digits are more than a measure has.
fn short(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Prints it.
pub(crate) fn print(result: &Result, as_json: bool) {
    if as_json {
        println!("{}", object(result));
        return;
    }
    println!("{}", result.name);
    let own = result.lines[0].rate();
    for line in &result.lines {
        println!(
            "  {:<16} {:>10.0}/s  ±{:>3.0} %  ratio {:>5.2}  {:>6.3} µs of CPU, {:>6.3} allocations  {:>4} MiB  \
             missing {} repeated {} garbled {}",
            line.client.name(),
            line.rate(),
            line.spread() * 50.0,
            own / line.rate(),
            line.cpu(),
            line.allocations(),
            line.peak() >> 20,
            line.missing(),
            line.repeated(),
            line.garbled,
        );
    }
}

fn object(result: &Result) -> serde_json::Value {
    let (own, references) = result.lines.split_first().expect("retrial has a line");
    let of = |line: &Line| {
        json!({
            "reference": line.client.name(),
            "reference_per_s": line.rate().round(),
            "ratio": short(own.rate() / line.rate()),
            "spread": short(line.spread()),
            "cpu_us_per_record": short(line.cpu()),
            "allocations_per_record": short(line.allocations()),
            "peak_bytes": line.peak(),
            "missing": line.missing(),
            "repeated": line.repeated(),
        })
    };
    let first = &references[0];
    json!({
        "scenario": result.name,
        "records_per_s": own.rate().round(),
        "reference": first.client.name(),
        "reference_per_s": first.rate().round(),
        "ratio": short(own.rate() / first.rate()),
        "missing": own.missing(),
        "repeated": own.repeated(),
        "spread": short(own.spread()),
        "cpu_us_per_record": short(own.cpu()),
        "allocations_per_record": short(own.allocations()),
        "peak_bytes": own.peak(),
        "references": references.iter().map(of).collect::<Vec<_>>(),
    })
}
