//! What a diagnosis says.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Work stands, or records are being lost.
    Critical,
    /// It goes wrong on a day that comes: a broker away, a long weekend.
    Warning,
    /// Worth knowing; nothing need be done.
    Note,
}

/// One thing that goes wrong later, or does already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind it is, for scripts: stays the same from version to version.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: `topic orders`, `broker 1`, `group billing`.
    pub thing: String,
    /// What was found there.
    pub value: String,
    /// What that leads to.
    pub consequence: String,
    /// What to do, a command where there is one.
    pub remedy: String,
}

/// A check that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unchecked {
    /// What was not looked at.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a diagnosis came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The group.
    pub group: String,
    /// Brokers that are up.
    pub brokers: usize,
    /// The source topics that were looked at.
    pub sources: Vec<String>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub unchecked: Vec<Unchecked>,
}

impl Diagnosis {
    /// Whether nothing needs attention: there are notes at most, and every check was made.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.unchecked.is_empty() && self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

/// Collects findings of one check.
pub(super) struct Report<'a> {
    findings: &'a mut Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(super) fn new(findings: &'a mut Vec<Finding>) -> Self {
        Self { findings }
    }

    pub(super) fn add(
        &mut self,
        (id, severity): (&'static str, Severity),
        thing: impl Into<String>,
        value: impl Into<String>,
        consequence: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (thing, value, consequence, remedy) = (thing.into(), value.into(), consequence.into(), remedy.into());
        self.findings.push(Finding { id, severity, thing, value, consequence, remedy });
    }
}
