//! Preparation against brokers: the embedded one, and a real Kafka.

use super::{super::embedded::EmbeddedBroker, *};
use crate::broker::kafka::connection::{Connection, REACH};
use rdkafka::ClientConfig;
use retrial_kafka_for_tests::{Kafka, available};
use std::{sync::Arc, time::Instant};

const DELAYS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(3600)];

fn real(address: &str) -> Cluster {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", address);
    Cluster::Real(Connection::new(&settings).unwrap())
}

fn prepare_for(cluster: &Cluster, names: &GroupNames, source: &str, create: bool) -> Result<Prepared, TopicsError> {
    prepare(cluster, &Order { names, sources: &[source], delays: &DELAYS, create, may_trim: true })
}

/// A group and a source topic of its own.
fn group(kafka: &Kafka, settings: &[(&str, &str)]) -> (GroupNames, String) {
    let source = kafka.unique_topic("orders");
    kafka.create_topic(&source, 8, settings);
    (GroupNames::new(&kafka.unique_group("prepare"), None).unwrap(), source)
}

#[test]
fn missing_topics_are_made_once_with_the_settings_that_keep_the_promises() {
    let kafka = available!(Kafka::shared());
    let (names, source) = group(kafka, &[("max.message.bytes", "2000000"), ("retention.ms", "86400000")]);
    let cluster = real(&kafka.bootstrap());
    let first = prepare_for(&cluster, &names, &source, true).unwrap();
    let rest = ["control", "dlq", "retry.0s", "retry.1h", "retry.5s"];
    assert_eq!(first.made, rest.map(|rest| format!("{}.{rest}", names.group())));
    let tier = names.tier(DELAYS[0]).unwrap();
    let config = kafka.topic_config(&tier);
    for (name, value) in [
        ("message.timestamp.type", "LogAppendTime"),
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("max.message.bytes", "2004096"),
    ] {
        assert_eq!(config.get(name).map(String::as_str), Some(value), "{name}: {config:?}");
    }
    assert_eq!(kafka.partitions(&tier), 6);
    assert_eq!(kafka.partitions(&names.control()), 1);
    assert_eq!(kafka.topic_config(&names.control())["cleanup.policy"], "compact");
    assert_eq!(kafka.topic_config(&names.dead_letters())["retention.ms"], "7776000000");

    let second = prepare_for(&cluster, &names, &source, false).unwrap();
    assert_eq!(second.made, Vec::<String>::new());
    let delays: Vec<_> = second.tiers.iter().map(|tier| (tier.delay, tier.partitions, tier.configured)).collect();
    assert_eq!(delays, [(Duration::ZERO, 6, true), (DELAYS[0], 6, true), (DELAYS[1], 6, true)]);
    assert_eq!(second.sources[0].retention, Some(Some(Duration::from_secs(86_400))));
    assert_eq!((second.sources[0].partitions, &second.sources[0].name), (8, &source));
    let ids: Vec<_> = second.tiers.iter().map(|tier| tier.id).chain([second.sources[0].id]).collect();
    assert!(ids.iter().all(Option::is_some), "{ids:?}");
    assert!(ids.iter().enumerate().all(|(i, id)| !ids[..i].contains(id)), "{ids:?}");
    if kafka.brokers().len() < 2 {
        // One broker: every topic of the group has one replica, and that is told at every start.
        assert_eq!(first.warnings.len(), 5, "{first:?}");
        assert_eq!(second.warnings.len(), 5, "{second:?}");
        assert!(second.warnings.iter().all(|warning| warning.contains("1 replica")), "{second:?}");
    }
}

#[test]
fn a_topic_made_anew_has_another_identity() {
    let kafka = available!(Kafka::shared());
    let (names, source) = group(kafka, &[]);
    let cluster = real(&kafka.bootstrap());
    let before = prepare_for(&cluster, &names, &source, true).unwrap().sources[0].id;
    kafka.delete_topic(&source);
    kafka.create_topic(&source, 8, &[]);
    assert_ne!(prepare_for(&cluster, &names, &source, true).unwrap().sources[0].id, before);
}

#[test]
fn a_tier_that_no_configuration_names_any_more_is_listed_and_verified() {
    let kafka = available!(Kafka::shared());
    let (names, source) = group(kafka, &[]);
    let old = names.tier(Duration::from_secs(30)).unwrap();
    kafka.create_topic(&old, 2, &[("message.timestamp.type", "LogAppendTime"), ("retention.ms", "1000")]);
    let cluster = real(&kafka.bootstrap());
    let prepared = prepare_for(&cluster, &names, &source, true).unwrap();
    let tier = prepared.tiers.iter().find(|tier| tier.name == old).unwrap();
    assert_eq!((tier.partitions, tier.configured), (2, false));
    assert!(
        prepared.warnings.iter().any(|warning| warning.contains(&old) && warning.contains("forgets")),
        "{prepared:?}"
    );
    kafka.alter_topic_config(&old, &[("message.timestamp.type", "CreateTime")]);
    // The controller answers before the brokers have it.
    while kafka.topic_config(&old)["message.timestamp.type"] != "CreateTime" {
        std::thread::yield_now();
    }
    let error = prepare_for(&cluster, &names, &source, true).unwrap_err();
    assert!(matches!(&error, TopicsError::Unusable(_)) && error.to_string().contains(&old), "{error}");
}

#[test]
fn group_topics_that_would_lose_records_are_refused_by_name() {
    let kafka = available!(Kafka::shared());
    let (names, source) = group(kafka, &[]);
    let tier = names.tier(DELAYS[0]).unwrap();
    kafka.create_topic(&tier, 1, &[]);
    kafka.create_topic(
        &names.dead_letters(),
        1,
        &[("message.timestamp.type", "LogAppendTime"), ("cleanup.policy", "compact")],
    );
    let error = prepare_for(&real(&kafka.bootstrap()), &names, &source, true).unwrap_err();
    assert_eq!(
        error,
        TopicsError::Unusable(vec![
            Unusable::Compacted { topic: names.dead_letters(), found: "compact".to_owned() },
            Unusable::CreateTime { topic: tier, found: "CreateTime".to_owned() },
        ])
    );
}

#[test]
fn what_is_missing_and_may_not_be_made_is_named_with_the_address() {
    let kafka = available!(Kafka::shared());
    let (names, source) = group(kafka, &[]);
    let cluster = real(&kafka.bootstrap());
    let error = prepare_for(&cluster, &names, &source, false).unwrap_err();
    assert!(matches!(&error, TopicsError::OwnMissing { topics, .. } if topics.len() == 5), "{error}");
    assert!(error.to_string().contains(&kafka.bootstrap()), "{error}");
    let error = prepare_for(&cluster, &names, "never-made", true).unwrap_err();
    assert!(matches!(&error, TopicsError::SourceMissing { topic, .. } if topic == "never-made"), "{error}");
    // Asking did not make it.
    assert!(!cluster.survey().unwrap().topics.contains_key("never-made"));
}

#[test]
fn a_topic_that_the_broker_does_not_make_is_told_in_its_words() {
    let kafka = available!(Kafka::shared());
    let wanted = Wanted {
        name: kafka.unique_topic("impossible"),
        role: OwnTopic::DeadLetters,
        partitions: 1,
        replicas: 99,
        settings: BTreeMap::new(),
    };
    let failed = real(&kafka.bootstrap()).create(&[wanted]).unwrap();
    assert_eq!(failed.len(), 1);
    assert!(!failed[0].forbidden && failed[0].reason.to_lowercase().contains("replica"), "{failed:?}");
}

#[test]
fn nobody_there_is_told_within_ten_seconds_with_address_and_reason() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let start = Instant::now();
    let names = GroupNames::new("billing", None).unwrap();
    let error = prepare_for(&real(&free), &names, "orders", true).unwrap_err();
    assert!(start.elapsed() < REACH + Duration::from_secs(5), "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(text.contains(&free) && text.contains("Connection refused"), "{text}");
}

#[test]
fn the_embedded_broker_gets_source_and_own_topics() {
    let broker = Arc::new(EmbeddedBroker::start().unwrap());
    let cluster = Cluster::Embedded(Arc::clone(&broker));
    let names = GroupNames::new("billing", None).unwrap();
    let first = prepare_for(&cluster, &names, "orders", false).unwrap();
    assert_eq!(first.made.len(), 5);
    assert_eq!(first.warnings, Vec::<String>::new());
    assert_eq!((first.sources[0].partitions, first.sources[0].id), (3, None));
    let second = prepare_for(&cluster, &names, "orders", false).unwrap();
    assert_eq!((second.made.len(), second.tiers.len()), (0, 3));
    assert_eq!(broker.topics().unwrap().len(), 6);
}
