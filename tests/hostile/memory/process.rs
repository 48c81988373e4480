//! A worker's process in the hands of a test.

use super::{
    budget::MIB,
    worker::{ARGUMENTS, OPEN, ORDERS, Orders, REPORT, Report},
};
use std::{
    env, fs,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long something must stay as it is to count as settled.
const SETTLED: Duration = Duration::from_secs(3);

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A worker, killed with the test.
pub(super) struct Worker(Child);

impl Worker {
    pub(super) fn start(orders: &Orders) -> Self {
        let mut command = Command::new(env::current_exe().expect("this test's program"));
        command.args(ARGUMENTS).env(ORDERS, serde_json::to_string(orders).expect("orders are JSON"));
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process"))
    }

    /// A line of its `/proc/<pid>/status`, in bytes.
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("a process that lives");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {status}"));
        let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB");
        kib * 1024
    }

    /// The most that it ever had resident.
    pub(super) fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// What it has resident once that stays as it is.
    pub(super) async fn settled(&self) -> u64 {
        self.unchanged("VmRSS:").await
    }

    /// The most that it ever had resident, once that grows no more.
    pub(super) async fn settled_peak(&self) -> u64 {
        self.unchanged("VmHWM:").await
    }

    async fn unchanged(&self, name: &str) -> u64 {
        let (mut value, mut since) = (self.status(name), Instant::now());
        let limit = Instant::now() + PATIENCE;
        while since.elapsed() < SETTLED {
            assert!(Instant::now() < limit, "{name} changes after {PATIENCE:?} still: {} MiB", value / MIB);
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.status(name);
            if now.abs_diff(value) > MIB / 2 {
                (value, since) = (now, Instant::now());
            }
        }
        self.status(name)
    }

    /// Lets blocked records through.
    pub(super) fn open_gate(&mut self) {
        let input = self.0.stdin.as_mut().expect("an open input");
        writeln!(input, "{OPEN}").expect("a process that reads");
    }

    /// Ends its input, waits for its end, and reads its report.
    pub(super) fn end(mut self) -> Report {
        drop(self.0.stdin.take());
        let mut output = String::new();
        self.0.stdout.take().expect("an output").read_to_string(&mut output).expect("text");
        assert!(self.0.wait().is_ok_and(|status| status.success()), "the worker failed: {output}");
        let report = output.lines().find_map(|line| line.strip_prefix(REPORT)).expect("a report");
        serde_json::from_str(report).expect("a report that can be read")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Either may find it gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
