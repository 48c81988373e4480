//! `retrial status`.

use super::{End, Error, Output, Target};
use crate::admin::{PartitionStatus, Role, status};
use retrial_core::naming::GroupNames;
use std::io::Write;

const EXAMPLE: &str = "Example: retrial status --bootstrap-server localhost:9092 --group billing --output json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct StatusArguments {
    #[command(flatten)]
    target: Target,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

pub(super) fn run(arguments: &StatusArguments) -> Result<End, Error> {
    let target = &arguments.target;
    let names = GroupNames::new(&target.group, target.topic_prefix.as_deref())?;
    let partitions = status(&target.kafka(), &names)?;
    let mut out = std::io::stdout().lock();
    match arguments.output {
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, &partitions)?;
            writeln!(out)?;
        }
        Output::Table => out.write_all(table(&partitions).as_bytes())?,
    }
    if partitions.is_empty() {
        eprintln!("retrial: group {} has committed nothing on {}", target.group, target.bootstrap_server);
        return Ok(End::NothingMatched);
    }
    Ok(End::Done)
}

/// A line per partition, columns aligned.
fn table(partitions: &[PartitionStatus]) -> String {
    let header = ["TOPIC", "PARTITION", "ROLE", "WATERMARK", "FINISHED BEYOND", "UNFINISHED", "LAST OWNER"];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(partitions.iter().map(row));
    let widths: Vec<usize> =
        (0..header.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows.iter().filter(|_| !partitions.is_empty()) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(status: &PartitionStatus) -> [String; 7] {
    let role = match status.role {
        Role::Source => "source",
        Role::Tier => "tier",
    };
    let owner = match (&status.metadata_ignored, status.left_well) {
        (Some(why), _) => format!("metadata ignored: {why}"),
        (None, Some(true)) => "left well".into(),
        (None, Some(false)) => "running, or gone without a goodbye".into(),
        (None, None) => "-".into(),
    };
    [
        status.topic.clone(),
        status.partition.to_string(),
        role.into(),
        status.watermark.to_string(),
        status.finished_beyond.to_string(),
        status.unfinished.to_string(),
        owner,
    ]
}
