//! Every example runs by itself and prints what its header promises.
//!
//! The header of an example ends with what it prints: these lines in this order, others between them. `…` stands for what
//! differs from run to run.
//!
//! ````text
//! //! # Prints
//! //! ```text
//! //! order 1 charged
//! //! order 2 failed: …, again in 5s
//! //! ```
//! ````

mod program;
mod promise;
mod quickstart;

use std::{
    fs,
    process::{Command, Output},
};

use program::{Example, LIMIT, run};
use promise::{missing, promised};

const MAX_LINES: usize = 120;

/// What is wrong with an example, if anything.
fn complaint(example: &Example) -> Option<String> {
    for source in &example.sources {
        let lines = fs::read_to_string(source).expect("the source of an example").lines().count();
        if lines > MAX_LINES {
            return Some(format!("{} has {lines} lines, more than {MAX_LINES}", source.display()));
        }
    }
    let text = fs::read_to_string(&example.main).expect("the source of an example");
    let Some(promised) = promised(&text) else { return Some("its header does not say what it prints".to_owned()) };
    match example.program() {
        Ok(mut program) => broken(&promised, &mut program),
        Err(reason) => Some(reason),
    }
}

/// How a program breaks what was promised, if it does.
fn broken(promised: &[&str], program: &mut Command) -> Option<String> {
    let Some(Output { status, stdout, stderr }) = run(program, LIMIT) else {
        return Some(format!("still running after {LIMIT:?}"));
    };
    let printed = String::from_utf8_lossy(&stdout);
    let all = || format!("it printed:\n{printed}\nand on standard error:\n{}", String::from_utf8_lossy(&stderr));
    match missing(promised, &printed) {
        _ if !status.success() => Some(format!("{status}; {}", all())),
        Some(line) => Some(format!("did not print {line:?} in its place; {}", all())),
        None => None,
    }
}

#[test]
fn every_example_prints_what_it_promises() {
    let examples = Example::all();
    assert!(examples.len() >= 5, "{} examples: is this the folder?", examples.len());
    let complaint = |example: &Example| Some(format!("{}: {}", example.name, complaint(example)?));
    let complaints: Vec<String> = examples.iter().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}
