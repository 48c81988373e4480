//! What the services of this process have logged.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Begins to keep what is logged. `RUST_LOG` says how much; by default what a user's service would show.
pub(crate) fn listen() {
    LOG.get_or_init(|| {
        let log = Log::default();
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,librdkafka=warn"));
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone()).init();
        log
    });
}

/// Lines so far that have all of these words. Names of groups are in every line of a service.
pub(crate) fn lines(words: &[&str]) -> Vec<String> {
    let Some(log) = LOG.get() else { return Vec::new() };
    let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&bytes);
    let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
    text.lines().filter(has_all).map(str::to_owned).collect()
}
