//! A client in a process of its own, as the benchmark sees it.

use crate::child::{AWAKE, Orders, Outcome};
use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

/// A client that runs. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    orders: Orders,
}

impl Process {
    /// Starts one.
    pub(crate) fn start(orders: Orders) -> Self {
        let program = env::current_exe().expect("a program that runs");
        let text = serde_json::to_string(&orders).expect("numbers and names");
        let mut command = Command::new(program);
        command.args(["--client", &text]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a second process");
        let output = BufReader::new(child.stdout.take().expect("an output that is a pipe"));
        Self { child, output, orders }
    }

    /// Waits until it has seen its first record; when that was, in microseconds since 1970.
    pub(crate) fn awake(&mut self) -> u64 {
        let line = self.line();
        let time = line.strip_prefix(AWAKE).and_then(|time| time.trim().parse().ok());
        time.unwrap_or_else(|| panic!("{:?} said {line:?}", self.orders.client))
    }

    /// Waits for what it says at its end.
    pub(crate) fn outcome(mut self) -> Outcome {
        loop {
            let line = self.line();
            if !line.starts_with(AWAKE) {
                return serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("{:?} said {line:?}: {error}", self.orders.client));
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).expect("text");
        assert!(read > 0, "{:?} of {} ended without a word", self.orders.client, self.orders.group);
        line
    }

    /// SIGKILL; it is gone when this returns.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either may find it gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a client to its end.
pub(crate) fn run(orders: Orders) -> Outcome {
    Process::start(orders).outcome()
}
