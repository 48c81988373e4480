//! What a service may be told besides its handlers, with what it does when it is told nothing.

use retrial_core::{engine::CommitConfig, start::StartAt};
use std::time::Duration;

/// Settings of a service. The defaults are safe; see each field.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) drain: Duration,
    pub(crate) revoke_drain: Duration,
    pub(crate) commit: CommitConfig,
    pub(crate) memory: usize,
    pub(crate) blocking_threads: usize,
    pub(crate) concurrency: Option<usize>,
    pub(crate) start_at: StartAt,
    pub(crate) verify_every: Duration,
    #[cfg(feature = "service")]
    pub(crate) http: Option<std::net::SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(25),
            revoke_drain: Duration::from_secs(2),
            commit: CommitConfig::default(),
            memory: 64 * 1024 * 1024,
            blocking_threads: crate::runtime::DEFAULT_BLOCKING_THREADS,
            concurrency: None,
            start_at: StartAt::Unset,
            verify_every: Duration::from_secs(60),
            #[cfg(feature = "service")]
            http: None,
        }
    }
}

impl Settings {
    /// How long running attempts may go on after a stop was asked for. Default 25 s: Kubernetes kills at 30.
    #[must_use]
    pub fn drain(mut self, time: Duration) -> Self {
        self.drain = time;
        self
    }

    /// How long running attempts may go on when their partition is revoked. The group waits meanwhile, so keep it
    /// short. Default 2 s.
    #[must_use]
    pub fn revoke_drain(mut self, time: Duration) -> Self {
        self.revoke_drain = time;
        self
    }

    /// When finished work is committed at the latest. Default 1 s.
    #[must_use]
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.commit.interval = interval;
        self
    }

    /// How many finished records make a commit due before its interval is over. Default 500.
    #[must_use]
    pub fn commit_early(mut self, records: usize) -> Self {
        self.commit.early = records;
        self
    }

    /// Bytes of records held in memory by handlers, in-place retries, ready work, and until their forward is
    /// acknowledged. Default 64 MiB. Beside it, what the client library fetches ahead has a budget of the same size, and
    /// what it was given to write one of half the size.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Threads for `blocking` handlers. Default 32.
    #[must_use]
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// Attempts that may run at once in this process, of all topics together; each topic keeps a share that no other
    /// can take. Default: the topics' own limits together.
    #[must_use]
    pub fn concurrency(mut self, attempts: usize) -> Self {
        self.concurrency = Some(attempts);
        self
    }

    /// How often the group's own topics are verified again while the service runs: one that was deleted and made anew
    /// with settings that lose records ends the service. Default 60 s.
    #[must_use]
    pub fn verify_every(mut self, interval: Duration) -> Self {
        self.verify_every = interval;
        self
    }

    /// Opens the HTTP port (health, metrics, status) on this address; port 0 is any that is free, which
    /// [`Running::http_address`](crate::Running::http_address) tells. Default: no port. Needs feature `service`.
    #[cfg(feature = "service")]
    #[must_use]
    pub fn http_address(mut self, address: std::net::SocketAddr) -> Self {
        self.http = Some(address);
        self
    }

    /// Opens the HTTP port on 127.0.0.1. Needs feature `service`.
    #[cfg(feature = "service")]
    #[must_use]
    pub fn http_port(self, port: u16) -> Self {
        self.http_address((std::net::Ipv4Addr::LOCALHOST, port).into())
    }

    /// Where a group that has never read its source topics begins. Default: the earliest record; but if that is
    /// older than a day, the service refuses to start until this says what is meant.
    #[must_use]
    pub fn start_at(mut self, start: StartAt) -> Self {
        self.start_at = start;
        self
    }
}
