//! A client that speaks for a group without joining it: what an operator asks and changes.
//!
//! Every call waits for the brokers, at most as long as [`REACH`] for each question.

use super::{
    cluster::identities,
    connect::Kafka,
    connection::{Connection, LOOK_AGAIN, REACH, Unreachable},
    context::{Client, Notes},
    control::ControlReader,
    ffi::{self, OffsetList, admin::Fault},
    properties::PropertyError,
};
use rdkafka::{consumer::Consumer as _, types::RDKafkaErrorCode};
use retrial_core::{
    control::Control,
    event::{Committed, LogRange},
    naming::GroupNames,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, HashMap},
    thread,
    time::{Duration, Instant},
};

/// How long the first answer of a cluster is waited for: an operator is told within ten seconds that there is none.
pub(super) const FIRST_ANSWER: Duration = Duration::from_secs(8);

/// A partition by topic and number.
pub(crate) type Place = (String, i32);

/// Why a question of an operator has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// A client property that cannot be.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The brokers did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The brokers answered no.
    #[error("{what}: {why}")]
    Refused {
        /// What was asked for.
        what: String,
        /// In the broker's words.
        why: String,
    },
}

/// A member of a group, as its coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberSeen {
    pub(crate) id: String,
    pub(crate) instance: Option<String>,
    pub(crate) client: String,
    pub(crate) host: String,
    pub(crate) partitions: Vec<Place>,
}

/// An offset to be written for a group, with what belongs beside it.
#[derive(Clone, Debug)]
pub(crate) struct NewOffset {
    pub(crate) place: Place,
    pub(crate) committed: Committed,
}

/// An operator's connection. See the [module](self).
pub(crate) struct Operator {
    pub(super) kafka: Kafka,
    pub(super) group: String,
    /// Never joins; it exists for questions that librdkafka answers to consumers only.
    client: Client,
    connection: Connection,
    /// How many partitions each topic has.
    topics: BTreeMap<String, i32>,
}

impl Operator {
    /// Connects, and reads which topics there are.
    ///
    /// # Errors
    /// Properties that are not accepted; no broker answered.
    pub(crate) fn connect(kafka: &Kafka, group: &str) -> Result<Self, OperatorError> {
        // Checks the properties, too, and shows no secret in what it says against them.
        let config = kafka.properties.consumer(group, 1, 1 << 20)?;
        let client = config.create_with_context(Notes::default()).map_err(PropertyError::from)?;
        let connection = Connection::new(&kafka.connection()).map_err(PropertyError::from)?;
        let metadata = connection.metadata(FIRST_ANSWER)?;
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
        let count =
            |topic: &rdkafka::metadata::MetadataTopic| i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
        let topics = there.map(|topic| (topic.name().to_owned(), count(topic))).collect();
        Ok(Self { kafka: kafka.clone(), group: group.to_owned(), client, connection, topics })
    }

    /// How many partitions each topic that this user may see has.
    pub(crate) fn topics(&self) -> &BTreeMap<String, i32> {
        &self.topics
    }

    /// Every partition of a topic; none if it does not exist.
    pub(crate) fn partitions(&self, topic: &str) -> Vec<Place> {
        (0..self.topics.get(topic).copied().unwrap_or(0)).map(|partition| (topic.to_owned(), partition)).collect()
    }

    /// All that the group has committed.
    pub(crate) fn committed(&self) -> Result<BTreeMap<Place, Committed>, OperatorError> {
        let mut found = BTreeMap::new();
        let mut take = |listed: ffi::Listed<'_>| {
            if let Some(offset) = listed.offset() {
                let committed =
                    Committed { offset, leader_epoch: listed.leader_epoch(), metadata: listed.metadata().to_vec() };
                found.insert((listed.topic().to_owned(), listed.partition()), committed);
            }
        };
        // By the consumer: of a coordinator that has moved, librdkafka tells the client's group, and a producer has none
        // (`rd_kafka_handle_OffsetFetch` then follows a null pointer).
        let client = self.client.client();
        let listed = until_coordinated(|limit| ffi::list_offsets(client, &self.group, limit, &mut take));
        listed.map_err(|fault| self.refused(format!("the offsets of group {} cannot be read", self.group), &fault))?;
        Ok(found)
    }

    /// What the logs of these partitions hold of what is stable; one whose leader gives no answer is missing.
    pub(crate) fn logs(&self, places: &[Place]) -> Result<BTreeMap<Place, LogRange>, OperatorError> {
        let (starts, ends) = (self.offsets(places, -2)?, self.offsets(places, -1)?);
        let range = |(place, &start): (&Place, &i64)| {
            Some((place.clone(), LogRange { start, end: ends.get(place).copied()?.max(start) }))
        };
        Ok(starts.iter().filter_map(range).collect())
    }

    /// The first offset of each partition with this time or a later one; a partition without such a record is missing.
    pub(crate) fn first_since(&self, places: &[Place], time: Timestamp) -> Result<BTreeMap<Place, i64>, OperatorError> {
        self.offsets(places, time.as_millis().max(0))
    }

    fn offsets(&self, places: &[Place], which: i64) -> Result<BTreeMap<Place, i64>, OperatorError> {
        let asked = || {
            let mut list = OffsetList::new(places.len());
            for (topic, partition) in places {
                list.add(topic, *partition, which);
            }
            list
        };
        let (mut list, deadline) = (asked(), Instant::now() + REACH);
        while !places.is_empty() {
            match ffi::log_offsets(&self.client, &mut list, REACH) {
                Ok(()) => break,
                // Of a topic that was just made, or whose leader just changed; one such partition refuses them all.
                Err(refusal) if refusal.code.known().is_some_and(is_unsettled) && Instant::now() < deadline => {
                    thread::sleep(LOOK_AGAIN);
                    list = asked();
                }
                Err(refusal) => {
                    let what = format!("the offsets of {} cannot be looked up", topics_of(places));
                    return Err(OperatorError::Refused { what, why: refusal.to_string() });
                }
            }
        }
        let offset =
            |listed: ffi::Listed<'_>| Some(((listed.topic().to_owned(), listed.partition()), listed.offset()?));
        Ok(list.iter().filter(|listed| listed.error().is_ok()).filter_map(offset).collect())
    }

    /// Identities of topics; one is missing where there is none.
    pub(crate) fn topic_ids(&self, topics: &[&str]) -> Result<HashMap<String, [u8; 16]>, OperatorError> {
        Ok(identities(&self.connection, topics)?)
    }

    /// What the group's control topic says; nothing where there is none.
    pub(crate) fn control(&self, names: &GroupNames) -> Result<Control, OperatorError> {
        let mut control = Control::default();
        if self.topics.contains_key(&names.control()) {
            ControlReader::open(&self.kafka, names)?.read_to_end(&mut control)?;
        }
        Ok(control)
    }

    /// The state of the group, in Kafka's word, and its members.
    pub(crate) fn members(&self) -> Result<(String, Vec<MemberSeen>), OperatorError> {
        refuse_embedded(&self.connection, "members of groups")?;
        let client = self.connection.client();
        let described = until_coordinated(|limit| ffi::describe_group(client, &self.group, limit));
        let (state, members) =
            described.map_err(|fault| self.refused(format!("group {} cannot be described", self.group), &fault))?;
        let member = |ffi::Described { id, instance, client, host, partitions }| MemberSeen {
            id,
            instance,
            client,
            host,
            partitions,
        };
        Ok((state, members.into_iter().map(member).collect()))
    }

    /// Writes offsets for the group; returns the partitions that were refused, and why. Brokers refuse all of them
    /// while the group has members.
    pub(crate) fn write_offsets(&self, offsets: &[NewOffset]) -> Result<Vec<(Place, String)>, OperatorError> {
        let mut list = OffsetList::new(offsets.len());
        for NewOffset { place: (topic, partition), committed } in offsets {
            let added = list.add(topic, *partition, committed.offset);
            added.leader_epoch(committed.leader_epoch).metadata(&committed.metadata);
        }
        let failed = ffi::alter_offsets(self.connection.client(), &self.group, &list, REACH);
        let failed = failed
            .map_err(|fault| self.refused(format!("the offsets of group {} cannot be set", self.group), &fault))?;
        Ok(failed.into_iter().map(|failed| ((failed.topic, failed.partition), failed.code.to_string())).collect())
    }

    /// Refuses an embedded broker, for what is done in transactions.
    pub(crate) fn has_transactions(&self) -> Result<(), OperatorError> {
        refuse_embedded(&self.connection, "transactions")
    }

    fn refused(&self, what: String, fault: &Fault) -> OperatorError {
        if fault.is_silence() {
            return self.connection.silent(REACH, fault).into();
        }
        OperatorError::Refused { what, why: fault.text.clone() }
    }
}

/// Refuses an embedded broker where a Kafka is needed, for what. After a first answer.
pub(super) fn refuse_embedded(connection: &Connection, what: &str) -> Result<(), OperatorError> {
    if !connection.is_mock() {
        return Ok(());
    }
    let what = format!("{what} cannot be had from {}", connection.address());
    Err(OperatorError::Refused { what, why: "it is an embedded broker (retrial dev), which has none".to_owned() })
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("group", &self.group).field("connection", &self.connection).finish()
    }
}

/// Asks again while the group's coordinator is not ready: brokers that have just started, or taken over, load its partition.
pub(super) fn until_coordinated<T>(mut ask: impl FnMut(Duration) -> Result<T, Fault>) -> Result<T, Fault> {
    let deadline = Instant::now() + FIRST_ANSWER;
    loop {
        let answer = ask(deadline.saturating_duration_since(Instant::now()).max(LOOK_AGAIN));
        let unready = answer.as_ref().is_err_and(|fault| {
            matches!(
                fault.code,
                RDKafkaErrorCode::CoordinatorLoadInProgress
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::NotCoordinator
            )
        });
        if !unready || Instant::now() >= deadline {
            return answer;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Whether nobody knows yet who leads a partition.
fn is_unsettled(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::UnknownTopicOrPartition
            | Code::UnknownLeaderEpoch
            | Code::FencedLeaderEpoch
    )
}

/// The topics of some partitions, each once, for messages.
fn topics_of(places: &[Place]) -> String {
    let mut topics: Vec<&str> = places.iter().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    topics.join(", ")
}
