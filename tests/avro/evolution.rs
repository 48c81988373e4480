//! The handler is upgraded while a record of the old schema waits for its retry.

use crate::shop::{OrderV1, OrderV2, Shop, V1, V2, framed, run, ship, stop, until_true, v1, v2};
use retrial::{Avro, Outcome, State};
use retrial_kafka_for_tests::{Kafka, available};
use retrial_registry_for_tests::Registry;

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_record_of_the_old_schema_is_read_by_the_new_handler() {
    let kafka = available!(Kafka::shared());
    let registry = Registry::start();
    let (group, topic) = (kafka.unique_group("evolution"), kafka.unique_topic("evolution"));
    kafka.create_topic(&topic, 1, &[]);
    let subject = format!("{topic}-value");
    let (old, new) = (registry.put(&subject, V1), registry.put(&subject, V2));
    kafka.produce(&topic, [framed(old, &v1(1, "Ada")), framed(old, &v1(2, "Bob"))]);

    // Last year's handler fails at Ada.
    let last_year = Shop::new(&registry);
    let handle = |Avro(order): Avro<OrderV1>, State(shop): State<Shop>| async move {
        shop.seen.lock().expect("no panic").push(format!("{} {}", order.id, order.customer));
        if order.customer == "Ada" { Outcome::retry("the bank is closed") } else { Outcome::Done }
    };
    let running = run::<OrderV1, _, _>(kafka, &group, &topic, &last_year, handle).await;
    let tier = format!("{group}.retry.1s");
    until_true("Ada waits for a retry", || kafka.count(&tier) > 0).await;
    stop(running).await;
    assert!(last_year.seen().contains(&"1 Ada".to_owned()));

    // This year's takes what waits and what comes.
    let this_year = Shop::new(&registry);
    kafka.produce(&topic, [framed(new, &v2(3, "Cyd", "CHF"))]);
    let handle = |order, state| async move {
        ship(order, state).await;
        Outcome::Done
    };
    let running = run::<OrderV2, _, _>(kafka, &group, &topic, &this_year, handle).await;
    until_true("both are done", || this_year.seen().len() >= 2).await;
    stop(running).await;
    assert_eq!(this_year.seen(), ["1 Ada EUR", "3 Cyd CHF"]);
    assert_eq!(kafka.count(&format!("{group}.dlq")), 0);
}
