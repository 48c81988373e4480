//! Two processes with one `group.instance.id` (RULES 15).

use crate::{
    raw::{self, Raw},
    sights::{Sights, see},
    stage,
};
use retrial::{Running, ServiceError, handler};
use retrial_kafka_for_tests::{Kafka, available};

async fn run(kafka: &Kafka, group: &str, topic: &str, sights: &Sights) -> Running {
    let app = stage::app(group, &[1]).state(sights.clone()).topic(topic, handler(see)).build().expect("an app");
    stage::run(app, stage::reach(kafka).property("group.instance.id", "worker-1"), stage::quick()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_services_with_one_instance_id_the_older_ends_with_a_clear_error_and_does_not_come_back() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("fenced"), kafka.unique_topic("fenced"));
    kafka.create_topic(&topic, 2, &[]);
    raw::append(kafka, &topic, 0, &[Raw::new("0")]);
    let (first, second) = (Sights::default(), Sights::default());
    let mut older = run(kafka, &group, &topic, &first).await;
    stage::until_committed(kafka, &group, &topic, 0, 1).await;
    let newer = run(kafka, &group, &topic, &second).await;
    let ended = stage::end_of(&mut older).await;
    let Err(ServiceError::Broken(why)) = &ended else { panic!("{ended:?}") };
    assert!(why.contains("group.instance.id"), "{why}");
    let text = ServiceError::Broken(why.clone()).to_string();
    assert!(text.contains("worker-1") && text.contains("each process"), "what to do is missing: {text}");
    // The newer one has everything from here on, undisturbed by one that would come back.
    for partition in 0..2 {
        raw::append(kafka, &topic, partition, &[Raw::new(format!("later {partition}"))]);
    }
    stage::until_committed(kafka, &group, &topic, 0, 2).await;
    stage::until_committed(kafka, &group, &topic, 1, 1).await;
    stage::stop(newer).await;
    assert_eq!((first.texts(), second.texts()), (vec!["0".to_owned()], vec!["later 0".into(), "later 1".into()]));
}
