//! Nothing takes longer than it says.

use super::{cluster::Cluster, member::Member};
use crate::broker::{Source, kafka::ClientProperties};
use std::{
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_poll_never_waits_also_without_a_broker() {
    let properties = ClientProperties::new("127.0.0.1:1");
    let mut member = Member::join(&properties, "orders");
    // A machine that is busy may take its turn in the middle of ours.
    let long = (0..20).filter(|_| {
        let start = Instant::now();
        member.turn();
        let took = start.elapsed();
        member.source.wait(Duration::from_millis(20));
        took >= Duration::from_millis(100)
    });
    let long = long.count();
    assert!(long < 10, "{long} of 20");
    member.until("news of the broker", |member| !member.troubles.is_empty());
    let start = Instant::now();
    member.source.leave();
    member.until("the leave", |member| member.left);
    Box::new(member.source).close(Duration::from_secs(2));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn leaving_with_the_broker_gone_and_a_commit_under_way_ends_in_time() {
    for properties in [Cluster::properties, Cluster::new_protocol] {
        let cluster = Cluster::with_topic("orders", 1);
        cluster.send_many("orders", 0, 10);
        let mut member = Member::join(&properties(&cluster), "orders");
        member.until("ten records", |member| member.records.len() == 10);
        cluster.mock().broker_down(1).expect("a broker to stop");
        member.commit("");
        member.source.leave();
        let start = Instant::now();
        // The commit is never answered, so the source does not say that it left; its owner has a limit.
        while start.elapsed() < Duration::from_secs(1) {
            member.turn();
            member.source.wait(Duration::from_millis(20));
        }
        assert!(member.offers.is_empty(), "the revocation needs no broker");
        let start = Instant::now();
        Box::new(member.source).close(Duration::from_millis(700));
        assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    }
}

#[test]
fn a_look_up_that_fails_is_made_again() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 10);
    let offset_fetch = rdkafka::types::RDKafkaApiKey::OffsetFetch;
    let refused = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    cluster.mock().request_errors(offset_fetch, &[refused, refused]);
    let mut member = Member::join(&cluster.properties(), "orders");
    member.until("ten records", |member| member.records.len() == 10);
    assert!(member.troubles.iter().any(|text| text.contains("committed offsets")), "{member:?}");
    member.leave();
}

#[test]
fn a_wake_from_another_thread_ends_a_wait() {
    let cluster = Cluster::with_topic("orders", 1);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("the assignment", |member| member.offers.len() == 1);
    let waker = member.source.waker();
    let woken = (0..20).filter(|_| {
        member.turn();
        let waker = waker.clone();
        let other = thread::spawn(move || waker.wake());
        let start = Instant::now();
        member.source.wait(Duration::from_secs(5));
        other.join().expect("the other thread");
        start.elapsed() < Duration::from_millis(80)
    });
    // Without a wake all of them would take a tenth of a second; on a machine that is busy a few do with it.
    let woken = woken.count();
    assert!(woken >= 10, "{woken} of 20");
    member.leave();
}

#[test]
fn an_error_of_a_partition_stops_it_says_so_and_heals() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 10);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("ten records", |member| member.records.len() == 10);
    let refused = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.mock().request_errors(rdkafka::types::RDKafkaApiKey::Fetch, &[refused; 5]);
    member.until("the news", |member| !member.troubles.is_empty());
    cluster.send_many("orders", 0, 10);
    member.until("ten more", |member| member.records.len() == 20);
    assert_eq!(member.records.iter().map(|record| record.offset()).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    member.leave();
}

#[test]
fn a_source_that_is_dropped_without_a_word_does_not_hang() {
    let cluster = Cluster::with_topic("orders", 1);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("the assignment", |member| member.offers.len() == 1);
    let start = Instant::now();
    drop(member);
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
}
