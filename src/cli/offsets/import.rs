//! `retrial offsets import`.

use super::{file::Written, planned::Consent};
use crate::{
    admin::{Scope, Target, plan},
    cli::{
        connection::Connection,
        end::{Ended, Trouble},
        screen::Screen,
    },
};
use std::path::PathBuf;

const EXAMPLES: &str = "\
The group must be stopped. Positions come back with what was finished beyond them. Partitions that are not in the file
stay as they are.

Examples:
  retrial offsets import retrial-undo-billing-2026-11-22T102100000Z.json --group billing --dry-run
  retrial offsets import billing.json --group billing --yes";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// A file of `offsets export`, or the undo file of a reset.
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Take a file of another group; what was finished beyond its positions is not.
    #[arg(long)]
    of_another_group: bool,
    #[command(flatten)]
    consent: Consent,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let written = Written::read(&arguments.from)?;
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    if written.group != names.group() && !arguments.of_another_group {
        let text = format!(
            "{} is of group {}, and this is {}: use --of-another-group if that is meant",
            arguments.from.display(),
            written.group,
            names.group()
        );
        return Err(Trouble::Refused(text));
    }
    let plan = plan(&kafka, &names, &Scope::default(), &Target::Positions(written.positions()))?;
    arguments.consent.carry_out(&plan, &kafka, &names, screen)
}
