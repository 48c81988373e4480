//! What a record is made of comes through byte for byte.

use super::{cluster::Cluster, member::Member};
use retrial_core::history::SourceTime;

#[test]
fn records_come_in_order_and_whole() {
    let cluster = Cluster::with_topic("orders", 2);
    cluster.send_many("orders", 0, 1000);
    cluster.send_many("orders", 1, 700);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("1,700 records", |member| member.records.len() == 1700);
    for (partition, count) in [(0, 1000), (1, 700)] {
        assert_eq!(member.bodies(partition), (0..count).map(|number| number.to_string()).collect::<Vec<_>>());
    }
    assert!(member.records.iter().all(|record| matches!(record.time(), SourceTime::Create(_))));
    assert!(member.meter.held() > 0);
    member.records.clear();
    assert_eq!(member.meter.held(), 0);
    member.leave();
}

#[test]
fn null_is_not_empty_and_headers_are_bytes() {
    let cluster = Cluster::with_topic("orders", 1);
    let headers: &[(&str, Option<&[u8]>)] =
        &[("tr\u{fffd}", Some(b"\xff\x00\xfe")), ("null", None), ("empty", Some(b"")), ("null", Some(b"again"))];
    cluster.send_whole("orders", 0, Some(b"\xc3\x28"), Some(b"\x00body"), headers);
    cluster.send_whole("orders", 0, None, None, &[]);
    cluster.send_whole("orders", 0, Some(b""), Some(b""), &[("", Some(b"nameless"))]);
    cluster.send_whole("orders", 0, None, None, &[("", None)]);
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("four records", |member| member.records.len() == 4);
    let [first, second, third, fourth] = &member.records[..] else { unreachable!() };
    assert_eq!((first.key(), first.body()), (Some(&b"\xc3\x28"[..]), Some(&b"\x00body"[..])));
    let expected: Vec<(&[u8], Option<&[u8]>)> = headers.iter().map(|(name, value)| (name.as_bytes(), *value)).collect();
    assert_eq!(first.headers().collect::<Vec<_>>(), expected);
    assert_eq!((second.key(), second.body(), second.headers().count()), (None, None, 0));
    assert_eq!((third.key(), third.body()), (Some(&b""[..]), Some(&b""[..])));
    assert_eq!(third.headers().collect::<Vec<_>>(), [(&b""[..], Some(&b"nameless"[..]))]);
    assert_eq!(fourth.headers().collect::<Vec<_>>(), [(&b""[..], None)], "no header is smaller");
    member.leave();
}

#[test]
fn large_records_make_batches_of_their_own_size() {
    let cluster = Cluster::with_topic("orders", 1);
    let large = "x".repeat(40_000);
    for _ in 0..9 {
        cluster.send("orders", 0, &large);
    }
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("nine records", |member| member.records.len() == 9);
    let held = member.meter.held();
    assert!((9 * 40_000..9 * 40_000 + 20_000).contains(&held), "{held}");
    // Two of them close a batch, so one keeps at most two in memory.
    member.records.drain(..8);
    assert!(member.meter.held() < 90_000, "{}", member.meter.held());
    member.leave();
}

#[test]
fn large_headers_close_a_batch_too() {
    let cluster = Cluster::with_topic("orders", 1);
    let large = vec![7; 40_000];
    for _ in 0..6 {
        cluster.send_whole("orders", 0, None, Some(b"small"), &[("large", Some(&large))]);
    }
    let mut member = Member::join(&cluster.new_protocol(), "orders");
    member.until("six records", |member| member.records.len() == 6);
    assert!(member.records.iter().all(|record| record.headers().all(|(_, value)| value == Some(&large[..]))));
    member.records.drain(..5);
    assert!(member.meter.held() < 180_000, "{}", member.meter.held());
    member.leave();
}
