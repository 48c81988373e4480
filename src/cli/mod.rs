//! The command line. One file per command; the work itself is in [`crate::admin`].
//!
//! | room | does |
//! |---|---|
//! | `connection`, `settings` | which cluster and group: options, environment, a file |
//! | `screen`, `table`, `times` | how results are written |
//! | `values` | how bodies are read |
//! | `payload`, `lines`, `letter_line`, `new_record` | bodies for people; records and dead letters as JSON, without loss |
//! | `end` | what a command came to: exit codes, errors with their next step |
//! | `consent` | a question before anything is changed |
//! | `interrupt`, `progress` | long work: Ctrl-C, and how far it is |
//! | `config` | configuration files of services |
//! | `generate` | completions and man pages |
//! | the others | a command each |

mod config;
mod connection;
mod consent;
mod dev;
mod dlq;
mod doctor;
mod end;
mod enqueue;
mod generate;
mod interrupt;
mod letter_line;
mod lines;
mod new_record;
mod offsets;
mod operations;
mod payload;
mod progress;
mod replay;
mod screen;
mod settings;
mod status;
mod table;
mod tail;
mod times;
mod topics;
mod values;
mod why;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use connection::Connection;
use end::Ended;
use screen::Screen;
use std::process::ExitCode;

/// See, explain and move the work of a consumer group of retrial, with no service running beside it.
#[derive(Debug, Parser)]
#[command(name = "retrial", version, after_help = AFTER, after_long_help = AFTER_LONG, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    screen: screen::Options,
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing matched, 4 refused for safety, 5 partly done, 6 needs attention";

const AFTER_LONG: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing matched, 4 refused for safety, 5 partly done, 6 needs attention

Where a setting comes from, the first that has it: an option, the environment (RETRIAL_BOOTSTRAP_SERVER, RETRIAL_GROUP,
RETRIAL_TOPIC_PREFIX, RETRIAL_OUTPUT; client properties as RETRIAL_PROPERTY_SASL_PASSWORD for sasl.password), the file of
--config or RETRIAL_CONFIG. Give secrets by file or environment: options are seen by every user of the machine.";

#[derive(Debug, Subcommand)]
enum Command {
    /// How far the group is: watermarks, in flight, lag, tiers, dead letters, members.
    Status(status::Arguments),
    /// One record's story: done, running, waiting, dead for what reason, gone; or those of a key.
    Why(why::Arguments),
    /// The group's own topics: what is missing or wrong, and its mending.
    #[command(subcommand)]
    Topics(topics::Command),
    /// What goes wrong later with this cluster and group, with the remedy of each.
    Doctor(doctor::Arguments),
    /// The dead letters: groups of alike errors, single ones, all of them as JSON lines.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Where a stopped group begins again: show, set, write down, set back.
    #[command(subcommand)]
    Offsets(offsets::Command),
    /// What operators did to dead letters and past records: list, show, stop, resume.
    #[command(subcommand)]
    Operations(operations::Command),
    /// Past records of a source topic go to work again, for this group only.
    Replay(replay::Arguments),
    /// Write records to a source topic: from arguments, a file of JSON lines, standard input.
    Enqueue(enqueue::Arguments),
    /// Follow a topic, a tier, or the dead letters, with decoded values.
    Tail(tail::Arguments),
    /// Configuration files of services: checked, shown, and one to begin with.
    #[command(subcommand)]
    Config(config::Command),
    /// A broker without Kafka, for developing: on a port of this machine, with these topics, until Ctrl-C.
    Dev(dev::Arguments),
    /// Completions for a shell, on standard output.
    Completions(generate::Completions),
    /// Man pages, a file per command.
    Man(generate::Man),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments =
        match Arguments::command().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches)) {
            Ok(arguments) => arguments,
            Err(error) => error.exit(),
        };
    let screen = match Screen::new(&arguments.screen) {
        Ok(screen) => screen,
        Err(error) => return end::code(Err(error)),
    };
    end::code(perform(&arguments, &screen))
}

fn perform(arguments: &Arguments, screen: &Screen) -> Ended {
    let connection = &arguments.connection;
    match &arguments.command {
        Command::Status(arguments) => status::run(arguments, connection, screen),
        Command::Why(arguments) => why::run(arguments, connection, screen),
        Command::Topics(command) => topics::run(command, connection, screen),
        Command::Doctor(arguments) => doctor::run(arguments, connection, screen),
        Command::Dlq(command) => dlq::run(command, connection, screen),
        Command::Offsets(command) => offsets::run(command, connection, screen),
        Command::Operations(command) => operations::run(command, connection, screen),
        Command::Replay(arguments) => replay::run(arguments, connection, screen),
        Command::Enqueue(arguments) => enqueue::run(arguments, connection, screen),
        Command::Tail(arguments) => tail::run(arguments, connection, screen),
        Command::Config(command) => config::run(command, screen),
        Command::Dev(arguments) => dev::run(arguments, screen),
        Command::Completions(arguments) => generate::completions(arguments),
        Command::Man(arguments) => generate::man(arguments),
    }
}
