//! What the judges say, as a table for people and as one line of JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    clock::{Micros, SECOND},
    faults::{Fault, Kind},
    judge::{Spread, Verdict},
    ledger::Worker,
};

/// What a report is made of.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) verdict: &'a Verdict,
    pub(crate) faults: &'a [Fault],
    pub(crate) workers: Worker,
    /// When the run began.
    pub(crate) began: Micros,
    /// From the last fault until all was quiet.
    pub(crate) quiet_after_ms: u64,
}

impl Report<'_> {
    fn faults_by_kind(&self) -> BTreeMap<&'static str, u64> {
        let mut counts: BTreeMap<_, _> = Kind::ALL.iter().map(|kind| (kind.name(), 0)).collect();
        for fault in self.faults {
            *counts.entry(fault.kind.name()).or_default() += 1;
        }
        counts
    }

    /// Lines for people.
    pub(crate) fn table(&self) -> String {
        let verdict = self.verdict;
        let mut rows: Vec<(String, String)> = vec![
            ("produced".into(), verdict.produced.to_string()),
            ("handled".into(), verdict.handled.to_string()),
            ("dead letters".into(), with_parts(verdict.dead_letters, &verdict.dead_letters_by_cause)),
            ("handled twice".into(), with_parts(verdict.handled_twice, &verdict.handled_twice_by_fault)),
            (
                "attempts made again".into(),
                format!(
                    "{} ({} because commits were blocked; the others had ended before the fault: {})",
                    verdict.redone,
                    verdict.redone_while_blocked,
                    spread(&verdict.redone_age)
                ),
            ),
            (
                "forwarded twice".into(),
                format!("{} ({} of these ran beside the first)", verdict.forwarded_twice, verdict.both_lineages_ran),
            ),
        ];
        for (tier, late) in &verdict.lateness {
            rows.push((format!("late in {tier}"), spread(late)));
        }
        let stall = verdict.longest_stall.map(|stall| {
            let at = (stall.at - self.began) as f64 / SECOND as f64;
            format!("{} ms, until {} at {at:.1} s", stall.millis, stall.ended_with)
        });
        rows.push(("longest stall".into(), stall.unwrap_or_else(|| "none".into())));
        rows.push(("workers that could not connect".into(), verdict.gave_up.to_string()));
        rows.push(("quiet after".into(), format!("{} ms", self.quiet_after_ms)));
        rows.push(("faults".into(), with_parts(self.faults.len() as u64, &self.faults_by_kind())));
        for (name, found) in verdict.rules() {
            let word = if found.count == 0 { "" } else { "  BROKEN" };
            rows.push((name.replace('_', " "), format!("{}{word}", found.count)));
        }
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut table: Vec<String> = rows.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
        let broken = verdict
            .rules()
            .into_iter()
            .flat_map(|(name, found)| found.examples.iter().map(move |example| format!("BROKEN {name}: {example}")));
        table.extend(broken);
        table.extend(verdict.restless.iter().map(|reason| format!("BROKEN rest: {reason}")));
        table.join("\n")
    }

    /// One line for machines.
    pub(crate) fn json(&self) -> String {
        let (verdict, arguments) = (self.verdict, self.arguments);
        let late = |pick: fn(&Spread) -> i64| -> BTreeMap<&str, i64> {
            verdict.lateness.iter().map(|(tier, late)| (tier.as_str(), pick(late))).collect()
        };
        let mut line = json!({
            "seed": arguments.seed,
            "seconds": arguments.seconds,
            "brokers": arguments.brokers,
            "rate": arguments.rate,
            "workers": self.workers,
            "holds": verdict.holds(),
            "produced": verdict.produced,
            "handled": verdict.handled,
            "dead_letters": verdict.dead_letters,
            "dead_letters_by_cause": verdict.dead_letters_by_cause,
            "handled_twice": verdict.handled_twice,
            "handled_twice_by_fault": verdict.handled_twice_by_fault,
            "redone": verdict.redone,
            "redone_age_ms": { "p50": verdict.redone_age.p50, "p99": verdict.redone_age.p99, "max": verdict.redone_age.max },
            "redone_while_blocked": verdict.redone_while_blocked,
            "gave_up": verdict.gave_up,
            "forwarded_twice": verdict.forwarded_twice,
            "both_lineages_ran": verdict.both_lineages_ran,
            "lateness_ms": { "p50": late(|l| l.p50), "p99": late(|l| l.p99), "max": late(|l| l.max) },
            "longest_stall_ms": verdict.longest_stall.map_or(0, |stall| stall.millis),
            "quiet_after_ms": self.quiet_after_ms,
            "quiet": verdict.restless.is_none(),
            "faults": self.faults_by_kind(),
        });
        for (name, found) in verdict.rules() {
            line[name] = Value::from(found.count);
        }
        line.to_string()
    }
}

fn spread(times: &Spread) -> String {
    let Spread { count, p50, p99, max } = times;
    format!("p50 {p50} ms, p99 {p99} ms, max {max} ms of {count}")
}

fn with_parts(whole: u64, parts: &BTreeMap<impl AsRef<str> + Ord, u64>) -> String {
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{} {count}", name.as_ref().replace('_', " ")))
        .collect();
    if parts.is_empty() { whole.to_string() } else { format!("{whole} ({})", parts.join(", ")) }
}
