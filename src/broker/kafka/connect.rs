//! How the user says which Kafka.

use super::{
    cluster::Cluster,
    connection::{Connection, REACH, Unreachable},
    embedded::{EMBEDDED_CLIENT, EmbeddedBroker, EmbeddedError},
    properties::{ClientProperties, PropertyError, SILENCE},
};
use rdkafka::ClientConfig;
use std::sync::Arc;

/// A Kafka cluster, and how to reach it.
///
/// ```
/// use retrial::Kafka;
///
/// let kafka = Kafka::bootstrap("broker-1:9092,broker-2:9092")
///     .property("security.protocol", "sasl_plaintext")
///     .property("sasl.mechanism", "PLAIN")
///     .property("sasl.username", "billing")
///     .property("sasl.password", "secret");
/// assert!(!format!("{kafka:?}").contains("secret"));
/// ```
///
/// Every property of librdkafka can be given; those that the engine depends on are refused, with the reason, when the
/// service connects.
#[derive(Clone, Debug)]
#[must_use = "a connection does nothing until a service uses it"]
pub struct Kafka {
    pub(crate) properties: ClientProperties,
    pub(crate) create_topics: bool,
    pub(crate) trim_tiers: bool,
    embedded: Option<Arc<EmbeddedBroker>>,
}

impl Kafka {
    /// Brokers to start from, `host:port` separated by commas.
    pub fn bootstrap(brokers: impl Into<String>) -> Self {
        let properties = ClientProperties::new(brokers);
        Self { properties, create_topics: true, trim_tiers: true, embedded: None }
    }

    /// A broker inside this process, for first steps and tests: librdkafka's mock cluster. It ends with the last
    /// clone of this value and forgets everything then; [`EMBEDDED_LIMITS`](crate::EMBEDDED_LIMITS) says what else it
    /// cannot do.
    ///
    /// # Errors
    /// The broker did not start.
    pub fn embedded() -> Result<Self, EmbeddedError> {
        let broker = Arc::new(EmbeddedBroker::start()?);
        let kafka = Self::bootstrap(broker.address()).quick_on_embedded();
        Ok(Self { embedded: Some(broker), ..kafka })
    }

    /// With what makes clients of an embedded broker quick, where the user has said nothing.
    fn quick_on_embedded(mut self) -> Self {
        for (name, value) in EMBEDDED_CLIENT {
            if self.properties.get(name).is_none() {
                self = self.property(name, value);
            }
        }
        self
    }

    /// Sets a property of librdkafka.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties = self.properties.set(name, value);
        self
    }

    /// Whether the service makes the group's own topics that are missing. Default true; with false it refuses to start
    /// and names them.
    pub fn create_topics(mut self, create: bool) -> Self {
        self.create_topics = create;
        self
    }

    /// Whether the service deletes finished records of its tiers (it needs the right to delete records). Default true;
    /// with false, tiers that it makes keep their records for their delay and 14 days.
    pub fn trim_tiers(mut self, trim: bool) -> Self {
        self.trim_tiers = trim;
        self
    }

    /// The address, as given.
    #[must_use]
    pub fn address(&self) -> &str {
        self.properties.get("bootstrap.servers").unwrap_or_default()
    }

    /// Makes a topic on the embedded broker; nothing on a real one, where topics are the user's.
    ///
    /// # Errors
    /// The broker refused it.
    pub fn create_embedded_topic(&self, topic: &str, partitions: i32) -> Result<(), EmbeddedError> {
        self.embedded.as_ref().map_or(Ok(()), |broker| broker.create_topic(topic, partitions))
    }

    /// Settings of a client that belongs to no group.
    pub(crate) fn connection(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set(SILENCE.0, SILENCE.1);
        for (name, value) in self.properties.iter().filter(|(name, _)| !is_members(name)) {
            config.set(name, value);
        }
        config
    }

    /// Settings of a client that reads without joining: what is committed, from where retention begins, to the end of a
    /// partition. Nothing is committed for the group.
    pub(crate) fn reading(&self, group: &str) -> ClientConfig {
        let mut config = self.connection();
        config.set("group.id", group);
        for (name, value) in [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("enable.partition.eof", "true"),
            ("isolation.level", "read_committed"),
            ("allow.auto.create.topics", "false"),
            ("fetch.wait.max.ms", "100"),
            ("enable.metrics.push", "false"),
        ] {
            config.set(name, value);
        }
        // Static membership belongs to the real member.
        config.remove("group.instance.id");
        config
    }

    /// What can be asked besides reading and writing.
    pub(crate) fn cluster(&self) -> Result<Cluster, PropertyError> {
        if let Some(broker) = &self.embedded {
            return Ok(Cluster::Embedded(Arc::clone(broker)));
        }
        Ok(Cluster::Real(Connection::new(&self.connection()).map_err(PropertyError::from)?))
    }

    /// The cluster once it has answered, and this value as fits it: an embedded broker of another process (`retrial dev`)
    /// says itself what it is. Waits.
    pub(crate) fn reach<E: From<PropertyError> + From<Unreachable>>(self) -> Result<(Self, Cluster), E> {
        let cluster = self.cluster()?;
        let Cluster::Real(connection) = &cluster else { return Ok((self, cluster)) };
        connection.metadata(REACH)?;
        if !connection.is_mock() {
            return Ok((self, cluster));
        }
        let maker = Connection::making_topics(&self.connection()).map_err(PropertyError::from)?;
        Ok((self.quick_on_embedded(), Cluster::Dev(maker)))
    }
}

/// Whether a property belongs to members of a group: librdkafka warns when another client has it.
fn is_members(name: &str) -> bool {
    const PREFIXES: [&str; 5] = ["group.", "fetch.", "queued.", "auto.", "enable.auto."];
    const NAMES: [&str; 11] = [
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
        "partition.assignment.strategy",
        "coordinator.query.interval.ms",
        "offset.store.method",
        "enable.partition.eof",
        "isolation.level",
        "check.crcs",
        "max.partition.fetch.bytes",
        "consume.callback.max.messages",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_members_need_stays_with_them() {
        let kafka = Kafka::bootstrap("localhost:9092")
            .property("session.timeout.ms", "7000")
            .property("fetch.wait.max.ms", "10")
            .property("sasl.password", "hunter2")
            .property("linger.ms", "3");
        let settings = kafka.connection();
        assert_eq!(settings.get("linger.ms"), Some("3"));
        assert_eq!((settings.get("session.timeout.ms"), settings.get("fetch.wait.max.ms")), (None, None));
        assert!(!format!("{kafka:?} {settings:?}").contains("hunter2"));
    }

    #[test]
    fn the_embedded_broker_lives_as_long_as_a_clone() {
        let kafka = Kafka::embedded().unwrap();
        let clone = kafka.clone();
        drop(kafka);
        clone.create_embedded_topic("orders", 1).unwrap();
        let address = clone.address().to_owned();
        assert!(std::net::TcpStream::connect(&address).is_ok());
        drop(clone);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
