//! A registry that is stopped in the middle: nothing is lost, and nothing is buried that was only not known yet.

use crate::shop::{OrderV2, Shop, V1, V2, V3, framed, run, ship, stop, until_true, v1, v2, v3};
use retrial::Outcome;
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use retrial_registry_for_tests::Registry;
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_three_years_are_read_an_unknown_one_is_buried_and_an_outage_only_waits() {
    let kafka = available!(Kafka::shared());
    let mut registry = Registry::start();
    let (group, topic) = (kafka.unique_group("avro"), kafka.unique_topic("avro"));
    kafka.create_topic(&topic, 1, &[]);
    let subject = format!("{topic}-value");
    let ids = [V1, V2, V3].map(|schema| registry.put(&subject, schema));
    let shop = Shop::new(&registry);
    let guid = [&[1][..], &Registry::guid(ids[0])].concat();
    kafka.produce(
        &topic,
        [
            framed(ids[1], &v2(1, "Ada", "CHF")),
            framed(ids[0], &v1(2, "Bob")),
            framed(ids[2], &v3(3, "Cyd", "USD")),
            framed(999, &v2(4, "Dan", "EUR")),
            TestRecord::new(v1(5, "Eve")).to_partition(0).header("__value_schema_id", guid),
            framed(ids[1], &v2(6, "Flo", "EUR")[..3]),
        ],
    );
    let handle = |order, state| async move {
        ship(order, state).await;
        Outcome::Done
    };
    let running = run::<OrderV2, _, _>(kafka, &group, &topic, &shop, handle).await;
    let letters = format!("{group}.dlq");
    let first = ["1 Ada CHF", "2 Bob EUR", "3 Cyd USD", "5 Eve EUR"];
    until_true("the good ones are done", || shop.seen() == first).await;
    until_true("the bad ones are buried", || kafka.count(&letters) == 2).await;
    let reasons: Vec<_> = kafka.read(&letters).iter().map(reason).collect();
    let unknown = "undecodable avro: the schema registry has no schema with id 999 (error code 40403)";
    assert!(reasons.iter().any(|reason| reason == unknown), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason == "undecodable avro: buyer: the bytes end too early"), "{reasons:?}");
    assert_eq!(shop.held.load(Ordering::Relaxed), 0);

    registry.stop();
    let new = registry.put(&subject, &V3.replace("note", "remark"));
    let records =
        [framed(new, &v3(7, "Gus", "EUR")), framed(ids[1], &v2(8, "Hal", "EUR")), framed(new, &v3(9, "Ida", "EUR"))];
    kafka.produce(&topic, records);
    until_true("the topic is held, and again", || shop.held.load(Ordering::Relaxed) >= 2).await;
    assert!(shop.seen().iter().all(|seen| !seen.contains("Gus") && !seen.contains("Ida")));
    assert_eq!(kafka.count(&letters), 2, "an outage buries nothing");

    registry.start_again();
    let all = [&first[..], &["7 Gus EUR", "8 Hal EUR", "9 Ida EUR"]].concat();
    until_true("what waited is done", || shop.seen().len() >= all.len()).await;
    let end = kafka.offsets(&topic)[&0].1;
    let is_committed = || kafka.committed(&group, &topic).iter().any(|commit| commit.offset == end);
    until_true("all is committed", is_committed).await;
    stop(running).await;
    assert_eq!(shop.seen(), all, "each once");
    assert_eq!(kafka.count(&letters), 2);
}

/// Cause, kind and text of a dead letter.
fn reason(letter: &TestRecord) -> String {
    let text = |name| String::from_utf8_lossy(letter.header_value(name).unwrap_or_default()).into_owned();
    format!("{} {}: {}", text("retrial-cause"), text("retrial-error-kind"), text("retrial-error"))
}
