//! Reads the topics raw: what was produced, and what the group wrote, with the past that its headers tell.

use std::collections::BTreeMap;

use retrial::{Origin, Timestamp};
use retrial_core::history::History;
use retrial_kafka_for_tests::{Kafka, TestRecord};

use crate::{
    judge::{Forward, Produced},
    place::{GROUP, Log, Place, Source},
    work::{Order, number_of},
};

/// What lies in the source topics.
///
/// # Errors
/// A record that the load did not write.
pub(crate) fn produced(kafka: &Kafka, seed: u64) -> Result<BTreeMap<Place, Produced>, String> {
    let mut produced = BTreeMap::new();
    for source in Source::ALL {
        for record in kafka.read(source.topic()) {
            let place = place(Log::Source(source), &record);
            let number = record.value.as_deref().and_then(number_of);
            let number = number.ok_or_else(|| format!("{place} is no record of this run: {record:?}"))?;
            let order = Order::draw(seed, number);
            let stamp = record.timestamp.unwrap_or(-1);
            produced.insert(place, Produced { number, key: order.key, end: order.task.end, stamp });
        }
    }
    Ok(produced)
}

/// What lies in the tiers and among the dead letters.
///
/// # Errors
/// A record whose headers do not tell its past, or that comes from no record of this run.
pub(crate) fn forwards(kafka: &Kafka, produced: &BTreeMap<Place, Produced>) -> Result<Vec<Forward>, String> {
    let mut forwards = Vec::new();
    for log in Log::written_by_the_group() {
        for record in kafka.read(&log.topic()) {
            let place = place(log, &record);
            forwards.push(forward(place, &record, produced).map_err(|reason| format!("{place}: {reason}"))?);
        }
    }
    Ok(forwards)
}

fn forward(place: Place, record: &TestRecord, produced: &BTreeMap<Place, Produced>) -> Result<Forward, String> {
    let headers = record.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref()));
    let history = History::decode(GROUP, headers).map_err(|error| error.to_string())?;
    let history = history.ok_or("no headers of retrial")?;
    let origin = origin(&history.origin).ok_or_else(|| format!("comes from {}", history.origin))?;
    let number = produced.get(&origin).ok_or_else(|| format!("comes from {origin}, where nothing lies"))?.number;
    if record.value.as_deref().and_then(number_of) != Some(number) {
        return Err(format!("says that it comes from {origin}, and has another body"));
    }
    Ok(Forward {
        place,
        stamp: record.timestamp.unwrap_or(-1),
        number,
        identity: history.identity(),
        attempts: history.attempts,
        due: history.due.map(Timestamp::as_millis),
        cause: history.cause,
    })
}

fn origin(origin: &Origin) -> Option<Place> {
    let log = Log::of(&origin.topic)?;
    Some(Place { log, partition: origin.partition, offset: origin.offset })
}

fn place(log: Log, record: &TestRecord) -> Place {
    let position = record.position();
    Place { log, partition: position.partition, offset: position.offset }
}
