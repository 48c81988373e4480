//! Promise 10: retries reach only the group that asked.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, Consumer as _},
};
use retrial_kafka_for_tests::{Kafka, available};

use crate::{
    journal::What,
    orders::TopicOrders,
    process::Worker,
    scene::Scene,
    task::Task,
    wait::{tell, until},
};

const RECORDS: u64 = 300;

#[test]
fn retries_of_one_group_reach_neither_another_retrial_group_nor_a_plain_consumer() {
    let one = Scene::new(available!(Kafka::shared()), "one");
    let other = Scene::new(one.kafka, "other");
    let topic = one.topic("source", 3);
    let plain = plain_consumer(one.kafka, &topic);
    let hire = |scene: &Scene| scene.hire("worker", &scene.orders().topic(TopicOrders::new(&topic).delays([1])));
    let mut workers = [hire(&one), hire(&other)];
    // All of them fail once, and a tenth for good.
    let task = |id: u64| if id.is_multiple_of(10) { Task::new(id).fails() } else { Task::new(id).fails_below(2) };
    let records: Vec<_> = (0..RECORDS).map(|id| task(id).record()).collect();
    one.kafka.produce(&topic, records.clone());

    for worker in &mut workers {
        worker.wait_for(RECORDS as usize * 2, What::Began);
    }
    for scene in [&one, &other] {
        until("all dead letters", || scene.kafka.count(&scene.dead_letters()) >= RECORDS as usize / 10);
    }
    let mut seen = Vec::new();
    until("the plain group has read what was produced", || {
        while let Some(message) = plain.poll(Duration::from_millis(200)) {
            let message = message.unwrap_or_else(|error| panic!("the plain consumer: {error}"));
            seen.push(message.payload().map(<[u8]>::to_vec));
        }
        seen.len() >= records.len()
    });
    let mut produced: Vec<_> = records.into_iter().map(|record| record.value).collect();
    produced.sort();
    seen.sort();
    assert_eq!(seen, produced, "the plain group saw something else than what was produced");

    for (scene, worker) in [&one, &other].into_iter().zip(&mut workers) {
        worker.stop();
        assert_each_attempt_once(worker);
        assert_only_its_own_letters(scene);
    }
    tell(&format!(
        "promise 10: two groups retried {RECORDS} records each: each saw its own retries only, a plain group exactly the \
         {RECORDS} produced"
    ));
}

fn plain_consumer(kafka: &Kafka, topic: &str) -> BaseConsumer {
    let mut config = kafka.client_config();
    config.set("group.id", kafka.unique_group("plain")).set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    consumer
}

fn assert_each_attempt_once(worker: &mut Worker) {
    let mut attempts = BTreeMap::<(u64, u32), usize>::new();
    for entry in worker.entries().iter().filter(|entry| entry.what == What::Began) {
        *attempts.entry((entry.id, entry.attempt)).or_default() += 1;
    }
    let expected = (0..RECORDS).flat_map(|id| [((id, 1), 1), ((id, 2), 1)]).collect();
    assert_eq!(attempts, expected);
}

fn assert_only_its_own_letters(scene: &Scene) {
    let letters = scene.kafka.read(&scene.dead_letters());
    assert_eq!(letters.len(), RECORDS as usize / 10);
    assert!(letters.iter().all(|letter| letter.header_value("retrial-group") == Some(scene.group.as_bytes())));
}
