//! Several members.

use super::{
    cluster::Cluster,
    member::{Member, all_until},
};
use crate::broker::kafka::ClientProperties;
use std::collections::BTreeSet;

fn hand_over(properties: &dyn Fn(&Cluster) -> ClientProperties) {
    let cluster = Cluster::with_topic("orders", 4);
    (0..4).for_each(|partition| cluster.send_many("orders", partition, 100));
    let mut first = Member::join(&properties(&cluster), "orders");
    first.until("400 records", |member| member.records.len() == 400);
    first.committed("");
    let mut second = Member::join(&properties(&cluster), "orders");
    all_until("half for each", &mut [&mut first, &mut second], |members| {
        members.iter().all(|member| member.offers.len() == 2)
    });
    assert!(first.partitions().is_disjoint(&second.partitions()));
    assert_eq!(first.revoked.len(), 2);
    assert!(first.revoked.iter().all(|(_, lost)| !lost));
    (0..4).for_each(|partition| cluster.send_many("orders", partition, 50));
    all_until("200 more", &mut [&mut first, &mut second], |members| {
        members.iter().map(|member| member.records.len()).sum::<usize>() >= 600
    });
    assert_eq!((first.records.len(), second.records.len()), (500, 100), "each record once");
    second.leave();
    first.until("all partitions", |member| member.offers.len() == 4);
    cluster.send("orders", 0, "a");
    cluster.send("orders", 1, "b");
    cluster.send("orders", 2, "c");
    cluster.send("orders", 3, "d");
    first.until("the last four", |member| member.records.len() == 504);
    let last: BTreeSet<String> = (0..4).filter_map(|partition| first.bodies(partition).pop()).collect();
    assert_eq!(last, ["a", "b", "c", "d"].map(String::from).into());
    first.leave();
}

#[test]
fn two_members_hand_over_with_the_classic_protocol() {
    hand_over(&Cluster::properties);
}

#[test]
fn two_members_hand_over_with_the_new_protocol() {
    hand_over(&Cluster::new_protocol);
}

#[test]
fn a_revocation_waits_for_the_release() {
    let cluster = Cluster::with_topic("orders", 2);
    let mut first = Member::join(&cluster.new_protocol(), "orders");
    first.until("both partitions", |member| member.offers.len() == 2);
    first.answers_revocations = false;
    let mut second = Member::join(&cluster.new_protocol(), "orders");
    all_until("the revocation", &mut [&mut first, &mut second], |members| !members[0].revoked.is_empty());
    for _ in 0..50 {
        first.turn();
        second.turn();
        assert!(second.offers.is_empty(), "a partition has two owners");
        crate::broker::Source::wait(&mut second.source, std::time::Duration::from_millis(20));
    }
    let slots: Vec<_> = first.revoked.iter().map(|(partition, _)| first.slot(*partition)).collect();
    first.release(&slots);
    all_until("one for each", &mut [&mut first, &mut second], |members| {
        members.iter().all(|member| member.offers.len() == 1)
    });
    first.answers_revocations = true;
    second.leave();
    first.leave();
}

#[test]
fn a_held_partition_survives_rebalances_without_loss_or_repeat() {
    let cluster = Cluster::with_topic("orders", 2);
    let mut first = Member::join(&cluster.new_protocol(), "orders");
    first.until("both partitions", |member| member.offers.len() == 2);
    first.held = [0, 1].into();
    cluster.send_many("orders", 0, 300);
    cluster.send_many("orders", 1, 300);
    for _ in 0..2 {
        let mut second = Member::join(&cluster.new_protocol(), "orders");
        all_until("one for each", &mut [&mut first, &mut second], |members| {
            members.iter().all(|member| member.offers.len() == 1)
        });
        let kept = first.partitions();
        assert!(first.records.iter().all(|record| !kept.contains(&record.partition())), "held means held");
        second.held = [0, 1].into();
        second.leave();
        first.until("both again", |member| member.offers.len() == 2);
    }
    first.held.clear();
    let distinct = |member: &Member, partition| member.bodies(partition).into_iter().collect::<BTreeSet<_>>().len();
    first.until("all of them", |member| distinct(member, 0) == 300 && distinct(member, 1) == 300);
    first.leave();
}
