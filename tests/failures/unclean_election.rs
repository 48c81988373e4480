//! Row 7: an unclean election that truncates records which were finished (RULES 2).

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, quick, stop},
    trio::trio,
    wait::until_true,
};
use retrial_kafka_for_tests::available;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_fill_the_gap_of_an_unclean_election_run_and_what_was_cut_is_counted() {
    let kafka = available!(trio());
    let scene = Scene::without_topic(&kafka, "unclean");
    let settings = [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")];
    kafka.create_topic_with_replicas(&scene.topic, 1, 2, &settings);
    // Whoever coordinates the group may be one of the two: that must not cost the membership, and what runs with it.
    let running = scene.run_with(scene.connection().property("session.timeout.ms", "45000"), quick()).await;
    scene.produce(0, 0..100, "");
    scene.until_committed(0, 100).await;

    let leader = kafka.leader(&scene.topic, 0).expect("a leader");
    let follower = *kafka.replicas(&scene.topic, 0).iter().find(|id| **id != leader).expect("a follower");
    kafka.broker(follower).pause();
    until_true("the follower is out of sync", || kafka.in_sync(&scene.topic, 0) == [leader]).await;
    scene.produce(0, 100..140, "");
    scene.produce(0, 140..150, "wait");
    scene.until_committed(0, 140).await;
    until_true("the last ones run", || scene.desk.begun() == 150).await;
    kafka.broker(leader).kill();
    kafka.broker(follower).resume();
    until_true("the follower leads", || kafka.leader(&scene.topic, 0) == Some(follower)).await;
    let since = Since::now();
    assert_eq!(kafka.offsets(&scene.topic)[&0].1, 100, "nothing was truncated");
    // They stand where finished ones stood, and ones that run.
    scene.append(0, 1000..1080, "");
    scene.until_done(140 + 80).await;
    let recovery = since.passed();
    scene.until_committed(0, 180).await;
    // Attempts of what is gone were dropped: they would have run beside what took its place.
    scene.desk.open();
    kafka.broker(leader).start();
    kafka.wait_for_replicas(&scene.topic, crate::wait::PATIENCE);
    stop(running).await;
    assert_eq!(scene.desk.count(), 140 + 80, "an attempt of a record that is gone went on");
    assert_eq!(scene.desk.again(), 0, "what was not cut was redone");
    let cut = meters::counter("retrial_lost_records_total", &[("topic", &scene.topic), ("cause", "cut")]);
    assert_eq!(cut, 10, "those that were not finished when they vanished");
    Row {
        number: 7,
        outcome: "50 finished or running records vanished; the 80 that took their place ran, none twice".to_owned(),
        metric: "retrial_lost_records_total{topic,cause=cut}",
        value: cut.to_string(),
        recovery: Some(recovery),
    }
    .tell();
}
