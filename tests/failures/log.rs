//! What the services of this process have logged.

use retrial_kafka_for_tests::Log;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

static LOG: OnceLock<Log> = OnceLock::new();

/// Begins to keep what is logged. `RUST_LOG` says how much; by default what a user's service would show.
pub(crate) fn listen() {
    LOG.get_or_init(|| {
        let log = Log::default();
        let written = log.clone();
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,librdkafka=warn"));
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || written.clone()).init();
        log
    });
}

/// Lines so far that have all of these words. Names of groups are in every line of a service.
pub(crate) fn lines(words: &[&str]) -> Vec<String> {
    LOG.get().map(|log| log.lines(words)).unwrap_or_default()
}
