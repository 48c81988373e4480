//! How many instructions the engine takes per record, as a gate: `cargo bench -p retrial-core --bench instructions`.
//!
//! Instructions do not depend on how busy a machine is. Each row runs under `valgrind --tool=callgrind` with few records
//! and with many; the difference, per record, is compared with the figure in `figures.txt`, so what a process costs to
//! start is not in it. Exit status 1 if one has grown by more than [`figures::LIMIT`]; `-- --renew` writes what is
//! measured into the file, for a growth that is meant (say why in the commit) and for a gain that is to be kept.
//!
//! A figure depends on what the compiler makes of the code: version, target and profile. The file says which compiler it
//! is of; with another one the limit is [`figures::LIMIT_ELSEWHERE`] and the output says so. Debug information, the
//! machine and its load change nothing.

mod figures;
mod valgrind;
mod world;

use figures::Figures;
use std::{env, process::ExitCode};
use world::World;

/// The rows: what happens to each record.
const ROWS: &[&str] = &["unordered", "by-key", "late", "forwarded"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run", row, records] => run(row, records),
        [] => gate(),
        ["--renew"] => measure().and_then(|measured| measured.write()),
        _ => Err(format!("usage: instructions [--renew], not {words:?}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("instructions: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// What valgrind watches: so many records through the engine.
fn run(row: &str, records: &str) -> Result<(), String> {
    let records: u64 = records.parse().map_err(|error| format!("{records:?}: {error}"))?;
    World::of(row).carry(records);
    Ok(())
}

fn measure() -> Result<Figures, String> {
    let rows = ROWS.iter().map(|row| Ok(((*row).to_owned(), valgrind::per_record(row)?)));
    Ok(Figures { compiler: valgrind::compiler()?, rows: rows.collect::<Result<_, String>>()? })
}

fn gate() -> Result<(), String> {
    let (measured, committed) = (measure()?, Figures::read()?);
    measured.compare(&committed)
}
