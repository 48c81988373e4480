//! A worker process in the hands of a test.

use std::{
    env, fs,
    fs::File,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    journal::{Entry, Journal, What, now_micros},
    orders::{Orders, VARIABLE},
    wait::{PATIENCE, until},
    worker::ARGUMENTS,
};

const ASSIGNED: &str = "partition assigned";

/// A worker. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Worker {
    name: String,
    child: Child,
    journal: Journal,
    log: PathBuf,
    gate: PathBuf,
}

impl Worker {
    /// Starts one whose files begin with this path.
    pub(crate) fn hire(files: PathBuf, mut orders: Orders) -> Self {
        let with = |end: &str| PathBuf::from(format!("{}.{end}", files.display()));
        (orders.journal, orders.gate) = (with("journal"), with("gate"));
        let log = with("log");
        let child = Command::new(env::current_exe().expect("this binary has a path"))
            .args(ARGUMENTS)
            .env(VARIABLE, serde_json::to_string(&orders).expect("orders are JSON"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log can be made"))
            .spawn()
            .expect("this binary can be started");
        let name = files.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, child, journal: Journal::at(orders.journal), log, gate: orders.gate }
    }

    /// Everything its handlers have written down until now.
    pub(crate) fn entries(&mut self) -> &[Entry] {
        self.journal.entries()
    }

    pub(crate) fn count(&mut self, what: What) -> usize {
        self.journal.count(what)
    }

    /// Waits until so many of these were written down.
    pub(crate) fn wait_for(&mut self, number: usize, what: What) {
        let name = format!("{number} times {what:?} in the journal of {}", self.name);
        until(&name, || {
            self.assert_alive();
            self.count(what) >= number
        });
    }

    /// What it has said on standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn has_said(&self, words: &str) -> bool {
        self.log().contains(words)
    }

    /// Waits until it has said this.
    pub(crate) fn wait_to_say(&mut self, words: &str) {
        until(&format!("{} says {words:?}", self.name), || {
            self.assert_alive();
            self.has_said(words)
        });
    }

    /// Waits until it has partitions; the group's own topics are there then.
    pub(crate) fn wait_for_partitions(&mut self) {
        self.wait_to_say(ASSIGNED);
    }

    /// How often it was given a partition.
    pub(crate) fn assignments(&self) -> usize {
        self.log().matches(ASSIGNED).count()
    }

    /// Whether it has ended, by itself or not.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "{} has ended by itself ({ended:?}):\n{}", self.name, self.log());
    }

    /// Lets the tasks that wait for the gate go on.
    pub(crate) fn open_gate(&self) {
        File::create(&self.gate).expect("a gate can be opened");
    }

    /// Holds tasks at the gate again.
    pub(crate) fn close_gate(&self) {
        fs::remove_file(&self.gate).expect("a gate that was open");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }

    /// SIGKILL; it is gone when this returns. Returns when that began, in microseconds since 1970.
    pub(crate) fn kill(&mut self) -> i64 {
        let at = now_micros();
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
        at
    }

    /// SIGTERM, and waits for an end without complaint.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.wait_for_end(PATIENCE);
    }

    /// Waits for an end without complaint. Returns how long that took.
    pub(crate) fn wait_for_end(&mut self, within: Duration) -> Duration {
        let began = Instant::now();
        let mut status: Option<ExitStatus> = None;
        until(&format!("{} ends", self.name), || {
            status = self.child.try_wait().expect("a child can be asked");
            status.is_some()
        });
        let status = status.expect("it was waited for");
        assert!(status.success(), "{} ended with {status}:\n{}", self.name, self.log());
        let took = began.elapsed();
        assert!(took <= within, "{} took {took:?} to end:\n{}", self.name, self.log());
        took
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains(ASSIGNED)).collect();
            let end = lines[lines.len().saturating_sub(30)..].join("\n");
            eprintln!("--- the last lines of {}:\n{end}", self.name);
        }
    }
}
