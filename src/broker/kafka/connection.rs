//! A client that asks: metadata, watermarks, admin requests. It reads and writes no records.
//!
//! Every call here waits, at most as long as its words say: for start-up and background threads only.

use super::ffi::admin::Fault;
use rdkafka::{
    ClientConfig, ClientContext,
    client::Client,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::KafkaError,
    message::DeliveryResult,
    metadata::Metadata,
    producer::{BaseProducer, Producer, ProducerContext},
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long an unreachable cluster is waited for.
pub(crate) const REACH: Duration = Duration::from_secs(10);

/// The pause before something is asked again that a broker does not know yet.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Remembers what went wrong last, so that a time-out can say why.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<Option<String>>);

impl ClientContext for Troubles {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        // Connection errors are told once, with the call that failed.
        tracing::debug!(target: "librdkafka", facility, "{text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers are down" follows the reason why, and would hide it.
        let everything_down = error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::AllBrokersDown);
        if last.is_none() || !everything_down {
            *last = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Troubles {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// A cluster did not answer in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer from Kafka at {address} within {limit:?}: {reason}")]
pub struct Unreachable {
    /// What was connected to.
    pub address: String,
    /// How long it was waited for.
    pub limit: Duration,
    /// The last thing that went wrong.
    pub reason: String,
}

/// A connection for questions.
pub(crate) struct Connection {
    address: String,
    asker: BaseProducer<Troubles>,
}

impl Connection {
    /// A connection with the user's settings. Does not connect yet.
    ///
    /// # Errors
    /// A setting that librdkafka refuses.
    pub(crate) fn new(settings: &ClientConfig) -> Result<Self, KafkaError> {
        Self::with(settings, "false")
    }

    /// One whose question for a topic that does not exist makes it, where brokers allow that: for embedded ones.
    ///
    /// # Errors
    /// A setting that librdkafka refuses.
    pub(super) fn making_topics(settings: &ClientConfig) -> Result<Self, KafkaError> {
        Self::with(settings, "true")
    }

    fn with(settings: &ClientConfig, making_topics: &str) -> Result<Self, KafkaError> {
        let address = settings.get("bootstrap.servers").unwrap_or_default().to_owned();
        let mut settings = settings.clone();
        settings.set("allow.auto.create.topics", making_topics).set("enable.metrics.push", "false");
        Ok(Self { address, asker: BaseProducer::from_config_and_context(&settings, Troubles::default())? })
    }

    /// What was connected to.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The client, for requests.
    pub(crate) fn client(&self) -> &Client<Troubles> {
        self.asker.client()
    }

    /// Brokers and all topics.
    ///
    /// # Errors
    /// No broker answered within `limit`.
    pub(crate) fn metadata(&self, limit: Duration) -> Result<Metadata, Unreachable> {
        self.client().fetch_metadata(None, limit).map_err(|error| self.unreachable(limit, &error.to_string()))
    }

    /// Asks for one topic. What became of it is seen in [`Self::metadata`].
    ///
    /// # Errors
    /// No broker answered within `limit`.
    pub(super) fn ask_for(&self, topic: &str, limit: Duration) -> Result<(), Unreachable> {
        let asked = self.client().fetch_metadata(Some(topic), limit);
        asked.map(drop).map_err(|error| self.unreachable(limit, &error.to_string()))
    }

    /// Whether the cluster is librdkafka's mock; not known before it has answered a first question. A real id is a UUID in
    /// 22 characters, which no mock's is.
    pub(super) fn is_mock(&self) -> bool {
        self.client().fetch_cluster_id(Duration::ZERO).is_some_and(|id| id.starts_with("mockCluster") && id.len() > 22)
    }

    /// Takes in what the client told meanwhile. A connection that lives long must be served, or its queue grows.
    pub(crate) fn serve(&self) {
        // One poll serves one event; what is left over waits for the next call.
        for _ in 0..64 {
            self.asker.poll(Duration::ZERO);
        }
    }

    /// The reason for a failure: what went wrong on the wire if anything did, else the error itself.
    pub(crate) fn unreachable(&self, limit: Duration, error: &str) -> Unreachable {
        self.serve();
        let troubles = self.client().context();
        let last = troubles.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reason = last.map_or_else(|| error.to_owned(), |last| format!("{error} ({last})"));
        Unreachable { address: self.address.clone(), limit, reason }
    }

    /// An admin request's fault, as a cluster that did not answer.
    pub(super) fn silent(&self, limit: Duration, fault: &Fault) -> Unreachable {
        self.unreachable(limit, &fault.text)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish()
    }
}
