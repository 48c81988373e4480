//! What came of a scenario, as text or JSON.

use crate::{child::Outcome, stopwatch::Lap};
use serde_json::{Map, Value, json};

/// What a scenario is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Metric {
    /// Records per second: more is better.
    Rate,
    /// A figure of this name.
    Figure(&'static str),
}

/// What came of all turns of one client.
pub(crate) struct Line {
    label: String,
    outcomes: Vec<Outcome>,
    /// What else was measured, a value for each turn.
    figures: Vec<(&'static str, Vec<f64>)>,
    garbled: u64,
    /// Whether its records may come again, since it was killed.
    may_repeat: bool,
}

/// What came of a scenario. The first line is retrial's, the second that of the reference which the bar names.
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) metric: Metric,
    pub(crate) lines: Vec<Line>,
}

/// The middle one; of two in the middle the mean. 0 if there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(0.0);
    let lower = values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    f64::midpoint(lower, upper)
}

/// The value below which this part of all lies, in milliseconds, of samples in microseconds.
pub(crate) fn percentile(samples: &mut [u64], part: f64) -> f64 {
    samples.sort_unstable();
    let place = (samples.len() as f64 * part) as usize;
    samples.get(place.min(samples.len().saturating_sub(1))).map_or(0.0, |micros| *micros as f64 / 1000.0)
}

impl Line {
    pub(crate) fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), outcomes: Vec::new(), figures: Vec::new(), garbled: 0, may_repeat: false }
    }

    /// Adds a turn.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// Adds a turn in which all bodies together should have this checksum.
    pub(crate) fn add_checked(&mut self, outcome: Outcome, written: u64) {
        self.garbled += u64::from(outcome.missing == 0 && outcome.repeated == 0 && outcome.checksum != written);
        self.add(outcome);
    }

    /// Its records may come again.
    pub(crate) fn may_repeat(&mut self) {
        self.may_repeat = true;
    }

    /// Adds a value to a figure.
    pub(crate) fn figure(&mut self, name: &'static str, value: f64) {
        match self.figures.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => self.figures.push((name, vec![value])),
        }
    }

    fn of_laps(&self, of: impl Fn(&Lap) -> f64) -> Vec<f64> {
        self.outcomes.iter().filter_map(|outcome| outcome.lap.as_ref()).filter(|lap| lap.records > 0).map(of).collect()
    }

    fn rates(&self) -> Vec<f64> {
        self.of_laps(|lap| lap.records as f64 / lap.seconds)
    }

    /// Records per second, the median of all turns; 0 where that is not measured.
    pub(crate) fn rate(&self) -> f64 {
        median(&self.rates())
    }

    fn values(&self, metric: Metric) -> Vec<f64> {
        match metric {
            Metric::Rate => self.rates(),
            Metric::Figure(name) => self
                .figures
                .iter()
                .find(|(known, _)| *known == name)
                .map_or_else(Vec::new, |(_, values)| values.clone()),
        }
    }

    /// How far the largest turn is from the smallest, as a part of the median.
    fn spread(&self, metric: Metric) -> f64 {
        let values = self.values(metric);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let middle = median(&values);
        if middle == 0.0 { 0.0 } else { (most - least) / middle }
    }

    fn cpu(&self) -> f64 {
        median(&self.of_laps(|lap| lap.cpu_seconds * 1e6 / lap.records as f64))
    }

    fn allocations(&self) -> f64 {
        median(&self.of_laps(|lap| lap.allocations as f64 / lap.records as f64))
    }

    fn sum(&self, of: impl Fn(&Outcome) -> u64) -> u64 {
        self.outcomes.iter().map(of).sum()
    }

    fn missing(&self) -> u64 {
        self.sum(|outcome| outcome.missing)
    }

    fn repeated(&self) -> u64 {
        self.sum(|outcome| outcome.repeated)
    }

    fn peak(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.peak_bytes).max().unwrap_or(0)
    }

    fn is_sound(&self) -> bool {
        self.missing() + self.garbled == 0 && (self.may_repeat || self.repeated() == 0)
    }

    /// What is the same for all clients, by name.
    fn fields(&self, metric: Metric) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        set("missing", json!(self.missing()));
        set("repeated", json!(self.repeated()));
        set("garbled", json!(self.garbled));
        set("spread", json!(short(self.spread(metric))));
        set("cpu_us_per_record", json!(short(self.cpu())));
        set("allocations_per_record", json!(short(self.allocations())));
        set("peak_bytes", json!(self.peak()));
        for (name, values) in &self.figures {
            set(name, json!(short(median(values))));
        }
        fields
    }
}

impl Report {
    pub(crate) fn new(name: &str, metric: Metric, lines: Vec<Line>) -> Self {
        Self { name: name.to_owned(), metric, lines }
    }

    /// Whether every client handled every record, and once.
    pub(crate) fn is_sound(&self) -> bool {
        self.lines.iter().all(Line::is_sound)
    }

    fn ratio(&self, line: &Line) -> Value {
        let of = |line: &Line| median(&line.values(self.metric));
        let (own, other) = (of(&self.lines[0]), of(line));
        if other == 0.0 { Value::Null } else { json!(short(own / other)) }
    }

    /// How much more processor time than retrial's a record takes there. It needs no idle machine.
    fn cpu_ratio(&self, line: &Line) -> Value {
        let own = self.lines[0].cpu();
        if own == 0.0 { Value::Null } else { json!(short(line.cpu() / own)) }
    }

    /// Prints it.
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", self.object());
        } else {
            self.print_text();
        }
    }

    fn print_text(&self) {
        println!("{}{}", self.name, if self.is_sound() { "" } else { "  NOT SOUND" });
        for line in &self.lines {
            println!(
                "  {:<18} {:>10.0}/s ±{:>3.0} %  ratio {:>6}  {:>6.3} µs CPU (ratio {})  {:>6.3} allocations  {:>5} MiB  missing {} \
                 repeated {} garbled {}",
                line.label,
                line.rate(),
                line.spread(self.metric) * 50.0,
                self.ratio(line).to_string(),
                line.cpu(),
                self.cpu_ratio(line),
                line.allocations(),
                line.peak() >> 20,
                line.missing(),
                line.repeated(),
                line.garbled,
            );
            if !line.figures.is_empty() {
                let figures = line.figures.iter().map(|(name, values)| format!("{name} {}", short(median(values))));
                println!("  {:<18} {}", "", figures.collect::<Vec<_>>().join("  "));
            }
        }
    }

    fn object(&self) -> Value {
        let (own, references) = self.lines.split_first().expect("retrial has a line");
        let mut object = own.fields(self.metric);
        object.insert("scenario".to_owned(), json!(self.name));
        object.insert("records_per_s".to_owned(), json!(own.rate().round()));
        let first = references.first();
        object.insert("reference".to_owned(), json!(first.map(|line| line.label.as_str())));
        object.insert("reference_per_s".to_owned(), json!(first.map(|line| line.rate().round())));
        object.insert("ratio".to_owned(), first.map_or(Value::Null, |line| self.ratio(line)));
        let of = |line: &Line| {
            let mut fields = line.fields(self.metric);
            fields.insert("reference".to_owned(), json!(line.label));
            fields.insert("reference_per_s".to_owned(), json!(line.rate().round()));
            fields.insert("ratio".to_owned(), self.ratio(line));
            fields.insert("cpu_ratio".to_owned(), self.cpu_ratio(line));
            Value::Object(fields)
        };
        object.insert("cpu_ratio".to_owned(), first.map_or(Value::Null, |line| self.cpu_ratio(line)));
        object.insert("references".to_owned(), references.iter().map(of).collect());
        Value::Object(object)
    }
}

/// Three digits behind the point are more than a measure has.
fn short(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
