//! Why a service does not start, or ended.

use crate::broker::kafka::{PositionsError, PropertyError, SourceError, TopicsError, Unreachable};
use retrial_core::start::OldBacklog;

/// Why a service does not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A client property that cannot be.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The brokers did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// Topics or rights that are missing, or settings that would lose records.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// A new group would begin with old records, and nobody said that it should.
    #[error(transparent)]
    OldBacklog(#[from] OldBacklog),
    /// What the group has committed could not be read.
    #[error(transparent)]
    Positions(#[from] PositionsError),
    /// The embedded broker did not start.
    #[error(transparent)]
    Embedded(#[from] crate::broker::kafka::EmbeddedError),
    /// The consumer was not made.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The producer was not made.
    #[error("the Kafka producer was not created: {0}")]
    Sink(String),
    /// A thread or runtime could not be made.
    #[error("no thread could be made: {0}")]
    Thread(std::io::Error),
    /// The HTTP port could not be opened.
    #[error("the HTTP port cannot be opened on {address}: {why}")]
    Http {
        /// Where it was to listen.
        address: std::net::SocketAddr,
        /// The system's words.
        why: std::io::Error,
    },
    /// There is no tokio runtime to run handlers on.
    #[error("a service must be started within a tokio runtime, where its handlers run")]
    NoRuntime,
    /// The client is broken for good.
    #[error("the service has ended: {0}")]
    Broken(String),
    /// The service's thread is gone without a word.
    #[error("the service was stopped before it could answer")]
    Stopped,
}

impl ServiceError {
    /// Whether it may be another time, without anybody's help.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Topics(TopicsError::Unreachable(_)) | Self::Positions(_))
    }
}
