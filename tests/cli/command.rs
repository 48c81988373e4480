//! The `retrial` command in the hands of a test.

use retrial_kafka_for_tests::Kafka;
use std::{
    io::Write as _,
    process::{Child, Command, Output, Stdio},
};

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The output, of a command that must have ended so.
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The output with what differs from run to run named: the group, times, and how wide columns are.
    pub(crate) fn steady(&self, group: &str) -> String {
        let text = self.out.replace(group, "billing");
        text.lines().map(|line| steady(line) + "\n").collect()
    }
}

fn steady(line: &str) -> String {
    let mut cells: Vec<String> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(times).collect();
    if line.starts_with("  ") {
        cells.insert(0, String::new());
    }
    cells.join("  ")
}

/// With TIME in place of each time to the second.
fn times(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(" UTC") {
        let start = at.saturating_sub("2026-11-22 10:21:00".len());
        out.push_str(&rest[..start]);
        out.push_str("TIME");
        rest = &rest[at + " UTC".len()..];
    }
    out + rest
}

/// The command with these arguments, and nothing of this process's environment that it would read.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_retrial"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RETRIAL_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NO_COLOR").args(arguments).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn run(arguments: &[&str]) -> Said {
    Said::of(&command(arguments).output().expect("the command can be started"))
}

/// Runs the command for a group, with times in UTC.
pub(crate) fn run_for(kafka: &Kafka, group: &str, arguments: &[&str]) -> Said {
    run(&with_group(kafka, group, arguments).iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs the command for a group with this on its standard input.
pub(crate) fn run_with_input(kafka: &Kafka, group: &str, arguments: &[&str], input: &str) -> Said {
    let arguments = with_group(kafka, group, arguments);
    let mut command = command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    // A command that ends before it has read all is told by its code.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    Said::of(&child.wait_with_output().expect("a child can be waited for"))
}

/// Starts the command for a group; what it says is read at its end.
pub(crate) fn start_for(kafka: &Kafka, group: &str, arguments: &[&str]) -> Child {
    let arguments = with_group(kafka, group, arguments);
    let mut command = command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command can be started")
}

fn with_group(kafka: &Kafka, group: &str, arguments: &[&str]) -> Vec<String> {
    let connection = ["--utc".to_owned(), "--bootstrap-server".to_owned(), kafka.bootstrap()];
    let group = ["--group".to_owned(), group.to_owned()];
    arguments.iter().map(ToString::to_string).chain(connection).chain(group).collect()
}
