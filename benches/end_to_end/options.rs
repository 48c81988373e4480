//! The command line.

use crate::scenario::{Scenario, TABLE};
use clap::Parser;

/// Measures retrial beside bare clients on a real Kafka.
#[derive(Parser, Debug)]
#[command(name = "end_to_end")]
pub(crate) struct Options {
    /// A Kafka to measure on, which should have nothing else to do. Without it, one is started.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) bootstrap_server: Option<String>,
    /// A scenario to run; may be given again. Without it, all of them.
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Vec<String>,
    /// One JSON object per scenario and line.
    #[arg(long)]
    pub(crate) json: bool,
    /// How often each client has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Records of `noop-100`. The other scenarios' change in proportion.
    #[arg(long, default_value_t = crate::scenario::FULL, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) records: u64,
    /// Prints the names of the scenarios.
    #[arg(long)]
    pub(crate) list: bool,
    /// What this process is to do, when it is one of the clients.
    #[arg(long, hide = true)]
    pub(crate) client: Option<String>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The scenarios asked for, or the first name that none has.
    pub(crate) fn chosen(&self) -> Result<Vec<&'static Scenario>, String> {
        if self.scenario.is_empty() {
            return Ok(TABLE.iter().collect());
        }
        let find = |name: &String| TABLE.iter().find(|scenario| scenario.name == name).ok_or_else(|| name.clone());
        self.scenario.iter().map(find).collect()
    }

    /// So many of what a full run has `of`, and no fewer than `least`.
    pub(crate) fn scaled(&self, of: u64, least: u64) -> u64 {
        let scaled = u128::from(of) * u128::from(self.records) / u128::from(crate::scenario::FULL);
        u64::try_from(scaled).unwrap_or(u64::MAX).max(least)
    }
}
