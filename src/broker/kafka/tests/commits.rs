//! Offsets and their metadata go to the coordinator and come back.

use super::{cluster::Cluster, member::Member};
use crate::broker::{Source, kafka::ffi};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
    types::RDKafkaRespErr,
};
use retrial_core::{
    event::{CommitEntry, CommitResult},
    id::{CommitId, Slot},
};

#[test]
fn metadata_and_leader_epoch_are_read_back_by_the_next_owner() {
    let cluster = Cluster::with_topic("orders", 2);
    cluster.send_many("orders", 0, 10);
    cluster.send_many("orders", 1, 10);
    let mut first = Member::join(&cluster.properties(), "orders");
    first.until("20 records", |member| member.records.len() == 20);
    assert!(first.offers.values().all(|offer| offer.committed.is_none()));
    let log = first.offers[&("orders".to_owned(), 0)].log.expect("the log is told when nothing is committed");
    assert_eq!((log.start, log.end), (0, 10));
    assert_eq!(first.offers[&("orders".to_owned(), 0)].topic_id, Some([6; 16]));
    first.committed("r1n-snapshot");
    first.answers_revocations = false;
    let slots: Vec<Slot> = first.offers.values().map(|offer| offer.slot).collect();
    first.source.leave();
    first.until("the revocation", |member| member.revoked.len() == 2);
    first.release(&slots);
    first.until("the leave", |member| member.left);

    let mut second = Member::join(&cluster.properties(), "orders");
    second.until("two offers", |member| member.offers.len() == 2);
    for offer in second.offers.values() {
        let committed = offer.committed.as_ref().expect("committed");
        assert_eq!((committed.offset, &committed.metadata[..]), (10, &b"r1n-snapshot"[..]));
        assert_eq!(offer.log, None);
    }
    second.leave();
}

#[test]
fn metadata_of_another_tool_need_not_be_text() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 5);
    let mut first = Member::join(&cluster.properties(), "orders");
    first.until("five records", |member| member.records.len() == 5);
    let mut list = ffi::OffsetList::new(1);
    list.add("orders", 0, 3).leader_epoch(0).metadata(b"\xff\xfe\x00\xc3");
    ffi::commit(&first.source.client, &list, &first.source.replies, usize::MAX).expect("a commit");
    // The next commit of the member is answered after it.
    let id = first.commit_of(&[], "");
    first.until("the commit", |member| member.results.contains_key(&id));
    first.answers_revocations = false;
    let slot = first.slot(0);
    first.source.leave();
    first.until("the revocation", |member| !member.revoked.is_empty());
    first.release(&[slot]);
    first.until("the leave", |member| member.left);

    let mut second = Member::join(&cluster.properties(), "orders");
    second.until("two records", |member| member.records.len() == 2);
    let committed = second.offers.values().next().and_then(|offer| offer.committed.clone()).expect("committed");
    assert_eq!((committed.offset, &committed.metadata[..]), (3, &b"\xff\xfe\x00\xc3"[..]));
    second.leave();
}

#[test]
fn what_is_not_held_is_refused_and_the_rest_committed() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 3);
    let mut member = Member::join(&cluster.properties(), "orders");
    member.until("three records", |member| member.records.len() == 3);
    let slot = member.slot(0);
    let gone = Slot { generation: slot.generation + 1000, ..slot };
    let entry = |slot| CommitEntry { slot, offset: 3, leader_epoch: -1, metadata: String::new() };
    member.source.commit(CommitId(900), vec![entry(gone)]);
    member.source.commit(CommitId(901), vec![entry(slot), entry(gone)]);
    member.until("both results", |member| member.results.len() == 2);
    for id in [900, 901] {
        let CommitResult::Accepted { refused } = &member.results[&id] else { panic!("{member:?}") };
        assert_eq!(refused.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [gone]);
    }
    member.leave();
}

#[test]
fn the_coordinators_refusals_are_told_by_kind() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 3);
    let mut member = Member::join(&cluster.properties(), "orders");
    member.until("three records", |member| member.records.len() == 3);
    for (error, expected) in [
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, CommitResult::Rebalancing),
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, CommitResult::Expelled),
    ] {
        let api = rdkafka::types::RDKafkaApiKey::OffsetCommit;
        cluster.mock().request_errors(api, &[error]);
        let id = member.commit("");
        member.until("the refusal", |member| member.results.contains_key(&id));
        assert_eq!(member.results[&id], expected, "{error:?}");
    }
    // Expelled: everything is lost, and comes again with a new membership.
    member.until("the loss", |member| member.revoked.contains(&(0, true)));
    member.until("a new assignment", |member| !member.offers.is_empty());
    member.until("a start at the last commit", |member| member.records.len() >= 6);
    member.leave();
}

#[test]
fn a_fatal_error_ends_the_source_and_gives_everything_up() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 3);
    let properties = cluster.properties().set("group.instance.id", "billing-1");
    let mut member = Member::join(&properties, "orders");
    member.until("three records", |member| member.records.len() == 3);
    let api = rdkafka::types::RDKafkaApiKey::OffsetCommit;
    cluster.mock().request_errors(api, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID]);
    let id = member.commit("");
    member.until("the fatal error", |member| member.fatal.is_some() && member.results.contains_key(&id));
    assert_eq!(member.results[&id], CommitResult::Expelled);
    member.until("the release", |member| member.offers.is_empty());
    member.leave();
}

#[test]
fn offsets_are_where_any_client_finds_them() {
    let cluster = Cluster::with_topic("orders", 1);
    cluster.send_many("orders", 0, 4);
    let mut member = Member::join(&cluster.properties(), "orders");
    member.until("four records", |member| member.records.len() == 4);
    member.committed("text");
    let brokers = cluster.properties().get("bootstrap.servers").expect("brokers").to_owned();
    let plain: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "billing").create().expect("a consumer");
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition("orders", 0);
    let list = plain.committed_offsets(list, super::member::PATIENCE).expect("offsets");
    assert_eq!(list.elements()[0].offset(), rdkafka::Offset::Offset(4));
    assert_eq!(list.elements()[0].metadata(), "text");
    member.leave();
}
