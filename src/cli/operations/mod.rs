//! `retrial operations`: what operators did.

mod by;
mod list;
mod resume;
mod show;
mod shown;
mod stop;

use super::{connection::Connection, end::Ended, screen::Screen};
use clap::Subcommand;

pub(super) use by::Operator;
pub(super) use shown::{OperationShown, came_to, ended};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Every operation that is remembered, the newest first.
    List(list::Arguments),
    /// One operation in full: who, when, what, and how far in each partition.
    Show(show::Arguments),
    /// End an operation that is at work.
    Stop(stop::Arguments),
    /// Go on with an operation that was stopped, or whose process is gone.
    Resume(resume::Arguments),
}

pub(super) fn run(command: &Command, connection: &Connection, screen: &Screen) -> Ended {
    match command {
        Command::List(arguments) => list::run(arguments, connection, screen),
        Command::Show(arguments) => show::run(arguments, connection, screen),
        Command::Stop(arguments) => stop::run(arguments, connection, screen),
        Command::Resume(arguments) => resume::run(arguments, connection, screen),
    }
}
