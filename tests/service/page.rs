//! The reference page and the exposition, as data.

use std::collections::{BTreeMap, BTreeSet};

/// A metric of the page: its type and its labels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
}

/// What the guide's page says.
pub(crate) fn reference() -> BTreeMap<String, Described> {
    let page = include_str!("../../src/docs/metrics.md");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells.get(1)?.strip_prefix("`retrial_")?.strip_suffix('`')?;
        let labels = cells[3].split_whitespace().map(|label| label.trim_matches('`').to_owned()).collect();
        Some((format!("retrial_{name}"), Described { kind: cells[2].to_owned(), labels }))
    };
    page.lines().filter_map(row).collect()
}

/// One line of an exposition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// As it stands there: of a histogram with `_bucket`, `_sum` or `_count`.
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A scrape.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) help: BTreeMap<String, String>,
    pub(crate) samples: Vec<Sample>,
}

impl Scrape {
    /// Reads an exposition, and fails at what Prometheus would not take.
    pub(crate) fn parse(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a name and help");
                assert!(scrape.help.insert(name.to_owned(), help.to_owned()).is_none(), "twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            } else {
                scrape.samples.push(sample(line));
            }
        }
        assert!(text.ends_with('\n'), "the last line ends");
        scrape
    }

    /// The name of the family that a sample belongs to.
    pub(crate) fn family<'s>(&self, sample: &'s Sample) -> &'s str {
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.name.strip_suffix(end));
        stem.filter(|stem| self.types.get(*stem).is_some_and(|kind| kind == "histogram")).unwrap_or(&sample.name)
    }

    /// The value of the one sample with this name and these labels, if there is one.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|is| is == value))
        };
        let found: Vec<&Sample> = self.samples.iter().filter(has).collect();
        assert!(found.len() < 2, "{name} {labels:?} is not one: {found:?}");
        found.first().map(|sample| sample.value)
    }

    /// Every series, without its value.
    pub(crate) fn series(&self) -> BTreeSet<String> {
        self.samples.iter().map(|sample| format!("{}{:?}", sample.name, sample.labels)).collect()
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}"));
    let name = line[..end].to_owned();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    assert!(!name.is_empty() && name.chars().all(is_name), "no name: {line}");
    let (labels, value) = match line[end..].strip_prefix('{') {
        Some(rest) => labels(rest),
        None => (BTreeMap::new(), &line[end..]),
    };
    let value = value.trim().parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name, labels, value }
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    while !rest.starts_with('}') {
        let (key, after) = rest.trim_start_matches(',').split_once("=\"").expect("a label");
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().expect("an escaped character").1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        assert!(labels.insert(key.to_owned(), value).is_none(), "twice: {key}");
        rest = &after[end + 1..];
    }
    (labels, &rest[1..])
}
