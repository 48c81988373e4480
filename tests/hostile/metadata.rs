//! Commit metadata that is not ours, or is ours and wrong: ignored and told, and no record is passed over.

use crate::{
    raw::{self, Raw},
    stage::{self, Sights},
};
use retrial::{Attempt, Bytes, Headers, Key, SourceTime, State, handler};
use retrial_kafka_for_tests::{Kafka, available};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const RECORDS: i64 = 20;
const STUCK: i64 = 5;

/// Sees every record; one of them never ends while it is told to hang.
#[derive(Clone)]
struct Hanging {
    sights: Sights,
    hangs: Arc<AtomicBool>,
}

async fn hang(
    body: Option<Bytes>,
    key: Option<Key>,
    headers: Headers,
    time: SourceTime,
    attempt: Attempt,
    State(state): State<Hanging>,
) {
    state.sights.see(&attempt, (body, key, headers, time));
    if attempt.origin().offset == STUCK && state.hangs.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
}

/// Metadata as a service writes it: record 5 is not finished, and everything else is.
async fn own_metadata(kafka: &Kafka, group: &str, topic: &str, partitions: i32) -> Vec<String> {
    let sights = Sights::default();
    let state = Hanging { sights: sights.clone(), hangs: Arc::new(AtomicBool::new(true)) };
    let app = stage::app(group, &[1]).state(state).topic(topic, handler(hang)).build().expect("an app");
    let settings = stage::quick().drain(Duration::from_millis(100));
    let running = stage::run(app, stage::reach(kafka), settings).await;
    stage::until_true("all but one are finished", || sights.count() == RECORDS as usize * partitions as usize).await;
    stage::stop(running).await;
    let commits = kafka.committed(group, topic);
    assert_eq!(commits.iter().map(|commit| commit.offset).collect::<Vec<_>>(), vec![STUCK; partitions as usize]);
    commits.into_iter().map(|commit| commit.metadata).collect()
}

fn flipped(text: &str, byte: usize, bit: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes[byte] ^= bit;
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_others_and_damaged_metadata_of_ours_is_ignored_and_told_and_skips_nothing() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("metadata"), kafka.unique_topic("metadata"));
    const PARTITIONS: i32 = 12;
    kafka.create_topic(&topic, PARTITIONS, &[]);
    for partition in 0..PARTITIONS {
        raw::append(kafka, &topic, partition, &(0..RECORDS).map(|n| Raw::new(format!("{n}"))).collect::<Vec<_>>());
    }
    let own = own_metadata(kafka, &group, &topic, PARTITIONS).await;
    assert!(own.iter().all(|text| text.len() > 15), "{own:?}");
    let (mine, last) = (|partition: usize| own[partition].as_str(), own[4].len() - 1);
    let cases: [(&str, i64, Vec<u8>); PARTITIONS as usize] = [
        ("text of another tool", STUCK, b"committed by mirror-maker at 2026-11-22".to_vec()),
        ("no text", STUCK, vec![0xff, 0xfe, 0, 0x80, b'r', b'1']),
        ("as long as may be", STUCK, vec![b'r'; 4096]),
        ("long and ours at first sight", STUCK, mine(3).bytes().chain(std::iter::repeat_n(b'A', 4000)).collect()),
        ("cut short", STUCK, mine(4).as_bytes()[..last].to_vec()),
        ("a flipped bit at the start", STUCK, flipped(mine(5), 4, 1)),
        ("a flipped bit at the end", STUCK, flipped(mine(6), mine(6).len() - 1, 2)),
        ("of another partition", STUCK, mine(0).as_bytes().to_vec()),
        ("beside another offset, as a mirror does", STUCK - 2, mine(8).as_bytes().to_vec()),
        ("of a later version", STUCK, mine(9).replacen("r1", "r9", 1).into_bytes()),
        ("empty", STUCK, Vec::new()),
        ("untouched", STUCK, mine(11).as_bytes().to_vec()),
    ];
    for (partition, (_, offset, metadata)) in (0..).zip(&cases) {
        kafka.commit_raw(&group, &topic, partition, *offset, metadata);
    }
    let sights = Sights::default();
    let state = Hanging { sights: sights.clone(), hangs: Arc::default() };
    let app = stage::app(&group, &[1]).state(state).topic(&topic, handler(hang)).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    for partition in 0..PARTITIONS {
        stage::until_committed(kafka, &group, &topic, partition, RECORDS).await;
    }
    stage::stop(running).await;
    for (partition, (name, offset, _)) in (0..).zip(&cases) {
        let seen: BTreeSet<i64> = sights.offsets(partition).into_iter().collect();
        let told = stage::logged(&[&group, "commit metadata", &format!("partition={partition}")]).len();
        if *name == "untouched" {
            assert_eq!((seen.into_iter().collect::<Vec<_>>(), told), (vec![STUCK], 0), "{name}");
        } else {
            assert_eq!(seen, (*offset..RECORDS).collect(), "{name}");
            assert_eq!(told, usize::from(*name != "empty"), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_another_group_or_of_a_topic_that_was_made_anew_skips_nothing() {
    let kafka = available!(Kafka::shared());
    let (first, second) = (kafka.unique_group("first"), kafka.unique_group("second"));
    let topic = kafka.unique_topic("anew");
    let records: Vec<Raw> = (0..RECORDS).map(|n| Raw::new(format!("{n}"))).collect();
    kafka.create_topic(&topic, 1, &[]);
    raw::append(kafka, &topic, 0, &records);
    let own = own_metadata(kafka, &first, &topic, 1).await;
    kafka.commit_raw(&second, &topic, 0, STUCK, own[0].as_bytes());
    kafka.delete_topic(&topic);
    kafka.create_topic(&topic, 1, &[]);
    raw::append(kafka, &topic, 0, &records);
    // Kafka forgets the offsets of a deleted topic; a tool that restores them does not know better.
    for group in [&first, &second] {
        kafka.commit_raw(group, &topic, 0, STUCK, own[0].as_bytes());
        let sights = Sights::default();
        let state = Hanging { sights: sights.clone(), hangs: Arc::default() };
        let app = stage::app(group, &[1]).state(state).topic(&topic, handler(hang)).build().expect("an app");
        let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
        stage::until_committed(kafka, group, &topic, 0, RECORDS).await;
        stage::stop(running).await;
        assert_eq!(sights.offsets(0).into_iter().collect::<BTreeSet<_>>(), (STUCK..RECORDS).collect());
        assert_eq!(stage::logged(&[group, "commit metadata"]).len(), 1);
    }
}
