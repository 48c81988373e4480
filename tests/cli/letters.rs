//! Dead letters, as a service writes them.

use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use retrial::{Cause, Origin, SourceTime, Timestamp};
use retrial_core::history::History;
use retrial_kafka_for_tests::{Kafka, TestRecord};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// The past of an order that timed out.
pub(crate) fn timed_out(offset: i64, attempts: u32) -> History {
    let origin = Origin { topic: "orders".into(), partition: 3, offset };
    let mut history = History::new(origin, SourceTime::Create(Timestamp::from_millis(1_795_342_860_000)));
    history.attempts = attempts;
    history.cause = Some(Cause::Exhausted);
    history.error_kind = Some("timeout".to_owned());
    history.error = Some(format!("bank {offset} does not answer"));
    history.first_failed = Some(Timestamp::from_millis(1_795_342_861_000));
    history.last_failed = Some(Timestamp::from_millis(1_795_342_862_000));
    history
}

/// The past of an order that was refused.
pub(crate) fn refused(offset: i64) -> History {
    let mut history = timed_out(offset, 1);
    history.cause = Some(Cause::Refused);
    (history.error_kind, history.error) = (Some("card".to_owned()), Some("the card was refused".to_owned()));
    history
}

/// A letter of a group: the record as it was, and its past.
pub(crate) fn letter(group: &str, record: TestRecord, past: &History) -> TestRecord {
    let own = past.encode(group);
    own.into_iter().fold(record, |record, (name, value)| record.header(name, value))
}

/// Makes a group's dead-letter topic.
pub(crate) fn topic(kafka: &Kafka, group: &str, partitions: i32) -> String {
    let topic = format!("{group}.dlq");
    kafka.create_topic(&topic, partitions, &[("message.timestamp.type", "LogAppendTime")]);
    topic
}

/// Makes a group's dead-letter topic of one partition, with five letters: three orders that timed out after 2, 3 and 4
/// attempts, one that was refused, and a record of somebody else's.
pub(crate) fn five(kafka: &Kafka, group: &str) -> String {
    let topic = topic(kafka, group, 1);
    let order = |number: u32| {
        TestRecord::new(format!("{{\"order\":{number},\"cents\":4200}}")).key(format!("customer-{number}"))
    };
    let records = [
        letter(group, order(1).header("tenant", "blue"), &timed_out(11, 2)),
        letter(group, order(2).header("tenant", "red"), &timed_out(12, 3)),
        letter(group, TestRecord::new(*b"\xff\x00\x01").key(*b"\xfe").null_header("flag"), &refused(13)),
        TestRecord::new("by hand"),
        letter(group, TestRecord::tombstone("customer-4"), &timed_out(14, 4)),
    ];
    kafka.produce(&topic, records);
    topic
}

/// Deletes the records of a partition below an offset.
pub(crate) fn delete_below(kafka: &Kafka, topic: &str, partition: i32, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = kafka.client_config().create().expect("a client");
    let mut below = TopicPartitionList::new();
    below.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = AdminOptions::new().operation_timeout(Some(LIMIT));
    let deleted = runtime.block_on(admin.delete_records(&below, &options)).expect("an answer");
    assert!(deleted.elements().iter().all(|element| element.error().is_ok()), "{deleted:?}");
}

/// Writes records in a transaction that is aborted.
pub(crate) fn abort(kafka: &Kafka, topic: &str, partition: i32, records: usize) {
    let mut config = kafka.client_config();
    let producer: BaseProducer = config.set("transactional.id", topic).create().expect("a producer");
    producer.init_transactions(LIMIT).expect("transactions");
    producer.begin_transaction().expect("a transaction");
    for _ in 0..records {
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload("aborted");
        producer.send(record).map_err(|(error, _)| error).expect("room");
    }
    producer.flush(LIMIT).expect("written");
    producer.abort_transaction(LIMIT).expect("aborted");
}
