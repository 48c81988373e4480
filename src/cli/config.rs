//! `retrial config`: files of services, checked and shown.

use super::{
    end::{End, Ended, Trouble},
    screen::Screen,
};
use crate::{
    broker::kafka::Kafka,
    config::{Config, example},
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Whether a file says only what a service understands.
    Check(Check),
    /// What holds, and who said it: the file, the environment, defaults. Secrets are masked.
    Print(Print),
    /// A file with every setting and its default, on standard output.
    Example,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  retrial config check retrial.toml")]
pub(super) struct Check {
    /// The file, in TOML.
    file: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  retrial config print --effective retrial.toml")]
pub(super) struct Print {
    /// The file, in TOML; without one, the environment alone.
    file: Option<PathBuf>,
    /// With the environment and the defaults, as a service would have it (what its code says is not known here).
    #[arg(long)]
    effective: bool,
}

pub(super) fn run(command: &Command, screen: &Screen) -> Ended {
    match command {
        Command::Check(Check { file }) => {
            let config = Config::new().file(file).map_err(Trouble::usage)?;
            let properties = config.settings().into_iter().filter_map(|(path, setting)| {
                Some((path.strip_prefix("properties.")?.to_owned(), setting.text.clone()))
            });
            let kafka =
                properties.fold(Kafka::bootstrap("localhost:9092"), |kafka, (name, value)| kafka.property(name, value));
            let checked = kafka.properties.consumer("checked", 1, 1 << 20);
            checked.map_err(|error| Trouble::usage(format!("{}: {error}", file.display())))?;
            let count = config.settings().len();
            screen.write(&format!("{}: {count} settings, all understood\n", file.display()))?;
        }
        Command::Print(Print { file, effective }) => {
            let config = file.as_ref().map_or_else(|| Ok(Config::new()), |file| Config::new().file(file));
            let config = config.map_err(Trouble::usage)?;
            let config = if *effective { config.environment().map_err(Trouble::usage)? } else { config };
            screen.write(&if *effective { config.effective() } else { config.said() })?;
        }
        Command::Example => screen.write(&example::example())?,
    }
    Ok(End::Done)
}
