//! `retrial offsets reset`.

use super::planned::Consent;
use crate::{
    admin::{Scope, Target, plan},
    cli::{
        connection::Connection,
        end::{Ended, Trouble},
        screen::Screen,
    },
};
use clap::Args;

const EXAMPLES: &str = "\
The group must be stopped. What is finished beyond the new position is forgotten: it is handled again. Offsets outside a
log become its start or its end. Tiers are set only if --topic names them.

Examples:
  retrial offsets reset --group billing --to-time 2h --dry-run
  retrial offsets reset --group billing --topic orders --to-earliest --yes
  retrial offsets reset --group billing --topic orders --partition 3 --to-offset 184467";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    to: To,
    /// This topic; may be repeated. Default: every source topic that the group has committed.
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// This partition; may be repeated. Default: all.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Vec<i32>,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct To {
    /// The first record that is still there.
    #[arg(long)]
    to_earliest: bool,
    /// The next record to be written.
    #[arg(long)]
    to_latest: bool,
    /// This offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// The first record of this time or later: a time, a date, or how long ago (2h).
    #[arg(long, value_name = "TIME")]
    to_time: Option<String>,
    /// So many offsets later, or earlier with a minus.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    shift_by: Option<i64>,
}

impl To {
    fn target(&self, screen: &Screen) -> Result<Target, Trouble> {
        match self {
            Self { to_earliest: true, .. } => Ok(Target::Earliest),
            Self { to_latest: true, .. } => Ok(Target::Latest),
            Self { to_offset: Some(offset), .. } => Ok(Target::Offset(*offset)),
            Self { shift_by: Some(by), .. } => Ok(Target::Shift(*by)),
            Self { to_time: Some(time), .. } => {
                let time = screen.times().read(time).map_err(|why| Trouble::usage(format!("--to-time: {why}")))?;
                Ok(Target::Time(time))
            }
            _ => Err(Trouble::usage("where to begin is not said")),
        }
    }
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let target = arguments.to.target(screen)?;
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let scope = Scope { topics: arguments.topic.clone(), partitions: arguments.partition.clone() };
    let plan = plan(&kafka, &names, &scope, &target)?;
    arguments.consent.carry_out(&plan, &kafka, &names, screen)
}
