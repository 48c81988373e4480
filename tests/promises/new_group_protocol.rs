//! The group protocol of KIP-848 (`group.protocol=consumer`): the same promises, with the broker as the assignor.

use std::time::Duration;

use retrial_kafka_for_tests::{Kafka, available};

use crate::{
    accounts::{assert_none_missing, repeats},
    journal::What,
    load::under_load,
    orders::TopicOrders,
    scene::Scene,
    task::Task,
    wait::{tell, until},
};

#[test]
fn with_the_new_protocol_a_second_member_joins_and_the_first_leaves_and_nothing_is_missing() {
    let scene = Scene::new(available!(Kafka::shared()), "kip848");
    let topic = scene.topic("source", 6);
    let orders = scene
        .orders()
        .without_property("session.timeout.ms")
        .property("group.protocol", "consumer")
        .topic(TopicOrders::new(&topic).delays([1]));
    let record = |id: u64| Task::new(id).millis(5).fails_below(if id % 10 == 3 { 2 } else { 0 }).record();
    let (mut workers, produced) = under_load(scene.kafka, &topic, 40, Duration::from_millis(50), record, |_| {
        let mut first = scene.hire("first", &orders);
        first.wait_for(1_000, What::Finished);
        let mut second = scene.hire("second", &orders);
        second.wait_for_partitions();
        let until_now = first.count(What::Finished) + second.count(What::Finished);
        until("two members finish 500 more", || {
            first.count(What::Finished) + second.count(What::Finished) >= until_now + 500
        });
        first.stop();
        let until_now = second.count(What::Finished);
        second.wait_for(until_now + 1_000, What::Finished);
        [first, second]
    });
    until("every record is finished", || {
        workers.iter_mut().map(|worker| worker.count(What::Finished)).sum::<usize>() >= produced as usize
    });
    let [first, second] = &mut workers;
    second.stop();
    let all = [first.entries(), second.entries()].concat();
    assert_none_missing(0..produced, &all);
    let redone = repeats(&all);
    assert!(redone <= 100, "{redone} records were redone though nobody crashed");
    tell(&format!(
        "group.protocol=consumer: join, join, leave under load: {produced} records, 0 missing, {redone} redone"
    ));
}
