//! What an inspector sees and changes, on a real Kafka.

use super::{
    connect::Kafka as Reached,
    inspector::{Alteration, Health, Inspector},
    operator::OperatorError,
    rights::Operation,
};
use retrial_kafka_for_tests::{Kafka, available};
use std::collections::BTreeMap;

fn inspector(kafka: &Kafka) -> Inspector {
    Inspector::connect(&Reached::bootstrap(kafka.bootstrap()), "inspector").unwrap()
}

fn alteration(topic: &str, settings: &[(&str, &str)]) -> Alteration {
    let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Alteration { topic: topic.to_owned(), settings }
}

#[test]
fn settings_are_set_one_by_one_and_each_refusal_names_its_topic() {
    let kafka = available!(Kafka::shared());
    let (good, bad) = (kafka.unique_topic("good"), kafka.unique_topic("bad"));
    for topic in [&good, &bad] {
        kafka.create_topic(topic, 1, &[("retention.ms", "1000000"), ("max.message.bytes", "5000")]);
    }
    let missing = kafka.unique_topic("missing");
    let refused = inspector(kafka).alter(&[
        alteration(&good, &[("retention.ms", "-1"), ("cleanup.policy", "delete")]),
        // All of a topic's settings or none.
        alteration(&bad, &[("retention.ms", "-1"), ("min.insync.replicas", "none")]),
        alteration(&missing, &[("retention.ms", "-1")]),
    ]);
    let refused: BTreeMap<String, String> = refused.unwrap().into_iter().map(|not| (not.topic, not.reason)).collect();
    assert_eq!(refused.keys().collect::<Vec<_>>(), [&bad, &missing], "{refused:?}");
    assert!(refused[&bad].contains("min.insync.replicas"), "{refused:?}");
    let survey = inspector(kafka).survey(|topic| topic == good || topic == bad).unwrap();
    let setting = |topic: &str, name: &str| survey.topics[topic].setting(name).map(str::to_owned);
    assert_eq!(setting(&bad, "retention.ms").as_deref(), Some("1000000"));
    assert_eq!(setting(&good, "max.message.bytes").as_deref(), Some("5000"), "what was not named stays");
    let shown = inspector(kafka).until(|| {
        let survey = inspector(kafka).survey(|topic| topic == good)?;
        Ok::<_, OperatorError>(survey.topics[&good].setting("retention.ms") == Some("-1"))
    });
    assert!(shown.unwrap());
    assert!(inspector(kafka).alter(&[]).unwrap().is_empty());
}

#[test]
fn texts_that_no_request_can_carry_are_refused_without_one() {
    let kafka = available!(Kafka::shared());
    let inspector = inspector(kafka);
    for alteration in [
        alteration("a\0b", &[("retention.ms", "1")]),
        alteration("a", &[("retention\0ms", "1")]),
        alteration("a", &[("retention.ms", "1\0")]),
        alteration("", &[("retention.ms", "1")]),
        alteration("a", &[("", "1")]),
    ] {
        assert!(matches!(inspector.alter(&[alteration]), Err(OperatorError::Refused { .. })));
    }
    assert!(inspector.group_operations("a\0b").unwrap_err().contains("NUL"));
    assert!(inspector.topic_operations(&["a\0b"])["a\0b"].is_err());
}

#[test]
fn brokers_tell_who_they_are_what_they_are_set_to_and_what_may_be_done() {
    let kafka = available!(Kafka::shared());
    let inspector = inspector(kafka);
    let seen = inspector.cluster().unwrap();
    let ids: Vec<i32> = kafka.brokers().iter().map(retrial_kafka_for_tests::Broker::id).collect();
    assert_eq!(seen.brokers, ids);
    assert!(seen.operations.unwrap().contains(&Operation::Create));
    let settings = inspector.broker_settings(ids[0]).unwrap();
    assert_eq!(settings.get("offset.metadata.max.bytes").map(String::as_str), Some("4096"));
    assert!(inspector.broker_settings(4711).is_err());
    let topic = kafka.unique_topic("seen");
    kafka.create_topic(&topic, 2, &[]);
    let operations = inspector.topic_operations(&[&topic, "no-such-topic"]);
    let may = operations[&topic].clone().unwrap().unwrap();
    for operation in [Operation::Read, Operation::Write, Operation::Delete, Operation::DescribeConfigs] {
        assert!(may.contains(&operation), "{operation}: {may:?}");
    }
    assert!(operations["no-such-topic"].is_err(), "{operations:?}");
    assert!(inspector.topic_operations(&[]).is_empty());
    assert_eq!(inspector.health(|name| name == topic).unwrap(), BTreeMap::from([(topic.clone(), Health::default())]));
    assert!(inspector.has_identities(&[&topic]).unwrap());
    let group = kafka.unique_group("seen");
    kafka.commit(&group, &topic, &retrial_kafka_for_tests::Commit { partition: 0, offset: 0, metadata: String::new() });
    assert!(inspector.group_operations(&group).unwrap().unwrap().contains(&Operation::Read));
}
