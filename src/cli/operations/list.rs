//! `retrial operations list`.

use super::shown::{OperationShown, came_to, state};
use crate::{
    admin::operations,
    cli::{
        connection::Connection,
        end::{End, Ended},
        screen::Screen,
        table::Table,
    },
};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  retrial operations list --group billing
  retrial operations list --group billing --output json | jq '.operations[0].id'";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {}

const SCHEMA: &str = "retrial.operations.list/1";

#[derive(Serialize)]
struct Shown<'a> {
    group: &'a str,
    operations: Vec<OperationShown>,
}

pub(super) fn run(_: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let found = operations(&kafka, &names)?;
    let at_work = found.at_work.as_deref();
    if screen.is_json() {
        let shown = found.all.iter().map(|operation| OperationShown::of(operation, at_work)).collect();
        screen.json(SCHEMA, &Shown { group: names.group(), operations: shown })?;
    } else {
        let mut table = Table::new(["OPERATION", "STATE", "WHO", "BEGAN", "CAME TO"]);
        for operation in &found.all {
            table.row([
                operation.id.clone(),
                state(operation, at_work).replace('_', " "),
                operation.who.clone(),
                screen.times().show(operation.began),
                came_to(operation),
            ]);
        }
        screen.write(&table.text(screen))?;
    }
    match found.all.is_empty() {
        true => Ok(End::NothingMatched(format!("no operation is known to group {}", names.group()))),
        false => Ok(End::Done),
    }
}
