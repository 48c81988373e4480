//! A client that looks at a cluster as an operator does, and makes and changes topics: it belongs to no group.
//!
//! Every call waits for the brokers, at most as long as [`REACH`] for each question. What one broker or a missing right
//! leaves unanswered is told beside the rest, never for it.

use super::{
    cluster::{self, NotMade, Survey},
    connect::Kafka,
    connection::{Connection, LOOK_AGAIN, REACH},
    ffi::{
        admin::Fault,
        authorized::{describe_cluster, group_operations, topic_operations},
        configs::{Altered, alter_settings, describe_broker},
    },
    operator::{FIRST_ANSWER, OperatorError, refuse_embedded, until_coordinated},
    properties::PropertyError,
    rights::Operation,
    topics::wanted::Wanted,
};
use std::{collections::BTreeMap, thread, time::Instant};

/// What may be done with something: `None` where the broker does not tell, or why nobody knows.
pub(crate) type Operations = Result<Option<Vec<Operation>>, String>;

/// Settings to be set on a topic; its others stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alteration {
    pub(crate) topic: String,
    pub(crate) settings: Vec<(String, String)>,
}

/// The brokers that are up, and what the user may do with the cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterSeen {
    pub(crate) brokers: Vec<i32>,
    pub(crate) operations: Option<Vec<Operation>>,
}

/// The health of a topic's partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// Partitions without a leader.
    pub(crate) leaderless: Vec<i32>,
    /// Partitions of which not every replica is in sync.
    pub(crate) behind: Vec<i32>,
}

impl Health {
    /// Whether every replica of every partition is in sync.
    pub(crate) fn is_good(&self) -> bool {
        self.leaderless.is_empty() && self.behind.is_empty()
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Inspector {
    connection: Connection,
}

impl Inspector {
    /// Connects.
    ///
    /// # Errors
    /// Properties that are not accepted; no broker answered.
    pub(crate) fn connect(kafka: &Kafka, group: &str) -> Result<Self, OperatorError> {
        // Checks the properties, too, and shows no secret in what it says against them.
        kafka.properties.consumer(group, 1, 1 << 20)?;
        let connection = Connection::new(&kafka.connection()).map_err(PropertyError::from)?;
        connection.metadata(FIRST_ANSWER)?;
        refuse_embedded(&connection, "settings of topics")?;
        Ok(Self { connection })
    }

    /// What is connected to.
    pub(crate) fn address(&self) -> &str {
        self.connection.address()
    }

    /// The brokers and every topic, those that matter with their settings where these can be read.
    pub(crate) fn survey(&self, matters: impl Fn(&str) -> bool) -> Result<Survey, OperatorError> {
        let mut survey = cluster::survey(&self.connection)?;
        let names: Vec<&str> = survey.topics.keys().map(String::as_str).filter(|name| matters(name)).collect();
        for (name, settings) in cluster::settings(&self.connection, &names)? {
            if let Some(topic) = survey.topics.get_mut(&name) {
                topic.settings = settings;
            }
        }
        Ok(survey)
    }

    /// Makes topics; returns those that were not made. One that exists by now counts as made.
    pub(crate) fn create(&self, topics: &[Wanted]) -> Result<Vec<NotMade>, OperatorError> {
        if topics.is_empty() { Ok(Vec::new()) } else { Ok(cluster::create(&self.connection, topics)?) }
    }

    /// Sets settings, each topic's all or none; returns the topics that were refused.
    pub(crate) fn alter(&self, alterations: &[Alteration]) -> Result<Vec<NotMade>, OperatorError> {
        if alterations.is_empty() {
            return Ok(Vec::new());
        }
        let altered: Vec<_> =
            alterations.iter().map(|one| Altered { topic: &one.topic, settings: &one.settings }).collect();
        let client = self.connection.client();
        let results = cluster::any_broker(&self.connection, |limit| alter_settings(client, &altered, limit))
            .map_err(|fault| self.refused("topics cannot be changed", &fault))?;
        let failed = |(topic, result): (String, Result<(), Fault>)| {
            let fault = result.err()?;
            Some(NotMade { topic, forbidden: fault.is_forbidden(), reason: fault.text })
        };
        Ok(results.into_iter().filter_map(failed).collect())
    }

    /// Reads again until a reading is as it should be; says whether one was within [`REACH`]. Brokers learn of topics
    /// and settings some time after the controller has them.
    pub(crate) fn until<E>(&self, mut is_so: impl FnMut() -> Result<bool, E>) -> Result<bool, E> {
        let deadline = Instant::now() + REACH;
        while !is_so()? {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(true)
    }

    /// The brokers, and what the user may do with the cluster.
    pub(crate) fn cluster(&self) -> Result<ClusterSeen, OperatorError> {
        let client = self.connection.client();
        let seen = cluster::any_broker(&self.connection, |limit| describe_cluster(client, limit));
        let seen = seen.map_err(|fault| self.refused("the cluster cannot be described", &fault))?;
        Ok(ClusterSeen { brokers: seen.brokers, operations: seen.operations })
    }

    /// The settings of a broker, or why they cannot be read.
    pub(crate) fn broker_settings(&self, broker: i32) -> Result<BTreeMap<String, String>, String> {
        describe_broker(self.connection.client(), broker, REACH).map_err(|fault| fault.text)
    }

    /// What the user may do with each of these topics.
    pub(crate) fn topic_operations(&self, topics: &[&str]) -> BTreeMap<String, Operations> {
        let client = self.connection.client();
        if topics.is_empty() {
            return BTreeMap::new();
        }
        match cluster::any_broker(&self.connection, |limit| topic_operations(client, topics, limit)) {
            Ok(found) => found.into_iter().map(|(topic, operations)| (topic, allowed(operations))).collect(),
            Err(fault) => topics.iter().map(|topic| ((*topic).to_owned(), Err(fault.text.clone()))).collect(),
        }
    }

    /// What the user may do with a group.
    pub(crate) fn group_operations(&self, group: &str) -> Operations {
        let client = self.connection.client();
        allowed(until_coordinated(|limit| group_operations(client, group, limit)))
    }

    /// The health of the partitions of these topics.
    pub(crate) fn health(&self, matters: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Health>, OperatorError> {
        let metadata = self.connection.metadata(REACH)?;
        let mut health: BTreeMap<String, Health> = BTreeMap::new();
        for topic in metadata.topics().iter().filter(|topic| topic.error().is_none() && matters(topic.name())) {
            let of = health.entry(topic.name().to_owned()).or_default();
            for partition in topic.partitions() {
                if partition.leader() < 0 {
                    of.leaderless.push(partition.id());
                } else if partition.isr().len() < partition.replicas().len() {
                    of.behind.push(partition.id());
                }
            }
        }
        Ok(health)
    }

    /// Identities of topics; one is missing where there is none.
    pub(crate) fn has_identities(&self, topics: &[&str]) -> Result<bool, OperatorError> {
        Ok(!cluster::identities(&self.connection, topics)?.is_empty())
    }

    fn refused(&self, what: &str, fault: &Fault) -> OperatorError {
        if fault.is_silence() {
            return self.connection.silent(REACH, fault).into();
        }
        OperatorError::Refused { what: what.to_owned(), why: fault.text.clone() }
    }
}

/// Whoever may not even see something may do nothing with it.
fn allowed(answer: Result<Option<Vec<Operation>>, Fault>) -> Operations {
    match answer {
        Err(fault) if fault.is_forbidden() => Ok(Some(Vec::new())),
        answer => answer.map_err(|fault| fault.text),
    }
}
