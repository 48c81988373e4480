//! `retrial operations resume`.

use super::{
    by::Operator,
    shown::{OperationShown, came_to, ended},
};
use crate::{
    admin::{AdminError, resume},
    cli::{
        connection::Connection,
        end::{End, Ended},
        interrupt::Interrupt,
        progress::Bar,
        screen::Screen,
    },
};
use serde::Serialize;

const EXAMPLES: &str = "\
It goes on with what is not done yet, and with nothing else. After a kill, the place of the process that is gone is taken
15 s after its last sign.

Examples:
  retrial operations resume redrive-20261122t102100-3f2a --group billing";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Which, as operations list shows it.
    #[arg(value_name = "OPERATION")]
    id: String,
    #[command(flatten)]
    operator: Operator,
}

const SCHEMA: &str = "retrial.operations.resume/1";

#[derive(Serialize)]
struct Shown {
    operation: OperationShown,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let mut bar = Bar::new("records", Interrupt::listen()?);
    let resumed = resume(&kafka, &names, &arguments.id, &arguments.operator.by(), &mut bar);
    drop(bar);
    let operation = match resumed {
        Err(error @ AdminError::NoOperation { .. }) => return Ok(End::NothingMatched(error.to_string())),
        resumed => resumed?,
    };
    if screen.is_json() {
        screen.json(SCHEMA, &Shown { operation: OperationShown::of(&operation, None) })?;
    } else {
        screen.write(&format!("{}: {}\n", operation.id, came_to(&operation)))?;
    }
    ended(&operation)
}
