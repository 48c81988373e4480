//! `retrial topics`: the group's own topics as they are and as they should be.

mod apply;
mod plan;
mod shown;

use super::{connection::Connection, end::Ended, screen::Screen, times::read_duration};
use crate::admin::TopicsScope;
use clap::{Args, Subcommand};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What would be made and changed, beside what is there.
    Plan(plan::Arguments),
    /// Make what is missing, and mend what may be mended safely.
    Apply(apply::Arguments),
}

pub(super) fn run(command: &Command, connection: &Connection, screen: &Screen) -> Ended {
    match command {
        Command::Plan(arguments) => plan::run(arguments, connection, screen),
        Command::Apply(arguments) => apply::run(arguments, connection, screen),
    }
}

/// What the service needs, as far as the topics that exist do not tell.
#[derive(Args, Debug)]
pub(super) struct Service {
    /// A source topic of the service; may be repeated. Default: those that the group has committed.
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// The delays of the service's tiers. Default: the tiers that exist, or 5s,1m,10m,1h,6h if there is none.
    #[arg(long, value_name = "DELAY,…", value_delimiter = ',', value_parser = read_duration)]
    delays: Vec<Duration>,
    /// The service leaves finished records in its tiers (trim_tiers(false)): tiers that are made forget 14 days after
    /// their delay.
    #[arg(long)]
    keeps_finished: bool,
}

impl Service {
    fn scope(&self) -> TopicsScope {
        TopicsScope {
            sources: self.topic.clone(),
            delays: (!self.delays.is_empty()).then(|| self.delays.clone()),
            keeps_finished: self.keeps_finished,
        }
    }
}
