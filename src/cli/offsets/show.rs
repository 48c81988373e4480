//! `retrial offsets show`.

use crate::{
    admin::{PartitionStatus, Role, status},
    cli::{
        connection::Connection,
        end::{End, Ended},
        screen::Screen,
        table::{Table, count},
    },
};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  retrial offsets show --group billing
  retrial offsets show --group billing --output json | jq '.partitions[].watermark'";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {}

const SCHEMA: &str = "retrial.offsets.show/1";

#[derive(Serialize)]
struct Shown<'a> {
    group: &'a str,
    state: &'a str,
    members: usize,
    partitions: &'a [PartitionStatus],
}

pub(super) fn run(_: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let found = status(&kafka, &names)?;
    if screen.is_json() {
        let (group, state) = (names.group(), found.state.as_str());
        screen.json(SCHEMA, &Shown { group, state, members: found.members.len(), partitions: &found.partitions })?;
    } else {
        screen.write(&table(&found.partitions, screen))?;
    }
    if found.partitions.is_empty() {
        let text = format!("group {} has committed nothing on {}", names.group(), kafka.address());
        return Ok(End::NothingMatched(text));
    }
    Ok(End::Done)
}

fn table(partitions: &[PartitionStatus], screen: &Screen) -> String {
    let mut table =
        Table::new(["TOPIC", "PARTITION", "ROLE", "OFFSET", "FINISHED BEYOND", "LOG START", "LOG END", "UNFINISHED"]);
    for one in partitions {
        table.row([
            one.topic.clone(),
            one.partition.to_string(),
            if one.role == Role::Tier { "tier" } else { "source" }.to_owned(),
            one.watermark.to_string(),
            count(one.finished_beyond),
            one.log_start.to_string(),
            one.log_end.to_string(),
            count(one.unfinished),
        ]);
    }
    table.text(screen)
}
