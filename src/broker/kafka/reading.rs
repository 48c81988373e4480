//! Short readings of a topic outside of any group: the control topic to its end, and how old a backlog is.
//!
//! Every call waits, at most as long as its limit: for start-up, not for the driver's thread.

use super::{
    cluster::Cluster,
    connection::{LOOK_AGAIN, Unreachable},
    marks::Marks,
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use retrial_core::time::Timestamp;
use std::{
    thread,
    time::{Duration, Instant},
};

/// A client that is no member and commits nothing. librdkafka's consumers look for their group's coordinator all the same,
/// and a cluster with rights refuses to name that of a group which this user may not read: so it is the service's own
/// ([`super::Kafka::reading`]).
pub(super) fn reader(settings: &ClientConfig, limit: Duration) -> Result<BaseConsumer, Unreachable> {
    settings.create().map_err(|error| unreachable(settings, limit, error.to_string()))
}

pub(super) fn unreachable(settings: &ClientConfig, limit: Duration, reason: String) -> Unreachable {
    let address = settings.get("bootstrap.servers").unwrap_or_default().to_owned();
    Unreachable { address, limit, reason }
}

/// Reads one partition from an offset until `more` says no, its end, or an error; false if time ran out before.
fn read(
    reader: &BaseConsumer,
    topic: &str,
    from: Offset,
    partition: i32,
    deadline: Instant,
    mut more: impl FnMut(&rdkafka::message::BorrowedMessage<'_>) -> bool,
) -> Result<bool, KafkaError> {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, from)?;
    reader.assign(&assignment)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        match reader.poll(left.min(Duration::from_millis(100))) {
            None => {}
            Some(Ok(message)) if more(&message) => {}
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(true),
            Some(Err(error)) if is_final(&error) => return Err(error),
            // The client tries again by itself; the deadline bounds that.
            Some(Err(error)) => tracing::debug!(%error, topic, "reading goes on"),
        }
    }
}

pub(super) fn is_final(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::Fatal
        )
    )
}

/// Asks again until the deadline while what was asked of is gone: a leader that dies takes the question with it, and at
/// the start librdkafka drops the connections that it was given for those that the cluster names.
fn answered<T>(deadline: Instant, mut ask: impl FnMut(Duration) -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    use rdkafka::types::RDKafkaErrorCode as Code;
    let left = || deadline.saturating_duration_since(Instant::now());
    let passes = |error: &KafkaError| {
        matches!(
            error.rdkafka_error_code(),
            Some(
                Code::DestroyBroker
                    | Code::BrokerTransportFailure
                    | Code::AllBrokersDown
                    | Code::LeaderNotAvailable
                    | Code::NotLeaderForPartition
            )
        )
    };
    loop {
        let answer = ask(left());
        if left().is_zero() || !answer.as_ref().is_err_and(passes) {
            return answer;
        }
        thread::sleep(LOOK_AGAIN.min(left()));
    }
}

/// Reads the control topic to its end.
///
/// # Errors
/// It could not be read to its end within `limit`: then nobody knows which partitions are new.
pub(crate) fn read_marks(settings: &ClientConfig, control: &str, limit: Duration) -> Result<Marks, Unreachable> {
    let deadline = Instant::now() + limit;
    let reader = reader(settings, limit)?;
    let mut marks = Marks::default();
    let ended = read(&reader, control, Offset::Beginning, 0, deadline, |message| {
        if let Some(key) = message.key() {
            marks.take_in(key, message.payload());
        }
        true
    });
    match ended {
        Ok(true) => Ok(marks),
        Ok(false) => Err(unreachable(settings, limit, format!("the end of {control} was not reached"))),
        Err(error) => Err(unreachable(settings, limit, format!("{control}: {error}"))),
    }
}

/// What is in one partition and older than asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// How many offsets lie before the first record that is young enough.
    pub(crate) older: i64,
    /// The timestamp of the first record there is, if it has one.
    pub(crate) oldest: Option<Timestamp>,
}

/// How much of a partition is older than a time: what a new group would begin with (RULES 6).
///
/// # Errors
/// The partition's leader did not answer within `limit`.
pub(crate) fn backlog(
    settings: &ClientConfig,
    topic: &str,
    partition: i32,
    young: Timestamp,
    limit: Duration,
) -> Result<Backlog, Unreachable> {
    let deadline = Instant::now() + limit;
    let reader = reader(settings, limit)?;
    let told = |error: KafkaError| unreachable(settings, limit, format!("{topic}/{partition}: {error}"));
    let (start, end) = answered(deadline, |left| reader.fetch_watermarks(topic, partition, left)).map_err(told)?;
    let mut asked = TopicPartitionList::new();
    asked.add_partition_offset(topic, partition, Offset::Offset(young.as_millis())).map_err(told)?;
    let found = answered(deadline, |left| reader.offsets_for_times(asked.clone(), left)).map_err(told)?;
    let first_young = match found.find_partition(topic, partition).map(|found| found.offset()) {
        Some(Offset::Offset(offset)) => offset,
        _ => end,
    };
    let older = (first_young - start).max(0);
    let mut oldest = None;
    if older > 0 {
        let first = |message: &rdkafka::message::BorrowedMessage<'_>| {
            oldest = message.timestamp().to_millis().map(Timestamp::from_millis);
            false
        };
        // Without its date, the count still tells.
        read(&reader, topic, Offset::Offset(start), partition, deadline, first).map_err(told)?;
    }
    Ok(Backlog { older, oldest })
}

/// When the oldest record of a topic that is open will be deleted by its retention: `None` if there is none, or it keeps for
/// ever, or its settings cannot be read. `first_open` says where that is in a partition whose log has this range.
///
/// # Errors
/// A leader did not answer within `limit`.
pub(crate) fn vanishes(
    cluster: &Cluster,
    settings: &ClientConfig,
    topic: &str,
    first_open: impl Fn(i32, i64, i64) -> i64,
    limit: Duration,
) -> Result<Option<Timestamp>, Unreachable> {
    let described = cluster.settings(&[topic])?;
    let retention = described.get(topic).and_then(|found| found.get("retention.ms")?.parse::<i64>().ok());
    let Some(retention) = retention.filter(|&millis| millis >= 0) else { return Ok(None) };
    let partitions = cluster.survey()?.topics.get(topic).map_or(0, |observed| observed.partitions);
    let mut oldest: Option<Timestamp> = None;
    for partition in 0..partitions {
        let deadline = Instant::now() + limit;
        let reader = reader(settings, limit)?;
        let told = |error: KafkaError| unreachable(settings, limit, format!("{topic}/{partition}: {error}"));
        let (start, end) = answered(deadline, |left| reader.fetch_watermarks(topic, partition, left)).map_err(told)?;
        let from = first_open(partition, start, end);
        if from >= end {
            continue;
        }
        let first = |message: &rdkafka::message::BorrowedMessage<'_>| {
            let time = message.timestamp().to_millis().map(Timestamp::from_millis);
            oldest = [oldest, time].into_iter().flatten().min();
            false
        };
        read(&reader, topic, Offset::Offset(from), partition, deadline, first).map_err(told)?;
    }
    Ok(oldest.map(|oldest| oldest.shifted(retention)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::types::RDKafkaErrorCode as Code;

    fn asked(answers: &[Result<u8, Code>], limit: Duration) -> (Result<u8, KafkaError>, usize) {
        let mut asked = 0;
        let answer = answered(Instant::now() + limit, |_| {
            asked += 1;
            answers[(asked - 1).min(answers.len() - 1)].map_err(KafkaError::MetadataFetch)
        });
        (answer, asked)
    }

    #[test]
    fn a_question_that_died_with_its_broker_is_asked_again() {
        let limit = Duration::from_secs(10);
        assert_eq!(asked(&[Err(Code::DestroyBroker), Err(Code::LeaderNotAvailable), Ok(7)], limit), (Ok(7), 3));
        let refused = KafkaError::MetadataFetch(Code::TopicAuthorizationFailed);
        assert_eq!(asked(&[Err(Code::TopicAuthorizationFailed), Ok(7)], limit), (Err(refused), 1));
    }

    #[test]
    fn it_is_not_asked_for_ever() {
        let (answer, asked) = asked(&[Err(Code::DestroyBroker)], Duration::from_millis(120));
        assert_eq!(answer, Err(KafkaError::MetadataFetch(Code::DestroyBroker)));
        assert!(asked > 1, "{asked}");
    }
}
