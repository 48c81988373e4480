//! `retrial offsets export`.

use super::file::Written;
use crate::{
    admin::positions,
    cli::{
        connection::Connection,
        end::{End, Ended, Trouble},
        screen::Screen,
    },
};
use std::{io::Write, path::PathBuf};

const EXAMPLES: &str = "\
Examples:
  retrial offsets export --group billing > billing.json
  retrial offsets export --group billing --to billing.json";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Write to this new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let positions = positions(&kafka, &names)?;
    if positions.is_empty() {
        let text = format!("group {} has committed nothing on {}", names.group(), kafka.address());
        return Ok(End::NothingMatched(text));
    }
    let written = Written::new(names.group(), screen.times().now().to_string(), &positions);
    match &arguments.to {
        Some(path) => written.save(path)?,
        None => {
            let text = serde_json::to_string_pretty(&written).map_err(Trouble::from)?;
            writeln!(std::io::stdout().lock(), "{text}")?;
        }
    }
    Ok(End::Done)
}
