//! `retrial dlq`: the dead letters.

mod discard;
mod export;
mod list;
mod picking;
mod redrive;
mod settling;
mod show;

use super::{connection::Connection, end::Ended, screen::Screen};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The dead letters by groups of alike errors, with counts, first and last time, and a sample.
    List(list::Arguments),
    /// One dead letter in full: its past, its headers, its body.
    Show(show::Arguments),
    /// Dead letters as JSON lines, without loss.
    Export(export::Arguments),
    /// Send dead letters back to work, for this group only.
    Redrive(redrive::Arguments),
    /// Mark dead letters as settled, with who and why.
    Discard(discard::Arguments),
}

pub(super) fn run(command: &Command, connection: &Connection, screen: &Screen) -> Ended {
    match command {
        Command::List(arguments) => list::run(arguments, connection, screen),
        Command::Show(arguments) => show::run(arguments, connection, screen),
        Command::Export(arguments) => export::run(arguments, connection, screen),
        Command::Redrive(arguments) => redrive::run(arguments, connection, screen),
        Command::Discard(arguments) => discard::run(arguments, connection, screen),
    }
}
