//! What the client is configured with: the user's properties, checked, and ours.
//!
//! The engine rests on some properties (commits are ours alone, resets are decided by the engine, rebalances are
//! incremental). Setting one of those otherwise is refused with the reason. Everything else passes through to
//! librdkafka, which knows its properties better than a list here would.

use super::missing::{self, Feature};
use rdkafka::{ClientConfig, error::KafkaError, types::RDKafkaConfRes};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Properties of the Kafka client, as librdkafka names them (`security.protocol`, `client.id`, …).
///
/// Values of secrets are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientProperties {
    set: BTreeMap<String, String>,
}

/// Why properties are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// No broker to connect to.
    #[error("no Kafka broker is given: set `bootstrap.servers`")]
    NoBroker,
    /// The engine depends on another value.
    #[error("`{name}` cannot be {value:?}: {reason}")]
    Refused {
        /// The property.
        name: String,
        /// The value the user gave.
        value: String,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// Not a number where one is needed.
    #[error("`{name}` must be a whole number of milliseconds above zero, and is {value:?}")]
    NotMillis {
        /// The property.
        name: String,
        /// The value the user gave.
        value: String,
    },
    /// Built without what it needs.
    #[error("`{name}` needs {feature}, which this build does not have")]
    Missing {
        /// The property.
        name: String,
        /// What to build with.
        feature: Feature,
    },
    /// librdkafka does not know it.
    #[error(
        "there is no client property `{0}`: correct the name (librdkafka's CONFIGURATION.md lists them), or take it out"
    )]
    Unknown(String),
    /// librdkafka does not accept the value.
    #[error("`{name}` is not accepted: {reason}")]
    Invalid {
        /// The property.
        name: String,
        /// librdkafka's words.
        reason: String,
    },
    /// The client could not be made of properties that are each accepted.
    #[error("the Kafka client was not created: {0}")]
    Rejected(String),
}

/// A property that has one value only, and why.
struct Fixed {
    name: &'static str,
    value: &'static str,
    reason: &'static str,
}

const COMMITS: &str = "offsets are committed by retrial, with what is finished beyond them";
const ROUNDS: &str =
    "rebalances are answered partition by partition; strategies that stop all of them are not supported";

const FIXED: &[Fixed] = &[
    Fixed { name: "enable.auto.commit", value: "false", reason: COMMITS },
    Fixed { name: "enable.auto.offset.store", value: "false", reason: COMMITS },
    Fixed { name: "offset.store.method", value: "broker", reason: COMMITS },
    Fixed {
        name: "auto.offset.reset",
        value: "error",
        reason: "retrial decides itself where to start, so that no record is skipped in silence",
    },
    Fixed {
        name: "enable.partition.eof",
        value: "false",
        reason: "batch reads of librdkafka move the position past such an entry",
    },
    Fixed { name: "partition.assignment.strategy", value: "cooperative-sticky", reason: ROUNDS },
    Fixed {
        name: "allow.auto.create.topics",
        value: "false",
        reason: "a topic that is made by reading it has the wrong settings",
    },
];

/// A network that swallows everything closes no connection: a client notices only that an answer does not come. After
/// this long instead of a minute it connects anew; the longest answer that is waited for in peace takes a fraction of it.
/// Of every client, of members and others.
pub(super) const SILENCE: (&str, &str) = ("socket.timeout.ms", "10000");

/// Ours unless the user says otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "retrial"),
    // Aborted records must not run.
    ("isolation.level", "read_committed"),
    // The thread that polls never runs handlers; one that stood still for a minute is broken.
    ("max.poll.interval.ms", "60000"),
    // The default idles for a second after a prefetch limit was hit.
    ("fetch.queue.backoff.ms", "10"),
    // While all sources have hit it, a fetch asks for the tiers alone, and the broker holds it back for this long if they
    // are empty: no longer than what was fetched ahead lasts at full speed. At rest it is a request each time.
    ("fetch.wait.max.ms", "40"),
    // New partitions, and tiers that another build makes, are found after this long instead of 5 min.
    ("topic.metadata.refresh.interval.ms", "30000"),
    SILENCE,
    // Costs a histogram update per poll.
    ("enable.metrics.push", "false"),
];

const ALIASES: &[(&str, &str)] = &[
    ("metadata.broker.list", "bootstrap.servers"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("auto.commit.enable", "enable.auto.commit"),
    ("sasl.mechanisms", "sasl.mechanism"),
];

/// While a classic group waits for a dead member, nobody's commit goes through (ILLEGAL_GENERATION), and a second
/// crash repeats all of that time's work: so short. Not shorter, because a member that stands still for this long is
/// expelled, and because brokers refuse less than 6 s by default.
const SESSION: Duration = Duration::from_secs(10);
/// KIP-848 leaves the session to the broker (`group.consumer.session.timeout.ms`); this is its default.
const BROKER_SESSION: Duration = Duration::from_secs(45);

/// A record of a few bytes costs about this much inside librdkafka, in bytes (measured: 780 of RSS per 200 B record).
const PER_RECORD: usize = 640;
const LEAST_SHARE: usize = 64 << 10;
const MOST_PER_FETCH: usize = 1 << 20;

impl ClientProperties {
    /// Properties with the brokers to start from, `host:port` separated by commas.
    pub(crate) fn new(brokers: impl Into<String>) -> Self {
        Self::default().set("bootstrap.servers", brokers)
    }

    /// Sets a property. A later value replaces an earlier one.
    #[must_use]
    pub(crate) fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        // One property under two names would be applied in no certain order.
        let known = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, name)| (*name).to_owned());
        self.set.insert(known.unwrap_or(name), value.into());
        self
    }

    /// The value the user gave.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    /// All that the user gave.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the group protocol of KIP-848 is asked for.
    pub(crate) fn new_protocol(&self) -> bool {
        self.get("group.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer"))
    }

    /// After how long without a sign of life the group takes a member for dead.
    ///
    /// # Errors
    /// [`PropertyError::NotMillis`].
    pub(crate) fn session_timeout(&self) -> Result<Duration, PropertyError> {
        let default = if self.new_protocol() { BROKER_SESSION } else { SESSION };
        self.millis("session.timeout.ms").map(|session| session.unwrap_or(default))
    }

    /// The configuration of a consumer of a group that prefetches at most about `prefetch` bytes over all of its
    /// `partitions` (an estimate, at least one).
    ///
    /// # Errors
    /// The first property that is not accepted, as a [`PropertyError`].
    pub(crate) fn consumer(
        &self,
        group: &str,
        partitions: usize,
        prefetch: usize,
    ) -> Result<ClientConfig, PropertyError> {
        self.check(group)?;
        let mut config = ClientConfig::new();
        for (name, value) in DEFAULTS {
            config.set(*name, *value);
        }
        for (name, value) in prefetch_limits(partitions, prefetch) {
            config.set(name, value.to_string());
        }
        self.membership(&mut config)?;
        for (name, value) in self.iter() {
            config.set(name, value);
        }
        for fixed in FIXED.iter().filter(|fixed| !(self.new_protocol() && fixed.name == STRATEGY)) {
            config.set(fixed.name, fixed.value);
        }
        config.set("group.id", group);
        config.create_native_config().map_err(PropertyError::from)?;
        Ok(config)
    }

    fn check(&self, group: &str) -> Result<(), PropertyError> {
        if self.get("bootstrap.servers").is_none_or(str::is_empty) && self.get("test.mock.num.brokers").is_none() {
            return Err(PropertyError::NoBroker);
        }
        for (name, value) in self.iter() {
            if let Some(feature) = missing::feature(name, value) {
                return Err(PropertyError::Missing { name: name.to_owned(), feature });
            }
            let other_group = name == "group.id" && value != group;
            let reason = match FIXED.iter().find(|fixed| fixed.name == name) {
                Some(fixed) if !fixed.value.eq_ignore_ascii_case(value) => fixed.reason,
                _ if other_group => "the group is the app's, and names its topics too",
                _ => continue,
            };
            return Err(PropertyError::Refused { name: name.to_owned(), value: value.to_owned(), reason });
        }
        Ok(())
    }

    /// Session, heartbeats and the poll limit, which must fit each other. With KIP-848 the first two are the broker's.
    fn membership(&self, config: &mut ClientConfig) -> Result<(), PropertyError> {
        if self.new_protocol() {
            return Ok(());
        }
        let session = self.session_timeout()?;
        config.set("session.timeout.ms", session.as_millis().to_string());
        config.set("heartbeat.interval.ms", (session.as_millis() / 3).max(1).to_string());
        let poll = session.max(Duration::from_secs(60));
        config.set("max.poll.interval.ms", poll.as_millis().to_string());
        Ok(())
    }

    fn millis(&self, name: &str) -> Result<Option<Duration>, PropertyError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.trim().parse::<u64>() {
            Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis))),
            _ => Err(PropertyError::NotMillis { name: name.to_owned(), value: value.to_owned() }),
        }
    }
}

const STRATEGY: &str = "partition.assignment.strategy";

/// Every partition has a queue of its own, and librdkafka's limits then hold for each of them; a fetch may overshoot
/// them by its own size. Small records cost far more than their bytes, hence the limit by number.
fn prefetch_limits(partitions: usize, prefetch: usize) -> [(&'static str, usize); 3] {
    let share = (prefetch / partitions.max(1)).max(LEAST_SHARE);
    [
        ("queued.max.messages.kbytes", share >> 10),
        ("fetch.message.max.bytes", share.min(MOST_PER_FETCH)),
        ("queued.min.messages", (share / PER_RECORD).min(100_000)),
    ]
}

/// An error of librdkafka about a property. Its text may hold the value, so that of a secret is left out.
impl From<KafkaError> for PropertyError {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => Self::Unknown(name),
            KafkaError::ClientConfig(_, reason, name, value) => match missing::built_without(&reason, &name) {
                Some(feature) => Self::Missing { name, feature },
                None if is_secret(&name) && !value.is_empty() => {
                    Self::Invalid { name, reason: reason.replace(&value, "***") }
                }
                None => Self::Invalid { name, reason },
            },
            other => Self::Rejected(other.to_string()),
        }
    }
}

/// Whether a value must not be shown.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "sasl.jaas", "key.pem", "oauth", "sasl.kerberos.kinit.cmd"]
        .iter()
        .any(|part| name.contains(part))
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, if is_secret(name) { "***" } else { value })))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn consumer(properties: ClientProperties) -> Result<ClientConfig, PropertyError> {
        properties.consumer("billing", 12, 64 << 20)
    }

    fn local() -> ClientProperties {
        ClientProperties::new("localhost:9092")
    }

    #[test]
    fn nothing_set_is_safe() {
        let config = consumer(local()).unwrap();
        for fixed in FIXED {
            assert_eq!(config.get(fixed.name), Some(fixed.value));
        }
        for (name, value) in [
            ("group.id", "billing"),
            ("isolation.level", "read_committed"),
            ("session.timeout.ms", "10000"),
            ("heartbeat.interval.ms", "3333"),
            ("max.poll.interval.ms", "60000"),
            ("queued.max.messages.kbytes", "5461"),
            ("fetch.message.max.bytes", "1048576"),
            ("queued.min.messages", "8738"),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn what_the_engine_rests_on_is_refused_otherwise_and_accepted_as_it_is() {
        for fixed in FIXED {
            let other = if fixed.value == "false" { "true" } else { "none" };
            let error = consumer(local().set(fixed.name, other)).unwrap_err();
            assert!(matches!(&error, PropertyError::Refused { name, .. } if name == fixed.name), "{error}");
            assert!(consumer(local().set(fixed.name, fixed.value)).is_ok());
        }
        assert!(consumer(local().set("partition.assignment.strategy", "range")).is_err());
        assert!(consumer(local().set("group.id", "other")).is_err());
    }

    #[test]
    fn the_users_word_counts_elsewhere() {
        let config = consumer(
            local()
                .set("isolation.level", "read_uncommitted")
                .set("session.timeout.ms", "90000")
                .set("fetch.wait.max.ms", "7")
                .set("queued.min.messages", "99"),
        )
        .unwrap();
        for (name, value) in [
            ("isolation.level", "read_uncommitted"),
            ("session.timeout.ms", "90000"),
            ("heartbeat.interval.ms", "30000"),
            ("max.poll.interval.ms", "90000"),
            ("fetch.wait.max.ms", "7"),
            ("queued.min.messages", "99"),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
        let config = consumer(local().set("max.partition.fetch.bytes", "77777")).unwrap();
        assert_eq!(config.get("fetch.message.max.bytes"), Some("77777"));
    }

    #[test]
    fn the_new_protocol_leaves_sessions_to_the_broker() {
        let properties = local().set("group.protocol", "consumer");
        assert_eq!(properties.session_timeout(), Ok(BROKER_SESSION));
        let config = consumer(properties).unwrap();
        for name in ["session.timeout.ms", "heartbeat.interval.ms", STRATEGY] {
            assert_eq!(config.get(name), None, "{name}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(consumer(ClientProperties::default()).unwrap_err(), PropertyError::NoBroker);
        let unknown = consumer(local().set("fetch.wait.msx", "5")).unwrap_err();
        assert_eq!(unknown, PropertyError::Unknown("fetch.wait.msx".into()));
        let invalid = consumer(local().set("fetch.wait.max.ms", "soon")).unwrap_err();
        assert!(matches!(&invalid, PropertyError::Invalid { name, .. } if name == "fetch.wait.max.ms"), "{invalid}");
        assert!(matches!(
            local().set("session.timeout.ms", "0").session_timeout(),
            Err(PropertyError::NotMillis { .. })
        ));
    }

    #[test]
    fn what_librdkafka_says_against_a_secret_does_not_show_it() {
        let said = |name: &str, value: &str| {
            let (refused, reason) = (RDKafkaConfRes::RD_KAFKA_CONF_INVALID, format!("Invalid value \"{value}\""));
            PropertyError::from(KafkaError::ClientConfig(refused, reason, name.into(), value.into())).to_string()
        };
        assert_eq!(said("sasl.password", "hunter2"), "`sasl.password` is not accepted: Invalid value \"***\"");
        assert_eq!(said("sasl.password", ""), "`sasl.password` is not accepted: Invalid value \"\"");
        assert_eq!(said("client.rack", "b"), "`client.rack` is not accepted: Invalid value \"b\"");
    }

    #[test]
    fn secrets_are_not_shown() {
        let properties = local()
            .set("sasl.password", "hunter2")
            .set("ssl.key.password", "hunter2")
            .set("ssl.key.pem", "hunter2")
            .set("sasl.oauthbearer.client.secret", "hunter2")
            .set("client.id", "billing-7");
        let shown = format!("{properties:?}");
        assert!(!shown.contains("hunter2") && shown.contains("billing-7"), "{shown}");
    }

    /// Names that are known, and others; values of every kind.
    fn anything() -> impl Strategy<Value = Vec<(String, String)>> {
        let fixed = FIXED.iter().map(|fixed| fixed.name);
        let aliases = ALIASES.iter().flat_map(|(alias, name)| [*alias, *name]);
        let others =
            ["session.timeout.ms", "group.id", "group.protocol", "sasl.password", "SASL.Password", "client.id"];
        let secrets = ["ssl.key.password", "sasl.oauthbearer.client.secret", "security.protocol", "compression.codec"];
        let known: Vec<&str> = fixed.chain(aliases).chain(others).chain(secrets).collect();
        let name = prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => "[a-z.]{0,12}"];
        let value = prop_oneof![
            Just("consumer".to_owned()),
            Just("false".to_owned()),
            "[0-9]{0,21}",
            "-?[0-9]{1,4}",
            any::<String>(),
        ];
        prop::collection::vec((name, value), 0..6)
    }

    proptest! {
        /// Whatever is set, the answer is a configuration that the engine can rest on or an error; neither tells a
        /// secret, and every number fits the others.
        #[test]
        fn any_properties_are_refused_or_safe(set in anything()) {
            let secret = "tr0ub4dor&3";
            let properties = set.iter().fold(local(), |properties, (name, value)| properties.set(name, value));
            let properties = properties.set("sasl.password", secret);
            let shown = format!("{properties:?}");
            prop_assert!(!shown.contains(secret), "{}", shown);
            let session = properties.session_timeout();
            match consumer(properties) {
                Ok(config) => {
                    let protocol = config.get("group.protocol").is_some_and(|name| name.eq_ignore_ascii_case("consumer"));
                    for fixed in FIXED.iter().filter(|fixed| !(protocol && fixed.name == STRATEGY)) {
                        prop_assert_eq!(config.get(fixed.name), Some(fixed.value));
                    }
                    prop_assert!(session.unwrap() > Duration::ZERO);
                }
                Err(error) => prop_assert!(!error.to_string().contains(secret), "{}", error),
            }
        }
    }

    #[test]
    fn many_partitions_share_the_prefetch() {
        let [kbytes, fetch, records] = prefetch_limits(200, 64 << 20);
        assert_eq!((kbytes.1, fetch.1, records.1), (327, 335_544, 524));
        let [kbytes, ..] = prefetch_limits(100_000, 64 << 20);
        assert_eq!(kbytes.1, 64);
    }
}
