//! The engine and its parts by themselves: `cargo bench -p retrial-core --bench micro`.
//!
//! Without an argument it prints nanoseconds per record, the median of some runs. Those depend on how busy the machine
//! is; instructions do not: `-- --instructions` counts them and is a gate. Each row runs under
//! `valgrind --tool=callgrind` with few records and with many; the difference, per record, is compared with the figure
//! in `figures.txt`, so what a process costs to start is not in it. Exit status 1 if one has grown by more than
//! [`figures::LIMIT`]; `-- --renew` writes what is measured into the file, for a growth that is meant (say why in the
//! commit) and for a gain that is to be kept.
//!
//! A figure depends on what the compiler makes of the code: version, target and profile. The file says which compiler it
//! is of; with another one the limit is [`figures::LIMIT_ELSEWHERE`] and the output says so. Debug information, the
//! machine and its load change nothing.

mod figures;
mod parts;
mod rows;
mod valgrind;
mod world;

use figures::Figures;
use std::{env, process::ExitCode};

/// Runs of a row, of which the median is printed, and records of each.
const RUNS: usize = 11;
const RECORDS: u64 = 100_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        [] => times(),
        ["run", row, records] => run(row, records),
        ["--instructions"] => gate(),
        ["--renew"] => measure().and_then(|measured| measured.write()),
        _ => Err(format!("usage: micro [--instructions | --renew], not {words:?}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("micro: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// What valgrind watches: so many records through a row.
fn run(row: &str, records: &str) -> Result<(), String> {
    let records: u64 = records.parse().map_err(|error| format!("{records:?}: {error}"))?;
    let row = rows::ALL.iter().find(|(name, _)| *name == row).ok_or_else(|| format!("there is no row {row}"))?;
    row.1(records);
    Ok(())
}

#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the package's decisions know no clock; this is none"
)]
fn times() -> Result<(), String> {
    for (name, row) in rows::ALL {
        let mut nanos: Vec<u128> = (0..RUNS)
            .map(|_| {
                let began = std::time::Instant::now();
                row(RECORDS);
                began.elapsed().as_nanos()
            })
            .collect();
        nanos.sort_unstable();
        println!("{name:<17} {:>8.1} ns per record", nanos[RUNS / 2] as f64 / RECORDS as f64);
    }
    Ok(())
}

fn measure() -> Result<Figures, String> {
    let rows = rows::ALL.iter().map(|(name, _)| Ok(((*name).to_owned(), valgrind::per_record(name)?)));
    Ok(Figures { compiler: valgrind::compiler()?, rows: rows.collect::<Result<_, String>>()? })
}

fn gate() -> Result<(), String> {
    let (measured, committed) = (measure()?, Figures::read()?);
    measured.compare(&committed)
}
