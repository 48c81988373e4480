//! `retrial offsets`: where a stopped group begins again.

mod export;
mod file;
mod import;
mod planned;
mod reset;
mod show;

use super::{connection::Connection, end::Ended, screen::Screen};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What the group has committed, beside the logs.
    Show(show::Arguments),
    /// Begin elsewhere: earliest, latest, an offset, a time, a shift.
    Reset(reset::Arguments),
    /// Write down what the group has committed.
    Export(export::Arguments),
    /// Commit what was written down by export, or by a reset for its undoing.
    Import(import::Arguments),
}

pub(super) fn run(command: &Command, connection: &Connection, screen: &Screen) -> Ended {
    match command {
        Command::Show(arguments) => show::run(arguments, connection, screen),
        Command::Reset(arguments) => reset::run(arguments, connection, screen),
        Command::Export(arguments) => export::run(arguments, connection, screen),
        Command::Import(arguments) => import::run(arguments, connection, screen),
    }
}
