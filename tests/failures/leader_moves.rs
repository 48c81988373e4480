//! Row 6: the lead of a source partition moves, by election and by the death of a broker.

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, quick, stop},
    trio::trio,
    wait::{PATIENCE, until_true},
};
use retrial_kafka_for_tests::available;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_die_come_back_and_are_elected_cost_no_record_and_no_second_run() {
    let kafka = available!(trio());
    let scene = Scene::new(&kafka, "moves", 3);
    // A member that is not expelled while a coordinator is elected has nothing to redo.
    let running = scene.run_with(scene.connection().property("session.timeout.ms", "45000"), quick()).await;
    let mut total = 0;
    let mut produce = |what: &str| {
        for partition in 0..3 {
            scene.produce(partition, total..total + 20, what);
            total += 20;
        }
        total as usize
    };
    scene.until_done(produce("")).await;
    scene.until_done(produce("retry")).await;

    // Some wait, so that work is under way while the lead moves.
    let done = scene.desk.count();
    produce("wait");
    until_true("they have begun", || scene.desk.begun() >= done + done / 2 + 60).await;
    let leader = kafka.leader(&scene.topic, 0).expect("a leader");
    kafka.broker(leader).kill();
    let dead = Since::now();
    let expected = produce("") - 60;
    scene.until_done(expected).await;
    let recovery = dead.passed();
    scene.desk.open();
    let expected = produce("retry");
    scene.until_done(expected).await;

    kafka.broker(leader).start();
    kafka.wait_for_replicas(&scene.topic, PATIENCE);
    for partition in 0..3 {
        kafka.elect_preferred(&scene.topic, partition);
    }
    let moved = || {
        (0..3).all(|partition| {
            kafka.leader(&scene.topic, partition) == kafka.replicas(&scene.topic, partition).first().copied()
        })
    };
    until_true("the preferred replicas lead", moved).await;
    scene.until_done(produce("retry")).await;
    let each = (total / 3) as i64;
    for partition in 0..3 {
        scene.until_committed(partition, each).await;
    }
    stop(running).await;
    assert_eq!(scene.desk.again(), 0, "something was done twice");
    let done = meters::counter("retrial_records_total", &[("topic", &scene.topic), ("outcome", "done")]);
    assert_eq!(done, total);
    Row {
        number: 6,
        outcome: format!("{total} records done, none twice, over a broker's death and elections"),
        metric: "retrial_records_total{topic,outcome=done}",
        value: done.to_string(),
        recovery: Some(recovery),
    }
    .tell();
}
