//! The command line. One file per command; the work itself is in [`crate::admin`].

mod status;

use crate::broker::kafka::Kafka;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::process::ExitCode;

/// See how far a consumer group of retrial is, with no service running beside it.
#[derive(Debug, Parser)]
#[command(name = "retrial", version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing matched";

#[derive(Debug, Subcommand)]
enum Command {
    /// How far the group is, partition by partition: watermark, finished beyond it, unfinished.
    Status(status::StatusArguments),
}

/// Which cluster and group.
#[derive(Debug, Args)]
struct Target {
    /// Brokers to start from, host:port separated by commas.
    #[arg(long, env = "RETRIAL_BOOTSTRAP_SERVER", value_name = "HOST:PORT")]
    bootstrap_server: String,
    /// The consumer group.
    #[arg(long, env = "RETRIAL_GROUP")]
    group: String,
    /// What the names of the group's own topics begin with, if that is not the group.
    #[arg(long)]
    topic_prefix: Option<String>,
    /// A client property of librdkafka; may be repeated. Values are never printed.
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

impl Target {
    fn kafka(&self) -> Kafka {
        let kafka = Kafka::bootstrap(&self.bootstrap_server);
        self.properties.iter().fold(kafka, |kafka, (key, value)| kafka.property(key, value))
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("a property is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs: one JSON document.
    Json,
}

/// What a command came to.
enum End {
    Done,
    NothingMatched,
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Status(arguments) => status::run(&arguments),
    };
    match result {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::NothingMatched) => ExitCode::from(3),
        Err(error) => {
            eprintln!("retrial: {error}");
            ExitCode::FAILURE
        }
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;
