//! What can be asked of a cluster besides reading and writing records: the seam between a real Kafka and the
//! embedded one, which answers no admin request at all (each would cost its whole time limit). One of another process
//! makes a topic when it is asked about it, with as many partitions as it likes.

use super::{
    connection::{Connection, LOOK_AGAIN, REACH, Unreachable},
    embedded::{EmbeddedBroker, EmbeddedError},
    ffi::{
        Listed, OffsetList,
        admin::Fault,
        log_ends,
        topics::{NewTopic, create_topics, describe_settings, topic_ids},
    },
    topics::wanted::Wanted,
};
use rdkafka::types::RDKafkaErrorCode;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How long one broker may take. librdkafka sends these requests to the broker that its newest metadata call the
/// controller, which with KRaft is any broker that was alive at the time. One that has died or froze since is waited for in
/// vain, and newer metadata name another.
const TRY: Duration = Duration::from_secs(2);

/// What stands for the end of a log in a question.
const END: i64 = -1;

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// How many partitions it has.
    pub(crate) partitions: i32,
    /// How many replicas its partition with the fewest has.
    pub(crate) replicas: i32,
    /// Its settings, defaults included; empty where they cannot be read.
    pub(crate) settings: BTreeMap<String, String>,
}

impl Observed {
    /// The value of a setting.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// The value of a setting that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.setting(name)?.parse().ok()
    }
}

/// The brokers and every topic that this user may see, without settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Survey {
    /// How many brokers are up.
    pub(crate) brokers: usize,
    /// The topics.
    pub(crate) topics: BTreeMap<String, Observed>,
}

/// Why a topic was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotMade {
    /// The topic.
    pub(crate) topic: String,
    /// In the broker's words.
    pub(crate) reason: String,
    /// Whether a right is missing.
    pub(crate) forbidden: bool,
}

/// A cluster that answers questions.
#[derive(Debug)]
pub(crate) enum Cluster {
    /// Apache Kafka, or what behaves like it.
    Real(Connection),
    /// The broker in this process.
    Embedded(Arc<EmbeddedBroker>),
    /// The embedded broker of another process; the connection is one that makes topics by asking.
    Dev(Connection),
}

impl Cluster {
    /// What is connected to.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Real(connection) | Self::Dev(connection) => connection.address(),
            Self::Embedded(broker) => broker.address(),
        }
    }

    /// Whether topics have settings and append times here.
    pub(crate) fn has_settings(&self) -> bool {
        matches!(self, Self::Real(_))
    }

    /// Whether some broker answers a question about this topic within the limit.
    pub(crate) fn answers(&self, topic: &str, limit: Duration) -> Result<(), Unreachable> {
        match self {
            Self::Real(connection) | Self::Dev(connection) => connection.ask_for(topic, limit),
            Self::Embedded(_) => Ok(()),
        }
    }

    /// Where the logs of partitions end; one whose leader does not answer is missing. Empty on an embedded broker.
    pub(crate) fn log_ends(
        &self,
        places: &[(Arc<str>, i32)],
        limit: Duration,
    ) -> Result<HashMap<(Arc<str>, i32), i64>, Unreachable> {
        let (Self::Real(connection) | Self::Dev(connection)) = self else { return Ok(HashMap::new()) };
        let mut list = OffsetList::new(places.len());
        for (topic, partition) in places {
            list.add(topic, *partition, END);
        }
        if !places.is_empty() {
            let asked = log_ends(connection.client(), &mut list, limit);
            asked.map_err(|refusal| connection.unreachable(limit, &refusal.to_string()))?;
        }
        let end = |listed: Listed<'_>| {
            let offset = listed.offset().filter(|_| listed.error().is_ok())?;
            Some(((listed.topic().into(), listed.partition()), offset))
        };
        Ok(list.iter().filter_map(end).collect())
    }

    /// Brokers and topics.
    pub(crate) fn survey(&self) -> Result<Survey, Unreachable> {
        match self {
            Self::Real(connection) | Self::Dev(connection) => survey(connection),
            Self::Embedded(broker) => {
                let topics = broker.topics().map_err(|error| embedded_gone(broker, &error))?;
                let observed = |partitions| Observed { partitions, replicas: 1, settings: BTreeMap::new() };
                Ok(Survey { brokers: 1, topics: topics.into_iter().map(|(name, n)| (name, observed(n))).collect() })
            }
        }
    }

    /// Settings of topics; a topic is missing in the answer if this user may not see its settings.
    pub(crate) fn settings(&self, topics: &[&str]) -> Result<HashMap<String, BTreeMap<String, String>>, Unreachable> {
        let Self::Real(connection) = self else { return Ok(HashMap::new()) };
        settings(connection, topics)
    }

    /// Identities of topics; a topic is missing in the answer where there are none.
    pub(crate) fn topic_ids(&self, topics: &[&str]) -> Result<HashMap<String, [u8; 16]>, Unreachable> {
        let Self::Real(connection) = self else { return Ok(HashMap::new()) };
        identities(connection, topics)
    }

    /// Makes topics. One that exists by now, made by another process in the same moment, counts as made.
    pub(crate) fn create(&self, topics: &[Wanted]) -> Result<Vec<NotMade>, Unreachable> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Real(connection) => create(connection, topics),
            Self::Embedded(broker) => {
                let one = |wanted: &Wanted| broker.create_topic(&wanted.name, wanted.partitions);
                let failed = |(wanted, error): (&Wanted, EmbeddedError)| NotMade {
                    topic: wanted.name.clone(),
                    reason: error.to_string(),
                    forbidden: false,
                };
                Ok(topics.iter().filter_map(|wanted| one(wanted).err().map(|error| failed((wanted, error)))).collect())
            }
            Self::Dev(connection) => {
                topics.iter().try_for_each(|wanted| connection.ask_for(&wanted.name, REACH))?;
                Ok(Vec::new())
            }
        }
    }
}

/// Settings of topics; a topic is missing in the answer if this user may not see its settings.
pub(super) fn settings(
    connection: &Connection,
    topics: &[&str],
) -> Result<HashMap<String, BTreeMap<String, String>>, Unreachable> {
    if topics.is_empty() {
        return Ok(HashMap::new());
    }
    let deadline = Instant::now() + REACH;
    loop {
        let found = match any_broker(connection, |limit| describe_settings(connection.client(), topics, limit)) {
            Ok(found) => found,
            Err(fault) if fault.is_forbidden() => return Ok(HashMap::new()),
            Err(fault) => return Err(connection.silent(REACH, &fault)),
        };
        // Another broker than the one that listed the topics may not have heard of a new one yet.
        let unheard = |found: &Result<_, Fault>| {
            found.as_ref().is_err_and(|fault: &Fault| fault.code == RDKafkaErrorCode::UnknownTopicOrPartition)
        };
        if Instant::now() >= deadline || !found.values().any(unheard) {
            return Ok(found.into_iter().filter_map(|(topic, found)| Some((topic, found.ok()?))).collect());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Identities of topics; a topic is missing in the answer where there are none.
pub(super) fn identities(connection: &Connection, topics: &[&str]) -> Result<HashMap<String, [u8; 16]>, Unreachable> {
    if topics.is_empty() || connection.is_mock() {
        return Ok(HashMap::new());
    }
    match any_broker(connection, |limit| topic_ids(connection.client(), topics, limit)) {
        Ok(ids) => Ok(ids),
        Err(fault) if fault.code == RDKafkaErrorCode::UnsupportedFeature || fault.is_forbidden() => Ok(HashMap::new()),
        Err(fault) => Err(connection.silent(REACH, &fault)),
    }
}

/// The answer of whichever broker gives one within [`REACH`].
pub(super) fn any_broker<T>(
    connection: &Connection,
    request: impl FnMut(Duration) -> Result<T, Fault>,
) -> Result<T, Fault> {
    // Its answer is kept by the client; without one the next try is as good as this one was.
    patiently(REACH, TRY, request, |limit| drop(connection.metadata(limit)))
}

/// Asks again, after a refresh, as long as nobody answers.
fn patiently<T>(
    limit: Duration,
    each: Duration,
    mut request: impl FnMut(Duration) -> Result<T, Fault>,
    mut refresh: impl FnMut(Duration),
) -> Result<T, Fault> {
    let deadline = Instant::now() + limit;
    let left = || deadline.saturating_duration_since(Instant::now()).min(each);
    loop {
        let answer = request(left());
        let silent = answer.as_ref().is_err_and(Fault::is_silence);
        if !silent || left().is_zero() {
            return answer;
        }
        refresh(left());
        thread::sleep(LOOK_AGAIN.min(left()));
    }
}

pub(super) fn survey(connection: &Connection) -> Result<Survey, Unreachable> {
    let metadata = connection.metadata(REACH)?;
    let observed = |topic: &rdkafka::metadata::MetadataTopic| {
        let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
        Observed {
            partitions: i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX),
            replicas: i32::try_from(replicas).unwrap_or(i32::MAX),
            settings: BTreeMap::new(),
        }
    };
    let there = metadata.topics().iter().filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
    Ok(Survey {
        brokers: metadata.brokers().len(),
        topics: there.map(|topic| (topic.name().to_owned(), observed(topic))).collect(),
    })
}

pub(super) fn create(connection: &Connection, topics: &[Wanted]) -> Result<Vec<NotMade>, Unreachable> {
    let new = topics.iter().map(|wanted| NewTopic {
        name: &wanted.name,
        partitions: wanted.partitions,
        replicas: wanted.replicas,
        settings: &wanted.settings,
    });
    let new: Vec<_> = new.collect();
    let results = create_topics(connection.client(), &new, REACH).map_err(|fault| connection.silent(REACH, &fault))?;
    let failed = |(topic, result): (String, Result<(), Fault>)| {
        let fault = result.err().filter(|fault| fault.code != RDKafkaErrorCode::TopicAlreadyExists)?;
        Some(NotMade { topic, forbidden: fault.is_forbidden(), reason: fault.text })
    };
    Ok(results.into_iter().filter_map(failed).collect())
}

fn embedded_gone(broker: &EmbeddedBroker, error: &EmbeddedError) -> Unreachable {
    Unreachable { address: broker.address().to_owned(), limit: REACH, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: RDKafkaErrorCode) -> Fault {
        Fault { code, text: code.to_string() }
    }

    fn asked(answers: &[Result<u8, RDKafkaErrorCode>], limit: Duration) -> (Result<u8, Fault>, usize, usize) {
        let (mut asked, mut refreshed) = (0, 0);
        let request = |_| {
            asked += 1;
            answers[(asked - 1).min(answers.len() - 1)].map_err(fault)
        };
        let answer = patiently(limit, Duration::from_millis(1), request, |_| refreshed += 1);
        (answer, asked, refreshed)
    }

    #[test]
    fn another_broker_is_asked_when_one_is_silent() {
        let silent = Err(RDKafkaErrorCode::OperationTimedOut);
        let (answer, asked, refreshed) = asked(&[silent, silent, Ok(7)], REACH);
        assert_eq!((answer, asked, refreshed), (Ok(7), 3, 2));
    }

    #[test]
    fn an_answer_is_an_answer_also_where_it_says_no() {
        let no = RDKafkaErrorCode::TopicAuthorizationFailed;
        assert_eq!(asked(&[Err(no), Ok(7)], REACH), (Err(fault(no)), 1, 0));
    }

    #[test]
    fn silence_of_all_ends_after_the_limit() {
        let silent = RDKafkaErrorCode::BrokerTransportFailure;
        let (answer, asked, refreshed) = asked(&[Err(silent)], Duration::from_millis(120));
        assert_eq!(answer, Err(fault(silent)));
        assert!(asked > 1 && refreshed >= asked - 1, "{asked} {refreshed}");
    }
}
