//! When all is quiet: whatever lies in the topics that the group reads is committed, and stays so.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use retrial_kafka_for_tests::Kafka;

use crate::place::{GROUP, Log};

const PAUSE: Duration = Duration::from_millis(300);
const ANSWER: Duration = Duration::from_secs(5);

/// Ends and commits by topic and partition.
type Standing = BTreeMap<(Log, i32), (i64, Option<i64>)>;

/// Waits for it. `meanwhile` is called again and again.
///
/// # Errors
/// What is not finished after `within`, in words.
pub(crate) fn wait(kafka: &Kafka, within: Duration, mut meanwhile: impl FnMut()) -> Result<(), String> {
    let limit = Instant::now() + within;
    let client = client(kafka)?;
    let mut before: Option<Standing> = None;
    let mut trouble = "no broker answered".to_owned();
    while Instant::now() < limit {
        meanwhile();
        match standing(&client) {
            Ok(now) => {
                let open = now.iter().filter(|(_, (end, committed))| committed.unwrap_or(0) < *end);
                let open: Vec<String> = open
                    .map(|((log, partition), (end, committed))| {
                        format!("{}/{partition} is committed to {committed:?} of {end}", log.topic())
                    })
                    .collect();
                // A record on its way from one tier to another may be seen in neither: the second look finds it.
                if open.is_empty() && before.as_ref() == Some(&now) {
                    return Ok(());
                }
                trouble = open.join("; ");
                before = Some(now);
            }
            Err(error) => trouble = error.to_string(),
        }
        thread::sleep(PAUSE);
    }
    Err(format!("not quiet after {within:?}: {trouble}"))
}

/// A client that speaks for the group and never joins it.
fn client(kafka: &Kafka) -> Result<BaseConsumer, String> {
    let mut config = kafka.client_config();
    config.set("group.id", GROUP).set("enable.auto.commit", "false").set("socket.timeout.ms", "4000");
    config.create().map_err(|error| error.to_string())
}

fn standing(client: &BaseConsumer) -> Result<Standing, KafkaError> {
    let mut standing = Standing::new();
    for log in Log::read_by_the_group() {
        let topic = log.topic();
        let metadata = client.fetch_metadata(Some(&topic), ANSWER)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        for partition in partitions.map(|partition| partition.id()) {
            let (_, end) = client.fetch_watermarks(&topic, partition, ANSWER)?;
            standing.insert((log, partition), (end, None));
        }
    }
    let mut asked = TopicPartitionList::new();
    for (log, partition) in standing.keys() {
        asked.add_partition(&log.topic(), *partition);
    }
    for element in client.committed_offsets(asked, ANSWER)?.elements() {
        if let (Some(log), Offset::Offset(offset)) = (Log::of(element.topic()), element.offset())
            && let Some((_, committed)) = standing.get_mut(&(log, element.partition()))
        {
            *committed = Some(offset);
        }
    }
    Ok(standing)
}
