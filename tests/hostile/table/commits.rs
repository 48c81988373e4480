//! Rows of what is not a record of work: commits with their metadata, and the control topic.

use super::{
    row::{Former, Outcome, Row, Written},
    scene::{Neighbours, Scene, between_neighbours},
    source::record,
};
use crate::{
    counters::Name,
    metadata::{Hanging, RECORDS, STUCK, hang, own_metadata},
    raw::{self, Raw},
    sights::{Sights, see},
    stage,
};
use retrial::handler;
use retrial_core::snapshot::Subject;
use retrial_kafka_for_tests::Kafka;
use std::{collections::BTreeSet, sync::Arc};

/// The identity of a topic, as the group's marks in its control topic have it.
fn topic_id(kafka: &Kafka, scene: &Scene) -> [u8; 16] {
    let key = format!("partition/{}/0", scene.topic);
    let marks = kafka.read(&scene.own("control"));
    let mark = marks.iter().find(|mark| mark.key.as_deref() == Some(key.as_bytes())).expect("a mark of partition 0");
    let text = String::from_utf8(mark.value.clone().expect("a value")).expect("text");
    let id = text.split(' ').nth(1).expect("an identity");
    u128::from_str_radix(id, 16).expect("32 digits").to_be_bytes()
}

/// What a service committed that left one record of each partition unfinished.
pub(super) struct Left {
    metadata: Vec<String>,
    topic_id: [u8; 16],
}

/// Runs one service that leaves a record of each partition unfinished.
pub(super) async fn leave(kafka: &Kafka, scene: &Scene, rows: usize) -> Left {
    let partitions = i32::try_from(rows).expect("a few");
    for partition in 0..partitions {
        raw::append(
            kafka,
            &scene.topic,
            partition,
            &(0..RECORDS).map(|n| Raw::new(format!("{n}"))).collect::<Vec<_>>(),
        );
    }
    let metadata = own_metadata(kafka, &scene.group, &scene.topic, partitions).await;
    assert!(metadata.iter().all(|text| text.len() > 15), "{metadata:?}");
    Left { metadata, topic_id: topic_id(kafka, scene) }
}

/// Commits what each row says for a partition of its own, runs and checks. All records of a partition are neighbours.
pub(super) async fn run(kafka: &Kafka, scene: &Scene, rows: &[&Row], left: &Left) {
    for (partition, row) in rows.iter().enumerate() {
        let Written::Commit(offset, metadata) = row.written else { panic!("{} is no commit", row.name) };
        let number = i32::try_from(partition).expect("a few");
        let (group, topic, topic_id) = (&*scene.group, &*scene.topic, Some(left.topic_id));
        let subject = Subject { group, topic, topic_id, partition: number, offset };
        let former = Former { all: &left.metadata, own: &left.metadata[partition], subject };
        kafka.commit_raw(group, topic, number, offset, &metadata(&former));
    }
    let sights = Sights::default();
    let state = Hanging { sights: sights.clone(), hangs: Arc::default() };
    let app = stage::app(&scene.group, &[1]).state(state).topic(&scene.topic, handler(hang)).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    for partition in (0..).take(rows.len()) {
        stage::until_committed(kafka, &scene.group, &scene.topic, partition, RECORDS).await;
    }
    stage::stop(running).await;
    for (partition, row) in (0..).zip(rows) {
        check(scene, row, partition, &sights);
    }
}

fn check(scene: &Scene, row: &Row, partition: i32, sights: &Sights) {
    let Written::Commit(offset, _) = row.written else { return };
    let name = &row.name;
    let seen = sights.offsets(partition);
    let expected: BTreeSet<i64> = match row.outcome {
        Outcome::Trusted => BTreeSet::from([STUCK]),
        Outcome::Cut => (0..RECORDS).collect(),
        _ => (offset..RECORDS).collect(),
    };
    assert_eq!(seen.iter().copied().collect::<BTreeSet<_>>(), expected, "{name}");
    assert_eq!(seen.len(), expected.len(), "{name}: once each");
    let logged = |words: &str| stage::logged(&[&scene.group, words, &format!("partition={partition}")]).len();
    let (ignored, cut) = (logged("commit metadata"), logged("the log was cut"));
    let told = (usize::from(row.outcome == Outcome::Distrusted), usize::from(row.outcome == Outcome::Cut));
    assert_eq!((ignored, cut), told, "{name}");
}

/// Writes what the rows say into a control topic, runs and checks. Returns how many records of the source were handled.
pub(super) async fn run_control(kafka: &Kafka, scene: &Scene, rows: &[&Row]) -> usize {
    let sights = Sights::default();
    let app = || {
        let app = stage::app(&scene.group, &[1]).state(sights.clone()).topic(&scene.topic, handler(see));
        app.build().expect("an app")
    };
    stage::make_topics(app(), stage::reach(kafka)).await;
    let control = scene.own("control");
    for row in rows {
        raw::append(kafka, &control, 0, std::slice::from_ref(record(row)));
    }
    let mut neighbours = Neighbours::default();
    between_neighbours(kafka, &scene.topic, &[(&Raw::new("between"), 1)], || neighbours.of_source());
    let skipped = Name::new("control_skipped_total", &[]);
    let before = skipped.value();
    let running = stage::run(app(), stage::reach(kafka), stage::quick()).await;
    assert_eq!(skipped.value() - before, rows.len() as u64);
    stage::until_committed(kafka, &scene.group, &scene.topic, 0, neighbours.count() as i64 + 1).await;
    stage::stop(running).await;
    neighbours.assert_handled(&sights.all());
    for row in rows {
        let key = record(row).key.as_deref().unwrap_or_default().escape_ascii().to_string();
        assert!(!stage::logged(&[&scene.group, &key, "is skipped"]).is_empty(), "{}", row.name);
    }
    assert_eq!(raw::read(kafka, &control).len(), rows.len(), "nothing is written beside what cannot be read");
    neighbours.count() + 1
}
