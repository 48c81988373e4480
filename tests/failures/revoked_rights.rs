//! Row 3: rights that are taken away while the service runs.

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, quick, stop},
    wait::until_true,
};
use retrial_kafka_for_tests::{Guests, Kafka, Options, Right, Unavailable, available};
use std::time::Duration;

const USER: &str = "retrial";
const SESSION: Duration = Duration::from_secs(6);

fn broker() -> Result<Kafka, Unavailable> {
    let options = Options::default()
        .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
        .property("super.users", "User:ANONYMOUS")
        .guests(Guests { users: vec![(USER.to_owned(), "secret".to_owned())], port: None });
    Kafka::start(options)
}

fn connection(kafka: &Kafka) -> retrial::Kafka {
    retrial::Kafka::bootstrap(kafka.broker(1).guests().expect("a second listener"))
        .property("security.protocol", "sasl_plaintext")
        .property("sasl.mechanism", "PLAIN")
        .property("sasl.username", USER)
        .property("sasl.password", "secret")
        .property("session.timeout.ms", SESSION.as_millis().to_string())
}

/// What a worker needs, and no more.
fn give_all(scene: &Scene<'_>) {
    let control = format!("{}.control", scene.group);
    let zero = format!("{}.retry.0s", scene.group);
    let (tier, letters) = (scene.tier(), scene.dead_letters());
    for topic in [&tier, &zero, &letters, &control] {
        scene.kafka.give(USER, Right::ReadTopic(topic));
        scene.kafka.give(USER, Right::WriteTopic(topic));
        scene.kafka.give(USER, Right::DeleteTopic(topic));
        scene.kafka.give(USER, Right::DescribeTopicConfigs(topic));
    }
    scene.kafka.give(USER, Right::ReadTopic(&scene.topic));
    scene.kafka.give(USER, Right::DescribeTopicConfigs(&scene.topic));
    scene.kafka.give(USER, Right::DescribeTopic(&scene.topic));
    scene.kafka.give(USER, Right::ReadGroup(&scene.group));
    scene.kafka.give(USER, Right::CreateTopics);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_that_is_taken_away_is_named_and_work_goes_on_when_it_is_given_back() {
    let kafka = available!(broker());
    let scene = Scene::new(&kafka, "rights", 1);
    give_all(&scene);
    let running = scene.run_with(connection(&kafka), quick()).await;
    scene.produce(0, 0..10, "");
    scene.until_done(10).await;
    let (tier, mut recovery) = (scene.tier(), Vec::new());
    let held = |reason| meters::gauge("retrial_held_partitions", &[("topic", &scene.topic), ("reason", reason)]);

    kafka.take_away(USER, Right::WriteTopic(&tier));
    scene.produce(0, 100..110, "retry");
    scene.until_said(&["partition takes nothing", &format!("WRITE on topic {tier}")]).await;
    assert_eq!((held("forward_refused"), scene.desk.count()), (1.0, 10));
    kafka.give(USER, Right::WriteTopic(&tier));
    recovery.push(back(&scene, 20).await);
    until_true("nothing is held", || held("forward_refused") == 0.0).await;

    kafka.take_away(USER, Right::ReadTopic(&scene.topic));
    let right = format!("READ on topic {}", scene.topic);
    scene.until_said(&["partition takes nothing", &right]).await;
    scene.produce(0, 200..210, "");
    // Its offset cannot be committed either. That costs the other partitions nothing: the lease holds.
    scene.until_said(&["commit failed", &right]).await;
    tokio::time::sleep(SESSION + SESSION / 3).await;
    assert_eq!((held("read_refused"), scene.desk.count()), (1.0, 20));
    assert!(!scene.log().contains("no commit was acknowledged"), "one topic cost the lease of all");
    kafka.give(USER, Right::ReadTopic(&scene.topic));
    recovery.push(back(&scene, 30).await);
    until_true("nothing is held", || held("read_refused") == 0.0).await;

    // What had not been committed by then would run again: who may not commit loses the lease.
    scene.until_committed(0, 30).await;
    kafka.take_away(USER, Right::ReadGroup(&scene.group));
    scene.until_said(&[&format!("READ on group {}", scene.group)]).await;
    scene.until_said(&["partitions lost"]).await;
    scene.produce(0, 300..310, "");
    kafka.give(USER, Right::ReadGroup(&scene.group));
    recovery.push(back(&scene, 40).await);

    scene.until_committed(0, 40).await;
    assert_eq!(scene.desk.again(), 0);
    stop(running).await;
    Row {
        number: 3,
        outcome: "WRITE on a tier, READ on the source, READ on the group: named, held, nothing lost or redone"
            .to_owned(),
        metric: "retrial_held_partitions{topic,reason=forward_refused or read_refused}",
        value: "1 while a right was missing, 0 after".to_owned(),
        recovery: recovery.into_iter().max(),
    }
    .tell();
}

/// How long it takes from now until so many records are done.
async fn back(scene: &Scene<'_>, done: usize) -> Duration {
    let since = Since::now();
    scene.until_done(done).await;
    since.passed()
}
