//! Ends what a test process started, however that process ends.
//!
//! The guard is a shell that waits for the end of a pipe. Only the test process holds the other end (the descriptor is
//! not inherited by its children), so a normal end, a panic, an abort and SIGKILL all close it. Brokers are not tied to
//! their parent by `PR_SET_PDEATHSIG`, since that fires when the *thread* that started them ends: a test's thread.

use std::{
    ffi::OsStr,
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

/// Runs its clean-up when dropped, or when this process ends.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// `cleanup` is a shell script that sees `arguments` as `$1`, `$2`, ….
    pub(crate) fn start<A: AsRef<OsStr>>(cleanup: &str, arguments: impl IntoIterator<Item = A>) -> io::Result<Self> {
        // Ctrl-C reaches the whole foreground group: the guard has a group of its own, and a deaf ear besides.
        let script = format!("trap '' INT TERM HUP\nread -r end\n{cleanup}");
        Command::new("sh")
            .args(["-c", &script, "guard"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
