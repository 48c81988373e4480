//! No broker outlives its test, however the test ends; nor does its data.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use retrial_kafka_for_tests::{Kafka, Options, available};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const LIMIT: Duration = Duration::from_secs(20);

/// A process that holds a broker, and the directory where the broker keeps everything.
struct Holder {
    process: Child,
    temporary: tempfile::TempDir,
}

impl Holder {
    /// `None` if there is neither Docker nor Java here, or if Docker took the broker out of this test's sight.
    fn start() -> Option<Self> {
        let temporary = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_retrial-kafka-for-tests"));
        command.env("TMPDIR", temporary.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the binary of this package");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("text");
        let holder = Self { process, temporary };
        if !line.starts_with("RETRIAL_TEST_BOOTSTRAP=127.0.0.1:") {
            Kafka::start(Options::default()).expect_err("the binary found none").report("lifetime");
            return None;
        }
        holder.broker().is_some().then_some(holder)
    }

    /// The broker's process, by the file that its guard reads.
    fn broker(&self) -> Option<Pid> {
        let directory = fs::read_dir(self.temporary.path()).expect("a directory").next()?.expect("an entry");
        let text = fs::read_to_string(directory.path().join("1.pid")).expect("the pid of broker 1");
        Pid::from_raw(text.trim().parse().expect("a pid"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("its own child");
    }

    /// Waits until process and data of the broker are gone.
    fn assert_gone(mut self, broker: Pid) {
        self.process.wait().expect("its own child");
        wait_until("the broker is gone", || !is_alive(broker));
        wait_until("its data are gone", || is_empty(self.temporary.path()));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_alive(process: Pid) -> bool {
    // Nobody may be there to reap an orphan: a dead one that is still listed has no command line.
    let command_line = fs::read(format!("/proc/{}/cmdline", process.as_raw_nonzero()));
    test_kill_process(process).is_ok() && command_line.map_or(true, |line| !line.is_empty())
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).expect("a directory").next().is_none()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < limit, "after {LIMIT:?} it is still not so that {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn gone_when_the_test_process_is_killed_even_a_frozen_one() {
    let Some(holder) = Holder::start() else { return };
    let broker = holder.broker().expect("a broker");
    assert!(is_alive(broker));
    kill_process(broker, Signal::STOP).expect("a broker");
    holder.signal(Signal::KILL);
    holder.assert_gone(broker);
}

#[test]
fn gone_after_ctrl_c() {
    let Some(holder) = Holder::start() else { return };
    let broker = holder.broker().expect("a broker");
    holder.signal(Signal::INT);
    holder.assert_gone(broker);
}

#[test]
fn gone_when_standard_input_ends() {
    let Some(mut holder) = Holder::start() else { return };
    let broker = holder.broker().expect("a broker");
    drop(holder.process.stdin.take());
    assert!(holder.process.wait().expect("its own child").success());
    // Not some time later: the clean end waits for it.
    assert!(!is_alive(broker) && is_empty(holder.temporary.path()));
}

#[test]
fn gone_after_a_panic() {
    let kafka = available!(Kafka::start(Options::default()));
    let Some(pid) = kafka.broker(1).pid() else { return };
    let broker = Pid::from_raw(pid.cast_signed()).expect("a pid");
    let panicking = thread::spawn(move || {
        let _kafka = kafka;
        panic!("as a test does");
    });
    panicking.join().expect_err("it panicked");
    assert!(!is_alive(broker));
}
