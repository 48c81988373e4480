//! Chaos: three real brokers and some real services of retrial under kills, freezes and restarts, and judges of what came
//! of it. See the package's README.

#![forbid(unsafe_code)]

mod arguments;
mod clock;
mod course;
mod crew;
mod faults;
mod judge;
mod ledger;
mod load;
mod place;
mod quiet;
mod report;
mod service;
mod witness;
mod work;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use clap::Parser as _;

use arguments::{Arguments, Hidden};

/// The run could not be made. Also what a wrong command line ends with.
pub(crate) const EXIT_BROKEN_RIG: i32 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.hidden {
        Some(Hidden::Work) => service::run().map(|()| true),
        // The tests' Kafka panics when it fails. Unwinding ends what was started.
        None => catch_unwind(AssertUnwindSafe(|| course::run(&arguments)))
            .unwrap_or_else(|_| Err("a part of the run panicked: see above".to_owned())),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(EXIT_BROKEN_RIG as u8)
        }
    }
}
