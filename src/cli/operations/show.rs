//! `retrial operations show`.

use super::shown::{OperationShown, came_to, state};
use crate::{
    admin::{Operation, operations},
    cli::{
        connection::Connection,
        end::{End, Ended},
        screen::Screen,
        table::{Table, count, plain},
    },
};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  retrial operations show redrive-20261122t102100-3f2a --group billing";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Which, as operations list shows it.
    #[arg(value_name = "OPERATION")]
    id: String,
}

const SCHEMA: &str = "retrial.operations.show/1";

#[derive(Serialize)]
struct Shown {
    operation: Option<OperationShown>,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let found = operations(&kafka, &names)?;
    let operation = found.all.iter().find(|operation| operation.id == arguments.id);
    let at_work = found.at_work.as_deref();
    if screen.is_json() {
        let shown = Shown { operation: operation.map(|operation| OperationShown::of(operation, at_work)) };
        screen.json(SCHEMA, &shown)?;
    } else if let Some(operation) = operation {
        screen.write(&text(operation, at_work, screen))?;
    }
    match operation {
        Some(_) => Ok(End::Done),
        None => Ok(End::NothingMatched(format!("no operation {} is known to group {}", arguments.id, names.group()))),
    }
}

fn text(operation: &Operation, at_work: Option<&str>, screen: &Screen) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:<10}  {}\n", plain(value)));
    line("operation", &operation.id);
    line("state", &state(operation, at_work).replace('_', " "));
    line("who", &operation.who);
    line("began", &screen.times().show(operation.began));
    line("changed", &screen.times().show(operation.changed));
    line("planned", &count(operation.planned));
    line("came to", &came_to(operation));
    for (name, value) in [("reason", &operation.reason), ("note", &operation.note)] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    line("request", &operation.request);
    let mut table = Table::new(["TOPIC", "PARTITION", "FROM", "NEXT", "END"]);
    for span in &operation.spans {
        let numbers = [span.from, span.next, span.end].map(|offset| offset.to_string());
        let [from, next, end] = numbers;
        table.row([span.topic.clone(), span.partition.to_string(), from, next, end]);
    }
    text + "\n" + &table.text(screen)
}
