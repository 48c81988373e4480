//! One broker as a child process: signals by its own pid, and its log for when it will not start.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::jars::Distribution;
use crate::broker::Action;

/// How long a broker may take to hand over and end after SIGTERM. The last node of a quorum waits for a controller that
/// is gone, for ever: then it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A broker of a cluster on this machine; dropped, it is dead.
#[derive(Debug)]
pub(crate) struct JavaNode {
    distribution: Distribution,
    /// Holds `<id>.pid` while the process lives (the guard reads it), `<id>.log`, and `<id>.properties`.
    directory: PathBuf,
    id: usize,
    arguments: Vec<String>,
    /// The port of the second listener.
    guests: Option<u16>,
    child: Option<Child>,
}

impl JavaNode {
    pub(super) fn new(distribution: Distribution, directory: PathBuf, id: usize, arguments: Vec<String>) -> Self {
        Self { distribution, directory, id, arguments, guests: None, child: None }
    }

    /// Says where its second listener is.
    pub(super) fn has_guests_at(&mut self, port: u16) {
        self.guests = Some(port);
    }

    pub(crate) fn guests(&self) -> Option<String> {
        self.guests.map(|port| format!("127.0.0.1:{port}"))
    }

    pub(crate) fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Start => return self.start().map_err(|error| error.to_string()),
            Action::Stop => self.stop(),
            Action::Kill => self.kill(),
            Action::Pause => self.signal(Signal::STOP),
            Action::Resume => self.signal(Signal::CONT),
        }
        Ok(())
    }

    /// Starts the process. The broker answers some seconds later, on the same address as ever.
    fn start(&mut self) -> io::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(self.file("log"))?;
        let mut command = Command::new("sh");
        // The shell becomes the JVM, so the pid is in the file before there is anything to kill.
        command.args(["-c", r#"echo $$ >"$0" && exec "$@""#]).arg(self.file("pid"));
        command
            .arg(&self.distribution.java)
            .args(["-XX:+UseSerialGC", "-XX:-UsePerfData"])
            .args(&self.arguments)
            .arg(format!("-Dlog4j2.configurationFile={}", self.distribution.log_configuration().display()))
            .args(["-cp", &self.distribution.class_path(), "kafka.Kafka"])
            .arg(self.file("properties"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C must not reach it: the guard ends it.
            .process_group(0);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn is_running(&mut self) -> bool {
        let running = self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        if !running {
            self.forget();
        }
        running
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
        self.forget();
    }

    /// SIGTERM, and SIGKILL if that was not enough.
    fn stop(&mut self) {
        self.signal(Signal::TERM);
        let limit = Instant::now() + STOP_LIMIT;
        while self.is_running() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// Why it ended, if it did.
    pub(crate) fn failure(&mut self) -> Option<String> {
        (!self.is_running()).then(|| format!("it ended; its log:\n    {}", self.last_words()))
    }

    /// The last lines of its log.
    fn last_words(&self) -> String {
        let log = fs::read(self.file("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n    ")
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.id))
    }

    /// Only a child that was not waited for is signalled: its pid cannot belong to anybody else.
    fn signal(&mut self, signal: Signal) {
        if self.is_running()
            && let Some(pid) = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed()))
        {
            let _ = kill_process(pid, signal);
        }
    }

    fn forget(&mut self) {
        if self.child.take().is_some() {
            let _ = fs::remove_file(self.file("pid"));
        }
    }
}

impl Drop for JavaNode {
    fn drop(&mut self) {
        self.kill();
    }
}
