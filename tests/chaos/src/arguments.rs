//! The command line.

use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// The hidden subcommand that makes this program a worker.
pub(crate) const WORK: &str = "work";

const AFTER: &str = "\
Exit status: 0 if every promise held, 1 if one was broken, 2 if the run could not be made.

The last line of standard output is one JSON object with every figure of the table before it. What was injected is said as
it happens. Ctrl-C ends everything that was started.

A Kafka is started for the run: by Docker, or else by Java 17 or later with Maven.";

/// Breaks a real Kafka and real services of retrial for a while, and judges whether the promises held.
#[derive(Clone, Debug, Parser)]
#[command(name = "retrial-chaos", after_help = AFTER, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) hidden: Option<Hidden>,
    /// How long faults are injected.
    #[arg(long, default_value_t = 120, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Decides the records and which faults come after each other. Their times also depend on the machine.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Brokers, each a controller too.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) brokers: u8,
    /// Worker processes at the start. Scaling goes one below and one above.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) workers: u8,
    /// Records produced each second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// What is broken.
    #[arg(long, value_enum, default_value_t = Targets::All)]
    pub(crate) faults: Targets,
    /// How long everything may take to be finished and committed after the last fault.
    #[arg(long, default_value_t = 180, value_name = "SECONDS")]
    pub(crate) quiet_within: u64,
    /// Lets the service delete finished records of tiers, as it does by default. They are no evidence then.
    #[arg(long)]
    pub(crate) trim: bool,
    /// Keeps the data and logs of brokers and workers, and the ledgers, and says where. They stay anyway if a promise was broken, but for the brokers' data.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Hidden {
    /// A worker, with its terms in the environment.
    #[command(name = WORK, hide = true)]
    Work,
}

/// What faults befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Targets {
    /// Brokers and workers.
    All,
    Brokers,
    Workers,
    /// Nothing: the load alone.
    None,
}

impl Targets {
    pub(crate) fn brokers(self) -> bool {
        matches!(self, Self::All | Self::Brokers)
    }

    pub(crate) fn workers(self) -> bool {
        matches!(self, Self::All | Self::Workers)
    }
}

impl Arguments {
    pub(crate) fn lasts(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound_and_hides_the_worker() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_help().to_string();
        assert!(help.contains("--quiet-within") && !help.contains(WORK_LINE), "{help}");
        let arguments = Arguments::try_parse_from(["retrial-chaos", "--seconds", "9", "--seed", "3"]).unwrap();
        assert_eq!((arguments.seconds, arguments.seed, arguments.brokers), (9, 3, 3));
        assert!(Arguments::try_parse_from(["retrial-chaos", WORK]).unwrap().hidden.is_some());
        assert!(Arguments::try_parse_from(["retrial-chaos", "--brokers", "4"]).is_err());
    }

    const WORK_LINE: &str = "Commands:";
}
