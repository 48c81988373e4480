//! Row 8: a broker behind a proxy that swallows everything for three session timeouts.

use crate::{
    meters,
    proxy::Proxy,
    row::{Row, Since},
    scene::{Scene, quick, stop},
    wait::until_true,
};
use retrial_kafka_for_tests::{Guests, Kafka, Options, available};
use std::time::Duration;

const SESSION: Duration = Duration::from_secs(6);

/// What the issue asks for.
const BACK_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_for_three_sessions_is_survived_without_a_restart() {
    let proxy = Proxy::listen();
    let guests = Guests { port: Some(proxy.port()), ..Guests::default() };
    let kafka = available!(Kafka::start(Options::default().guests(guests)));
    proxy.pass_on_to(kafka.broker(1).guests().expect("a second listener"));
    let scene = Scene::new(&kafka, "silent", 2);
    let connection = retrial::Kafka::bootstrap(proxy.address());
    let connection = connection.property("session.timeout.ms", SESSION.as_millis().to_string());
    let running = scene.run_with(connection, quick()).await;
    for (partition, first) in [(0, 0), (1, 1000)] {
        scene.produce(partition, first..first + 10, "");
        scene.produce(partition, first + 10..first + 20, "retry");
    }
    scene.until_done(40).await;

    // In the middle of work: some runs, some is to be forwarded, some was not read yet.
    scene.produce(0, 100..110, "wait");
    until_true("the ones that wait have begun", || scene.desk.begun() >= 20 + 20 * 2 + 10).await;
    proxy.fall_silent();
    scene.produce(0, 200..210, "");
    scene.produce(1, 300..310, "retry");
    tokio::time::sleep(SESSION * 3).await;
    scene.until_said(&["partitions lost"]).await;
    scene.desk.open();

    proxy.speak();
    let back = Since::now();
    scene.until_done(40 + 10 + 20).await;
    scene.until_committed(0, 40).await;
    scene.until_committed(1, 30).await;
    let recovery = back.passed();
    assert!(recovery < BACK_WITHIN, "{recovery:?}:\n{}", scene.log());
    stop(running).await;
    let again = scene.desk.again();
    let lost = meters::counter("retrial_lost_partitions_total", &[("topic", &scene.topic)]);
    Row {
        number: 8,
        outcome: format!("nothing lost, {again} repeated"),
        metric: "retrial_lost_partitions_total{topic}",
        value: lost.to_string(),
        recovery: Some(recovery),
    }
    .tell();
}
