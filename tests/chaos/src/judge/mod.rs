//! Judges of a run. Each is a pure function of the evidence: what the handlers wrote into their ledgers, what lies in the
//! topics, and the chronicle of the faults. Nothing that a service says of itself is believed. The rules:
//!
//! - **missing**: a record counts as produced if it lies in a source topic (or was acknowledged). It is missing if no
//!   handler ever finished it and it is not among the dead letters. One that ended otherwise than its body demands (a
//!   dead letter that should have been done, another cause, both) has a **wrong end**.
//! - **early**: an attempt at a record of a tier began before its append time plus the tier's delay, or before the due time
//!   in its headers. Append times are the broker's, and all clocks here are the same machine's.
//! - **out of order**: see [`order`]: what counts is that no later record of a key begins before an earlier one has been
//!   finished once. A redo of what was in flight when its worker died breaks nothing.
//! - **handled twice**: see [`redo`]: an attempt that had ended was made again. Kafka work is at least once, so a fault may
//!   explain it; without one, or too long after the fault had its chance, it is broken.
//! - **forwarded twice**: see [`lineage`]: the same forward lies twice in a tier or among the dead letters. Again a fault
//!   may explain it, but never two copies handled within one assignment, whose owner had both before its eyes.
//! - **wrong attempt**: a handler was told another attempt than the record's past says.
//! - **deserted**: a worker ended though nobody had asked. One that gave up in good order while a broker was away, because
//!   it could not connect, is only counted: a supervisor starts it again.
//! - **complaints**: a worker's log says that a commit's map was not used, or that records are gone or the log was cut. The
//!   cluster is never broken so far that this may be.
//!
//! `longest_stall` is measured, not judged: how long a source partition that had work began none of it. A partition that
//! stalls for good shows as missing records, since the run then does not come to rest.

mod attempts;
mod early;
mod ends;
mod evidence;
mod explanation;
mod lineage;
mod order;
mod redo;
mod run;
mod stall;

pub(crate) use evidence::{Evidence, Forward, Produced};

use std::collections::BTreeMap;

use crate::{
    clock::{MILLI, Micros},
    crew::Desertion,
    place::Place,
};

/// Violations of one rule: how many, and some of them in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) count: u64,
    pub(crate) examples: Vec<String>,
}

impl Found {
    const SHOWN: usize = 5;

    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < Self::SHOWN {
            self.examples.push(example());
        }
    }
}

/// Times of many things, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50: i64,
    pub(crate) p99: i64,
    pub(crate) max: i64,
}

impl Spread {
    fn of(mut times: Vec<Micros>) -> Self {
        times.sort_unstable();
        let last = times.len().saturating_sub(1);
        let at = |share: f64| times.get((last as f64 * share).round() as usize).map_or(0, |time| time / MILLI);
        Self { count: times.len(), p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// The longest time that a source partition with work began none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stall {
    pub(crate) millis: i64,
    /// The first record that was begun after it.
    pub(crate) ended_with: Place,
    /// When it ended, in microseconds since 1970.
    pub(crate) at: i64,
}

/// What the judges say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) produced: u64,
    /// Records that a handler finished at least once.
    pub(crate) handled: u64,
    pub(crate) missing: Found,
    /// Acknowledged by Kafka, and not in the topic.
    pub(crate) lost_by_kafka: Found,
    pub(crate) wrong_end: Found,
    pub(crate) early: Found,
    pub(crate) out_of_order: Found,
    /// How often a record was finished by a handler beyond once.
    pub(crate) handled_twice: u64,
    /// The same, by what explains it: the name of a fault, or `two_lineages`.
    pub(crate) handled_twice_by_fault: BTreeMap<&'static str, u64>,
    /// Attempts, failed ones too, that were made again after they had ended.
    pub(crate) redone: u64,
    /// Those of them that no fault explains.
    pub(crate) redone_unexplained: Found,
    /// Those of them that had ended so long before that only blocked commits explain them.
    pub(crate) redone_while_blocked: u64,
    /// How long before the fault the others had ended, in milliseconds: how old what is not committed can be.
    pub(crate) redone_age: Spread,
    /// Copies of forwards beyond the first.
    pub(crate) forwarded_twice: u64,
    /// Those of them that ran beside the first.
    pub(crate) both_lineages_ran: u64,
    pub(crate) forwarded_twice_unexplained: Found,
    pub(crate) wrong_attempt: Found,
    /// Records that are dead letters.
    pub(crate) dead_letters: u64,
    pub(crate) dead_letters_by_cause: BTreeMap<String, u64>,
    /// How late attempts out of a tier began, by its topic.
    pub(crate) lateness: BTreeMap<String, Spread>,
    pub(crate) longest_stall: Option<Stall>,
    pub(crate) deserted: Found,
    pub(crate) complaints: Found,
    /// Workers that could not connect while a broker was away, or that were frozen meanwhile.
    pub(crate) gave_up: u64,
    /// Why the run did not come to rest, if it did not.
    pub(crate) restless: Option<String>,
}

impl Verdict {
    /// Every rule that can be broken, by name.
    pub(crate) fn rules(&self) -> [(&'static str, &Found); 10] {
        [
            ("missing", &self.missing),
            ("lost_by_kafka", &self.lost_by_kafka),
            ("wrong_end", &self.wrong_end),
            ("early", &self.early),
            ("out_of_order", &self.out_of_order),
            ("redone_unexplained", &self.redone_unexplained),
            ("forwarded_twice_unexplained", &self.forwarded_twice_unexplained),
            ("wrong_attempt", &self.wrong_attempt),
            ("deserted", &self.deserted),
            ("complaints", &self.complaints),
        ]
    }

    /// Whether every promise held.
    pub(crate) fn holds(&self) -> bool {
        self.restless.is_none() && self.rules().iter().all(|(_, found)| found.count == 0)
    }
}

/// Judges a run.
pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict { restless: evidence.restless.clone(), ..Verdict::default() };
    let runs = run::runs(&evidence.entries);
    ends::judge(evidence, &runs, &mut verdict);
    early::judge(evidence, &runs, &mut verdict);
    order::judge(evidence, &runs, &mut verdict);
    redo::judge(evidence, &runs, &mut verdict);
    lineage::judge(evidence, &runs, &mut verdict);
    attempts::judge(evidence, &runs, &mut verdict);
    stall::judge(evidence, &runs, &mut verdict);
    desertions(evidence, &mut verdict);
    evidence.complaints.iter().for_each(|complaint| verdict.complaints.add(|| complaint.clone()));
    verdict
}

fn desertions(evidence: &Evidence, verdict: &mut Verdict) {
    let explanations = explanation::Explanations::new(evidence);
    for Desertion { worker, at, gave_up, what } in &evidence.desertions {
        if *gave_up && explanations.of_giving_up(*worker, *at).is_some() {
            verdict.gave_up += 1;
        } else {
            verdict.deserted.add(|| format!("worker {worker}: {what}"));
        }
    }
}

#[cfg(test)]
mod tests;
