//! Commit metadata of others: ignored and told, and no record is passed over. Damaged metadata is in the table.

use crate::{
    raw::{self, Raw},
    sights::{Sight, Sights},
    stage,
};
use retrial::{State, handler};
use retrial_kafka_for_tests::{Kafka, available};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Records of each partition.
pub(crate) const RECORDS: i64 = 20;

/// The one of them that hangs, and is what a group commits meanwhile.
pub(crate) const STUCK: i64 = 5;

/// Sees every record; one of them never ends while it is told to hang.
#[derive(Clone)]
pub(crate) struct Hanging {
    pub(crate) sights: Sights,
    pub(crate) hangs: Arc<AtomicBool>,
}

pub(crate) async fn hang(sight: Sight, State(state): State<Hanging>) {
    let stuck = sight.origin.offset == STUCK;
    state.sights.see(sight);
    if stuck && state.hangs.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
}

/// Metadata as a service writes it: record 5 is not finished, and everything else is.
pub(crate) async fn own_metadata(kafka: &Kafka, group: &str, topic: &str, partitions: i32) -> Vec<String> {
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
    // Kafka forgets the offsets of a deleted topic; a tool that restores them does not know better. The group that has read
    // the old topic knows that its offset is none of the new one; to the other it is where somebody wants it to begin.
    for (group, from) in [(&first, 0), (&second, STUCK)] {
        kafka.commit_raw(group, &topic, 0, STUCK, own[0].as_bytes());
        let sights = Sights::default();
        let state = Hanging { sights: sights.clone(), hangs: Arc::default() };
        let app = stage::app(group, &[1]).state(state).topic(&topic, handler(hang)).build().expect("an app");
        let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
        stage::until_committed(kafka, group, &topic, 0, RECORDS).await;
        stage::stop(running).await;
        assert_eq!(sights.offsets(0).into_iter().collect::<BTreeSet<_>>(), (from..RECORDS).collect());
        let said = if from == 0 { "made anew" } else { "commit metadata" };
        assert_eq!(stage::logged(&[group, said]).len(), 1);
    }
}
