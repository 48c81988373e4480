//! Ctrl-C and SIGTERM: noted, so that a command ends where its state is consistent. The second one ends the process.

use super::end::Trouble;
use std::{
    io::{self, Write},
    process,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{runtime, sync::watch};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What gives the terminal back as it was, if a command has changed it.
static RESTORE: OnceLock<&'static [u8]> = OnceLock::new();

/// Notes interrupts from now on. Dropped, nothing changes: a process runs one command.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    pub(super) fn listen() -> Result<Self, Trouble> {
        let (noted, receiver) = watch::channel(false);
        let cannot = |error: io::Error| Trouble::failed(format!("interrupts cannot be heard: {error}"));
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        // Hooked up before this returns, so that none is missed.
        let (up, is_up) = std::sync::mpsc::channel();
        let listen = async move {
            let mut signals = Signals::hook()?;
            let _ = up.send(());
            loop {
                signals.next().await;
                if INTERRUPTED.swap(true, Ordering::SeqCst) {
                    if let Some(restore) = RESTORE.get() {
                        let _ = io::stdout().write_all(restore).and_then(|()| io::stdout().flush());
                    }
                    // As shells say it of a process that SIGINT ended.
                    process::exit(130);
                }
                let _ = noted.send(true);
            }
            #[expect(unreachable_code, reason = "gives the block its type")]
            Ok::<(), io::Error>(())
        };
        let thread = thread::Builder::new().name("retrial-interrupt".to_owned());
        thread.spawn(move || runtime.block_on(listen)).map_err(cannot)?;
        // An error here means that the signals could not be hooked up; then they end the process, as they always did.
        let _ = is_up.recv();
        Ok(Self(receiver))
    }

    /// Writes this to the terminal before an interrupt ends the process.
    pub(super) fn restore_by(bytes: &'static [u8]) {
        let _ = RESTORE.set(bytes);
    }

    pub(super) fn is_noted(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for an interrupt, however long it takes.
    pub(super) fn wait_for_one(&mut self) {
        while !self.wait(Duration::from_secs(3600)) {}
    }

    /// Waits this long, or until an interrupt; says whether one came.
    pub(super) fn wait(&mut self, limit: Duration) -> bool {
        let Ok(runtime) = runtime::Builder::new_current_thread().enable_time().build() else { return true };
        let _ = runtime.block_on(async { tokio::time::timeout(limit, self.0.wait_for(|noted| *noted)).await.is_ok() });
        self.is_noted()
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn hook() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn hook() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
