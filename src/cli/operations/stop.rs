//! `retrial operations stop`.

use super::{
    by::name,
    shown::{OperationShown, came_to},
};
use crate::{
    admin::{AdminError, stop},
    cli::{
        connection::Connection,
        end::{End, Ended},
        screen::Screen,
    },
};
use serde::Serialize;

const EXAMPLES: &str = "\
Whoever carries it out ends with the batch under way. If nobody does any more, it is noted as stopped. In both cases
operations resume goes on with it.

Examples:
  retrial operations stop redrive-20261122t102100-3f2a --group billing";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Which, as operations list shows it.
    #[arg(value_name = "OPERATION")]
    id: String,
    /// Who stops it, for the others to see. Default: this user and machine.
    #[arg(long, env = "RETRIAL_OPERATOR", value_name = "NAME")]
    operator: Option<String>,
}

const SCHEMA: &str = "retrial.operations.stop/1";

#[derive(Serialize)]
struct Shown {
    operation: OperationShown,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let operation = match stop(&kafka, &names, &arguments.id, &name(arguments.operator.as_deref())) {
        Err(error @ AdminError::NoOperation { .. }) => return Ok(End::NothingMatched(error.to_string())),
        stopped => stopped?,
    };
    if screen.is_json() {
        screen.json(SCHEMA, &Shown { operation: OperationShown::of(&operation, None) })?;
    } else {
        screen.write(&format!("{} is {}: {}\n", operation.id, operation.state, came_to(&operation)))?;
    }
    Ok(End::Done)
}
