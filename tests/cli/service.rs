//! Redrives into a service that runs.

use crate::{
    bureau::{LIMIT, bury, each_went_back_once, end_of, has_sent, once_not_refused, orders, signal},
    command::{run_for, start_for},
    shop::{assert_seen, end, serve, total, until},
};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use rustix::process::Signal;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_and_resumed_a_redrive_loses_nothing_and_doubles_nothing() {
    const ORDERS: i64 = 4000;
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("redrive-kill");
    kafka.create_topic(&orders(&group), 2, &[]);
    let (running, seen) = serve(kafka, &group, false).await;
    bury(kafka, &group, 0..ORDERS);
    let work = || {
        let first = start_for(kafka, &group, &["dlq", "redrive", "--yes", "--rate", "200"]);
        let id = has_sent(kafka, &group, 100);
        signal(&first, Signal::KILL);
        assert_eq!(end_of(first).0, None);
        // Again while it goes on, now as fast as it can: in the middle of a batch, as it comes.
        let slowly = ["operations", "resume", &id, "--rate", "500"];
        let began = Instant::now();
        let second = loop {
            let mut second = start_for(kafka, &group, &slowly);
            let sent = || crate::bureau::operations(kafka, &group)[0]["sent"].as_u64().expect("a number");
            let before = sent();
            while second.try_wait().expect("a child").is_none() && sent() < before + 100 {}
            if second.try_wait().expect("a child").is_none() {
                break second;
            }
            assert_eq!(end_of(second).0, Some(4), "refused while the first may live");
            assert!(began.elapsed() < LIMIT, "it is not refused for ever");
        };
        signal(&second, Signal::KILL);
        drop(end_of(second));
        let said = once_not_refused(kafka, &group, &["operations", "resume", &id]).with_code(0);
        assert_eq!(said.out, format!("{id}: 4,000 dead letters sent back\n"));
        run_for(kafka, &group, &["dlq", "redrive", "--yes"]).with_code(3);
    };
    tokio::task::block_in_place(work);
    each_went_back_once(kafka, &group, 0..ORDERS);
    until("all are handled", || total(&seen) >= ORDERS as u32).await;
    end(running).await;
    assert_seen(&seen, ORDERS, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_20_a_redrive_does_not_feed_on_what_dies_again() {
    const ORDERS: i64 = 300;
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("redrive-feed");
    kafka.create_topic(&orders(&group), 2, &[]);
    let (running, seen) = serve(kafka, &group, true).await;
    kafka.produce(&orders(&group), (0..ORDERS).map(|number| TestRecord::new(format!("order {number}"))));
    let dead = || kafka.count(&format!("{group}.dlq")) as i64;
    for round in 1..=4 {
        until("all of them die", || dead() == round * ORDERS).await;
        assert_seen(&seen, ORDERS, round as u32);
        // Slowly: what went back first is dead again before the last has gone.
        let redrive = || run_for(kafka, &group, &["dlq", "redrive", "--yes", "--rate", "100"]);
        let said = tokio::task::block_in_place(redrive);
        match round {
            // As often as it is redriven without force; then it stays.
            4 => assert!(said.code == Some(3) && said.out.contains("300 left: redriven three times"), "{said:#?}"),
            _ => assert!(said.code == Some(0) && said.out.contains("300 dead letters sent back"), "{said:#?}"),
        }
    }
    end(running).await;
    assert_eq!(dead(), 4 * ORDERS);
    let listed = run_for(kafka, &group, &["dlq", "list"]).with_code(0).out;
    assert!(listed.ends_with(&format!("300 dead letters of 1,200 in {group}.dlq, 900 settled\n")), "{listed}");
}
