//! The `retrial` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    retrial::cli::run()
}
