//! retrial beside the clients that users would write by hand, on a real Kafka: `cargo bench --bench end_to_end -- --list`.
//!
//! A scenario fills a topic once. Then retrial and its references read it from the start in turn, each time as a new
//! group and in a process of its own (this program, started again), so that processor time, memory and allocations are
//! that client's. Turns alternate, so that a busy machine is busy for all; what counts is the ratio of the medians.
//!
//! # What is fair
//! - Everybody reads every byte, counts each record in the same [`tally`], and has two threads for handlers.
//! - The clock starts when a tenth of the records is handled. Start-up is a scenario of its own; and retrial, which
//!   starts nothing before the group has accepted a commit, would else be given what was fetched ahead meanwhile.
//! - The broker is warm: everybody has read from it before ([`measures::warm_up`]).
//! - Client properties are those of [`clients::PROPERTIES`] for all. Only the limits of what is fetched ahead differ:
//!   librdkafka counts them per queue, and retrial has one per partition. Their sums are equal (64 MiB).
//! - References commit every 20 ms, which is how often retrial does under load.
//! - Allocations are counted in all of them, which costs those most that allocate most: some 30 ns for each.
//! - The features of a test build are on (`saboteurs`, of which only a build with debug assertions has code, and tokio's
//!   `test-util`, which costs a relaxed load whenever a clock is read).
//!
//! Exit status 1 if a record was missing, or handled twice where nothing failed; never for a speed.

mod body;
mod child;
mod clients;
mod clock;
mod desk;
mod fill;
mod measures;
mod options;
mod parent;
mod place;
mod process;
mod report;
mod scenario;
mod stopwatch;
mod tally;

use clap::Parser as _;
use options::Options;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::{alloc::System, process::ExitCode};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(orders) = &options.client {
        return child::run(orders);
    }
    if options.list {
        scenario::TABLE.iter().for_each(|scenario| println!("{:<20} {}", scenario.name, scenario.what));
        return ExitCode::SUCCESS;
    }
    let chosen = match options.chosen() {
        Ok(chosen) => chosen,
        Err(unknown) => {
            eprintln!("there is no scenario {unknown:?}; --list names them");
            return ExitCode::from(2);
        }
    };
    let place = place::Place::find(&options);
    measures::warm_up::run(&place, &options);
    let mut judged = true;
    for scenario in chosen {
        let report = scenario.run(&place, &options);
        report.print(options.json);
        judged &= report.is_sound();
    }
    if judged { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
