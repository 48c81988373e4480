//! `retrial topics`.

use crate::command::{Said, run_for};
use retrial::{
    App, Service, Settings,
    admin::{AdminError, TopicsScope, apply_topics, plan_topics},
    handler,
};
use retrial_kafka_for_tests::{Commit, Kafka, available};
use serde_json::{Value, json};

/// A source topic with larger records than Kafka's default.
fn source(kafka: &Kafka, group: &str) -> String {
    let orders = format!("{group}-orders");
    kafka.create_topic(&orders, 2, &[("max.message.bytes", "2000000")]);
    orders
}

fn topics(kafka: &Kafka, group: &str, arguments: &[&str]) -> Said {
    run_for(kafka, group, &[&["topics"], arguments].concat())
}

/// One topic of a plan in JSON.
fn one<'a>(plan: &'a Value, topic: &str) -> &'a Value {
    let topics = plan["topics"].as_array().expect("topics");
    topics.iter().find(|found| found["topic"] == *topic).unwrap_or_else(|| panic!("{topic} is in {plan}"))
}

#[test]
fn a_plan_changes_nothing_and_applied_once_it_is_done() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("topics");
    let orders = source(kafka, &group);
    let service = ["--topic", &orders, "--delays", "5s,1h"];
    let plan = "Source billing-orders: 2 partitions, records up to 2,000,000 bytes\n\
                \n\
                TOPIC  PARTITIONS  REPLICAS  IN SYNC  RETENTION  LARGEST RECORD  COMPRESSION  ACTION\n\
                billing.control  1  1  1  -  -  producer  make\n\
                billing.dlq  2  1  1  90d  2,008,192  producer  make\n\
                billing.retry.0s  2  1  1  for ever  2,004,096  producer  make\n\
                billing.retry.1h  2  1  1  for ever  2,004,096  producer  make\n\
                billing.retry.5s  2  1  1  for ever  2,004,096  producer  make\n";
    let shown = topics(kafka, &group, &[&["plan"], &service[..]].concat()).with_code(0);
    assert_eq!(shown.steady(&group), plan);
    let refused = topics(kafka, &group, &[&["apply"], &service[..]].concat()).with_code(4);
    assert_eq!((refused.steady(&group).as_str(), refused.err.contains("needs --yes")), (plan, true), "{refused:?}");
    let dry = topics(kafka, &group, &[&["apply", "--dry-run"], &service[..]].concat()).with_code(0);
    assert_eq!(dry.steady(&group), plan);
    assert_eq!(kafka.partitions(&format!("{group}.dlq")), 0, "nothing was made");

    let done = topics(kafka, &group, &[&["apply", "--yes"], &service[..]].concat()).with_code(0);
    assert_eq!(done.steady(&group), format!("{plan}\n5 topics were made, 0 topics were changed.\n"));
    let tier = kafka.topic_config(&format!("{group}.retry.1h"));
    for (name, value) in
        [("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1"), ("max.message.bytes", "2004096")]
    {
        assert_eq!(tier.get(name).map(String::as_str), Some(value), "{name}: {tier:?}");
    }
    assert_eq!(kafka.topic_config(&format!("{group}.control"))["cleanup.policy"], "compact");

    // One broker holds one replica, which no change of settings mends.
    let again = topics(kafka, &group, &[&["apply", "--yes"], &service[..]].concat()).with_code(3);
    assert!(again.err.contains("but for what is left: nothing to change"), "{again:?}");
    assert!(again.out.contains("the cluster has one broker: add brokers"), "{again:?}");
    let known = topics(kafka, &group, &["plan", "--topic", &orders, "--output", "json"]).with_code(3).json();
    assert_eq!((&known["schema"], &known["ladder_from"]), (&json!("retrial.topics.plan/1"), &json!("existing")));
    assert_eq!(known["topics"].as_array().map(Vec::len), Some(5));
}

#[test]
fn what_is_wrong_is_mended_and_what_only_more_would_mend_is_left() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("mend");
    let orders = source(kafka, &group);
    kafka.commit(&group, &orders, &Commit { partition: 0, offset: 0, metadata: String::new() });
    topics(kafka, &group, &["apply", "--yes", "--delays", "5s"]).with_code(0);
    let (tier, letters) = (format!("{group}.retry.5s"), format!("{group}.dlq"));
    kafka.alter_topic_config(
        &tier,
        &[("message.timestamp.type", "CreateTime"), ("retention.ms", "60000"), ("compression.type", "lz4")],
    );
    kafka.alter_topic_config(&letters, &[("cleanup.policy", "compact"), ("max.message.bytes", "1000")]);
    kafka.create_topic(&format!("{group}.retry.9s"), 1, &[("message.timestamp.type", "LogAppendTime")]);

    let shown = topics(kafka, &group, &["plan"]).with_code(0).steady(&group);
    let expected = [
        "Ladder: the tiers that exist",
        "billing.dlq  2  1 (not 1)",
        "billing.retry.5s  2  1  1  1m → for ever  2,004,096  lz4  change",
        "billing.retry.9s  1 (not 2)  1  1  7d → for ever  1,048,588 → 2,004,096  producer  change",
        "Change cleanup.policy of billing.dlq from compact to delete: topic billing.dlq has cleanup.policy=compact: of \
         records with the same key only the last would stay",
        "Change retention.ms of billing.dlq from 7776000000 to -1: what compaction has kept",
        "Change message.timestamp.type of billing.retry.5s from CreateTime to LogAppendTime:",
        "kafka-topics --alter --topic billing.retry.9s --partitions 2",
    ];
    for line in expected.iter().filter(|line| !line.contains("(not 1)")) {
        assert!(shown.contains(line), "{line:?} is not in {shown}");
    }
    let document = topics(kafka, &group, &["plan", "--output", "json"]).with_code(0).json();
    let planned = one(&document, &tier);
    let change = planned["changes"].as_array().expect("changes").iter().find(|one| one["setting"] == "retention.ms");
    let change = change.expect("a change");
    assert_eq!((&change["from"], &change["to"]), (&json!("60000"), &json!("-1")));
    assert_eq!(
        (&planned["role"], &planned["delay_seconds"], &planned["in_ladder"], &planned["found"]["partitions"]),
        (&json!("tier"), &json!(5), &json!(true), &json!(2))
    );
    assert_eq!((&document["applied"], &document["sources"][0]["max_message_bytes"]), (&Value::Null, &json!(2_000_000)));

    let done = topics(kafka, &group, &["apply", "--yes", "--output", "json"]).with_code(0).json();
    assert_eq!(done["applied"]["changed"], json!([letters, tier, format!("{group}.retry.9s")]));
    let tier = kafka.topic_config(&tier);
    assert_eq!((tier["message.timestamp.type"].as_str(), tier["retention.ms"].as_str()), ("LogAppendTime", "-1"));
    assert_eq!(tier["compression.type"], "lz4", "somebody chose that");
    assert_eq!(kafka.partitions(&format!("{group}.retry.9s")), 1);
    topics(kafka, &group, &["apply", "--yes"]).with_code(3);
}

#[test]
fn what_cannot_be_planned_is_told() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("unplanned");
    let said = topics(kafka, &group, &["plan"]).with_code(2);
    assert!(said.err.contains("name them with --topic"), "{said:?}");
    let said = topics(kafka, &group, &["plan", "--topic", "no-such-topic"]).with_code(1);
    assert!(said.err.contains("topic no-such-topic does not exist"), "{said:?}");
    let orders = source(kafka, &group);
    for (delays, told) in [("5s,5s", "not longer than"), ("0s", "at least a second"), ("soon", "no duration")] {
        let said = topics(kafka, &group, &["plan", "--topic", &orders, "--delays", delays]).with_code(2);
        assert!(said.err.contains(told), "{said:?}");
    }
}

/// Somebody who may create topics makes them; the service may not, and needs not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_were_made_before_the_first_start_are_all_that_a_service_needs() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("before");
    let orders = source(kafka, &group);
    let app = App::group(&group).topic(&orders, handler(async || ())).build().expect("an app");
    topics(kafka, &group, &["apply", "--yes", "--topic", &orders]).with_code(0);
    let reach = retrial::Kafka::bootstrap(kafka.bootstrap()).create_topics(false);
    let service = Service::connect_with(app, reach, Settings::default()).await;
    let mut running = service.and_then(|service| service.start()).unwrap_or_else(|error| panic!("{error}"));
    running.stop();
    running.ended().await.unwrap_or_else(|error| panic!("{error}"));
    let after = topics(kafka, &group, &["plan", "--topic", &orders, "--output", "json"]).with_code(3).json();
    assert_eq!(after["topics"].as_array().map(Vec::len), Some(8), "the service made none of its own: {after:#}");
}

#[test]
fn a_plan_that_was_overtaken_is_not_carried_out() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("overtaken");
    let orders = source(kafka, &group);
    let names = retrial::GroupNames::new(&group, None).expect("names");
    let reach = retrial::Kafka::bootstrap(kafka.bootstrap());
    let scope = TopicsScope { sources: vec![orders.clone()], ..TopicsScope::default() };
    let plan = plan_topics(&reach, &names, &scope).expect("a plan");
    // Somebody else has given the dead letters more time than the plan would.
    let letters = format!("{group}.dlq");
    kafka.create_topic(&letters, 1, &[("retention.ms", "-1"), ("message.timestamp.type", "LogAppendTime")]);
    let refused = apply_topics(&reach, &names, &plan).expect_err("another plan");
    assert!(matches!(refused, AdminError::TopicsMoved { .. }) && refused.to_string().contains("make a new plan"));
    assert_eq!(kafka.partitions(&format!("{group}.control")), 0, "nothing was made");
}
