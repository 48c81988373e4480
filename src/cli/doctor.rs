//! `retrial doctor`.

use super::{
    connection::Connection,
    end::{End, Ended},
    screen::Screen,
    table::{Table, things},
    times::read_duration,
};
use crate::admin::{Diagnosis, DoctorScope, Severity, diagnose};
use std::time::Duration;

const EXAMPLES: &str = "\
Nothing is written, and the group does not notice. Rights are those of the user that connects: use the service's. Exit
code 6 if something needs attention: a finding that is more than a note, or a check that could not be made.

Examples:
  retrial doctor --bootstrap-server localhost:9092 --group billing
  retrial doctor --group billing --topic orders --delays 5s,1m,10m,1h,6h
  retrial doctor --group billing --output json | jq -r '.findings[] | [.severity, .id, .thing] | @tsv'";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A source topic of the service; may be repeated. Default: those that the group has committed.
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// The delays of the service's tiers. Default: the tiers that exist.
    #[arg(long, value_name = "DELAY,…", value_delimiter = ',', value_parser = read_duration)]
    delays: Vec<Duration>,
}

const SCHEMA: &str = "retrial.doctor/1";

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let delays = (!arguments.delays.is_empty()).then(|| arguments.delays.clone());
    let scope = DoctorScope { sources: arguments.topic.clone(), delays };
    let found = diagnose(&kafka, &names, &scope, screen.times().now())?;
    if screen.is_json() {
        screen.json(SCHEMA, &found)?;
    } else {
        screen.write(&text(&found, screen))?;
    }
    if found.is_healthy() {
        return Ok(End::Done);
    }
    Ok(End::Attention(told(&found)))
}

fn told(found: &Diagnosis) -> String {
    let of = |severity| found.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    format!(
        "group {}: {} critical, {}, {} not made",
        found.group,
        of(Severity::Critical),
        things(of(Severity::Warning), "warning", "warnings"),
        things(found.unchecked.len() as u64, "check", "checks")
    )
}

fn text(found: &Diagnosis, screen: &Screen) -> String {
    let sources = if found.sources.is_empty() { "none known".to_owned() } else { found.sources.join(", ") };
    let brokers = things(found.brokers as u64, "broker", "brokers");
    let mut parts = vec![format!("Group {}, sources: {sources}; {brokers}\n", found.group)];
    if found.findings.is_empty() && found.unchecked.is_empty() {
        parts.push("Nothing found.\n".to_owned());
    }
    let mut table = Table::new(["SEVERITY", "FINDING", "THING", "VALUE"]);
    for finding in &found.findings {
        table.row([severity(finding.severity).into(), finding.id.into(), finding.thing.clone(), finding.value.clone()]);
    }
    parts.push(table.text(screen));
    let mut explained = String::new();
    for finding in &found.findings {
        let mark = format!("{} of {}: ", finding.id, finding.thing);
        let mark = if finding.severity == Severity::Critical { screen.alarming(&mark) } else { mark };
        explained.push_str(&format!("{mark}{}.\n  Remedy: {}\n", finding.consequence, finding.remedy));
    }
    parts.push(explained);
    parts.push(found.unchecked.iter().map(|one| format!("Not checked: {}: {}\n", one.what, one.why)).collect());
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
