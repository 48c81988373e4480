//! Alive and ready.

use crate::{
    http,
    scene::{Scene, until},
};
use retrial_kafka_for_tests::{Kafka, Options, TestRecord, available};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brokers_death_flips_readiness_not_liveness_and_all_recovers_by_itself() {
    let kafka = available!(Kafka::start(Options::default()));
    let kafka = &kafka;
    let scene = Scene::start(kafka, "death", 1).await;
    scene.until("/readyz", 200).await;
    assert_eq!(scene.get("/livez").await.status, 200);
    kafka.produce(&scene.topic, (0..10).map(|number| TestRecord::new(number.to_string())));
    scene.until_done(10).await;

    kafka.broker(1).kill();
    until("/readyz says that the brokers do not answer", async || {
        let answer = scene.get("/readyz").await;
        (answer.status == 503 && answer.body.contains("brokers do not answer")).then_some(())
    })
    .await;
    // Longer than a loop may stand still.
    let dead = std::time::Instant::now();
    while dead.elapsed().as_secs() < 40 {
        let alive = scene.get("/livez").await;
        assert_eq!(alive.status, 200, "{}", alive.body);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(scene.get("/readyz").await.status, 503);

    kafka.broker(1).start();
    scene.until("/readyz", 200).await;
    kafka.produce(&scene.topic, (0..10).map(|number| TestRecord::new(number.to_string())));
    scene.until_done(20).await;
    assert_eq!(scene.status().await["client_restarts"], 0, "a client that can wait is not replaced");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_without_a_partition_stands_by_and_is_ready() {
    let kafka = available!(Kafka::shared());
    // One partition of the source and of each of two tiers; the fourth member has none.
    let first = Scene::start(kafka, "standby", 1).await;
    first.until("/readyz", 200).await;
    let others = [first.another(kafka).await, first.another(kafka).await, first.another(kafka).await];
    let all = || std::iter::once(&first).chain(&others);
    until("one of the members has no partition, and all are ready", async || {
        let mut counts = Vec::new();
        for scene in all() {
            let status = scene.status().await;
            counts.push(status["ready"].as_bool()?.then(|| status["partitions"].as_array().map(Vec::len))??);
        }
        (counts.iter().sum::<usize>() == 3 && counts.contains(&0)).then_some(())
    })
    .await;
    for scene in all() {
        assert_eq!(scene.get("/readyz").await.status, 200);
    }
    for scene in others {
        scene.stop().await;
    }
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_is_on_loopback_reads_no_bodies_and_knows_no_other_paths() {
    let embedded = retrial::Kafka::embedded().expect("an embedded broker");
    embedded.create_embedded_topic("letters", 1).expect("a topic");
    let scene = Scene::start_on(embedded, "port".into(), "letters".into()).await;
    assert!(scene.address.ip().is_loopback());
    scene.until("/readyz", 200).await;
    assert_eq!(scene.get("/").await.status, 404);
    let address = scene.address;
    let post =
        format!("POST /status HTTP/1.1\r\nhost: {address}\r\ncontent-length: 99999999999\r\nconnection: close\r\n\r\n");
    let answer = tokio::task::spawn_blocking(move || http::ask(address, &post)).await.expect("an answer");
    assert_eq!(answer.status, 405);
    assert!(scene.get("/metrics").await.head.contains("content-type: text/plain; version=0.0.4"));
    scene.stop().await;
    until("the port closes with the service", async || std::net::TcpStream::connect(address).err()).await;
}
