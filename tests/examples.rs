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

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(60);
const MAX_LINES: usize = 120;

fn sources() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    // The folder comes later in the project's life.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sources: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    sources.sort();
    sources
}

/// What is wrong with the example in this file, if anything.
fn complaint(source: &Path) -> Option<String> {
    let text = fs::read_to_string(source).expect("the source of an example");
    let lines = text.lines().count();
    if lines > MAX_LINES {
        return Some(format!("{lines} lines, more than {MAX_LINES}"));
    }
    let Some(promised) = promised(&text) else { return Some("its header does not say what it prints".to_owned()) };
    let program = match program(source) {
        Ok(program) => program,
        Err(reason) => return Some(reason),
    };
    let Some(Output { status, stdout, stderr }) = run(&mut Command::new(program), LIMIT) else {
        return Some(format!("still running after {LIMIT:?}"));
    };
    let printed = String::from_utf8_lossy(&stdout);
    let missing = missing(&promised, &printed);
    let all = || format!("it printed:\n{printed}\nand on standard error:\n{}", String::from_utf8_lossy(&stderr));
    match missing {
        _ if !status.success() => Some(format!("{status}; {}", all())),
        Some(line) => Some(format!("did not print {line:?} in its place; {}", all())),
        None => None,
    }
}

/// The lines that the header promises. `None`: it promises nothing.
fn promised(source: &str) -> Option<Vec<&str>> {
    let header =
        source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let mut block = header.skip_while(|line| *line != "# Prints").skip_while(|line| *line != "```text").skip(1);
    let lines: Vec<&str> = block.by_ref().take_while(|line| *line != "```").collect();
    (!lines.is_empty()).then_some(lines)
}

/// The first promised line that was not printed behind the ones before it.
fn missing<'a>(promised: &[&'a str], printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines();
    promised.iter().find(|line| !printed.any(|printed| matches(line, printed))).copied()
}

/// Whether a line is as promised, with anything for each `…`.
fn matches(promised: &str, line: &str) -> bool {
    match promised.split_once('…') {
        None => promised == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| matches(rest, &tail[at..]))
        }),
    }
}

/// `cargo test` builds the examples beside the tests.
fn program(source: &Path) -> Result<PathBuf, String> {
    let test = env::current_exe().expect("this test's own program");
    let name = source.file_stem().expect("a file");
    let program = test.parent().and_then(Path::parent).expect("the folder of a profile").join("examples").join(name);
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    match (modified(&program), modified(source)) {
        (Ok(built), Ok(written)) if built >= written => Ok(program),
        _ => {
            Err("not built as it is now: run `cargo build --examples`, or `cargo test` without naming a test"
                .to_owned())
        }
    }
}

/// `None` if it did not end in time. Then it is killed.
fn run(command: &mut Command, limit: Duration) -> Option<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("a program that was built");
    let id = Pid::from_child(&child);
    let (ended, wait) = channel();
    let waiting = thread::spawn(move || ended.send(child.wait_with_output()));
    let output = wait.recv_timeout(limit);
    if output.is_err() {
        let _ = kill_process(id, Signal::KILL);
    }
    let _ = waiting.join();
    output.ok().map(|output| output.expect("its output"))
}

#[test]
fn every_example_prints_what_it_promises() {
    let complaint = |source: PathBuf| complaint(&source).map(|complaint| format!("{}: {complaint}", source.display()));
    let complaints: Vec<String> = sources().into_iter().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn a_header_promises_lines() {
    let source = "//! Title.\n//!\n//! # Prints\n//! ```text\n//! one\n//!   two\n//! ```\n\nfn main() {}\n";
    assert_eq!(promised(source), Some(vec!["one", "  two"]));
    assert_eq!(promised("//! Title.\n//! ```text\n//! one\n//! ```\n"), None);
    assert_eq!(promised("//! # Prints\n//! ```text\n//! ```\n"), None);
}

#[test]
fn lines_are_found_in_their_order_with_others_between() {
    let printed = "a\nnoise\nb took 12 ms\nc\n";
    assert_eq!(missing(&["a", "b took … ms", "c"], printed), None);
    assert_eq!(missing(&["b took … ms", "a"], printed), Some("a"));
    assert_eq!(missing(&["a", "a"], printed), Some("a"));
    assert_eq!(missing(&["b took … s"], printed), Some("b took … s"));
    assert!(matches("…", "") && matches("x…y…z", "x1y2y3z") && !matches("x…y", "xyz"));
}

#[test]
fn a_program_that_does_not_end_is_killed() {
    let ended = run(Command::new("echo").arg("a line"), LIMIT).expect("it ends");
    assert!(ended.status.success() && ended.stdout == b"a line\n");
    assert!(run(Command::new("sleep").arg("1000"), Duration::from_millis(100)).is_none());
}
