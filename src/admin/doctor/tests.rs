//! Pictures, each broken in one way, and what is said of them.

use super::{
    finding::Severity,
    judge,
    picture::{Picture, TopicSeen},
};
use crate::{
    admin::{Status, status::for_tests::empty},
    broker::kafka::{Basis, Health, Observed, Operation, Wanted},
};
use retrial_core::{naming::GroupNames, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const NOW: Timestamp = Timestamp::from_millis(1_795_342_860_000);
const ALL: [Operation; 8] = [
    Operation::Read,
    Operation::Write,
    Operation::Create,
    Operation::Delete,
    Operation::Alter,
    Operation::Describe,
    Operation::DescribeConfigs,
    Operation::AlterConfigs,
];

fn texts(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn seen(observed: Observed) -> TopicSeen {
    TopicSeen { observed, health: Health::default(), operations: Some(ALL.to_vec()) }
}

/// Three brokers, one source, a group that has everything it needs, and nothing to do.
fn healthy() -> Picture {
    let names = GroupNames::new("billing", None).unwrap();
    let source = Observed {
        partitions: 6,
        replicas: 3,
        settings: texts(&[
            ("cleanup.policy", "delete"),
            ("retention.ms", "604800000"),
            ("min.insync.replicas", "2"),
            ("max.message.bytes", "1048588"),
            ("unclean.leader.election.enable", "false"),
        ]),
    };
    let basis = Basis::of([&source].into_iter(), 3, true);
    let wanted = Wanted::all(&names, &[5, 60].map(Duration::from_secs), &basis).unwrap();
    let own = wanted.into_iter().map(|Wanted { name, partitions, replicas, settings, .. }| {
        (name, seen(Observed { partitions, replicas, settings }))
    });
    let broker = || texts(&[("offset.metadata.max.bytes", "4096"), ("offsets.retention.minutes", "10080")]);
    Picture {
        now: NOW,
        brokers: (1..=3).map(|id| (id, broker())).collect(),
        cluster: Some(ALL.to_vec()),
        group: Some(ALL.to_vec()),
        sources: BTreeSet::from(["orders".to_owned()]),
        topics: own.chain([("orders".to_owned(), seen(source))]).collect(),
        delays: None,
        identities: Some(true),
        status: Some(empty(&names)),
        members: Some(vec![vec![("orders".to_owned(), 0), ("billing.retry.5s".to_owned(), 0)]]),
        unchecked: vec![],
        names,
    }
}

/// What is said of a picture that is healthy but for one thing.
fn said(change: impl FnOnce(&mut Picture)) -> Vec<(&'static str, Severity, String)> {
    let mut picture = healthy();
    change(&mut picture);
    let diagnosis = judge(picture);
    for finding in &diagnosis.findings {
        assert!(!finding.consequence.is_empty() && !finding.remedy.is_empty() && !finding.value.is_empty());
    }
    diagnosis.findings.into_iter().map(|finding| (finding.id, finding.severity, finding.thing)).collect()
}

/// A change of the settings of one topic.
fn set(topic: &str, setting: &str, value: &str) -> impl FnOnce(&mut Picture) {
    let (topic, setting, value) = (topic.to_owned(), setting.to_owned(), value.to_owned());
    move |picture| drop(picture.topics.get_mut(&topic).unwrap().observed.settings.insert(setting, value))
}

fn topic<'a>(picture: &'a mut Picture, name: &str) -> &'a mut TopicSeen {
    picture.topics.get_mut(name).unwrap()
}

fn status(picture: &mut Picture) -> &mut Status {
    picture.status.as_mut().unwrap()
}

fn only(id: &'static str, severity: Severity, thing: &str) -> Vec<(&'static str, Severity, String)> {
    vec![(id, severity, thing.to_owned())]
}

use Severity::{Critical, Note, Warning};

#[test]
fn of_a_healthy_group_nothing_is_said() {
    assert_eq!(said(|_| {}), []);
    assert!(judge(healthy()).is_healthy());
    // A group that has never run, on a cluster where its service may make what it needs.
    assert_eq!(said(|picture| picture.topics.retain(|name, _| name == "orders")), []);
}

#[test]
fn a_check_that_was_not_made_is_not_health() {
    let mut picture = healthy();
    picture.unchecked.push(super::Unchecked { what: "settings of broker 1".into(), why: "no".into() });
    assert!(!judge(picture).is_healthy());
}

#[test]
fn each_setting_of_a_topic_that_breaks_a_promise_is_found() {
    let dlq = "billing.dlq";
    for (name, setting, value, id, severity) in [
        ("billing.retry.5s", "message.timestamp.type", "CreateTime", "own-timestamps", Critical),
        (dlq, "cleanup.policy", "compact", "own-compacted", Critical),
        ("billing.control", "cleanup.policy", "delete", "control-not-compacted", Warning),
        ("billing.retry.1m", "retention.ms", "59999", "own-retention", Critical),
        ("billing.retry.1m", "retention.ms", "60000", "own-retention", Warning),
        (dlq, "retention.bytes", "1000000", "own-size-limit", Warning),
        (dlq, "max.message.bytes", "1048588", "own-record-size", Warning),
        (dlq, "min.insync.replicas", "1", "few-in-sync", Warning),
        ("orders", "min.insync.replicas", "1", "few-in-sync", Note),
        (dlq, "min.insync.replicas", "3", "in-sync-too-many", Warning),
        (dlq, "min.insync.replicas", "4", "in-sync-too-many", Critical),
        ("orders", "unclean.leader.election.enable", "true", "unclean-election", Warning),
        ("orders", "cleanup.policy", "compact,delete", "source-compacted", Warning),
        ("orders", "retention.ms", "59999", "source-retention", Warning),
    ] {
        assert_eq!(said(set(name, setting, value)), only(id, severity, &format!("topic {name}")), "{setting}={value}");
    }
    assert_eq!(said(set("orders", "retention.ms", "60000")), [], "as long as the longest tier");
}

#[test]
fn brokers_that_forget_or_refuse_commits_are_found() {
    for (setting, value, id, severity) in [
        ("offset.metadata.max.bytes", "4095", "commit-metadata-limit", Critical),
        ("offsets.retention.minutes", "10079", "offsets-retention", Warning),
    ] {
        let found = said(|picture| {
            let settings = picture.brokers.get_mut(&2).unwrap();
            settings.insert(setting.to_owned(), value.to_owned());
        });
        assert_eq!(found, only(id, severity, "broker 2"));
    }
    assert_eq!(said(|picture| picture.identities = Some(false)), only("no-topic-identities", Warning, "the cluster"));
}

#[test]
fn replicas_that_are_few_or_behind_are_found() {
    let replicas = |number| move |picture: &mut Picture| topic(picture, "orders").observed.replicas = number;
    assert_eq!(said(replicas(1)), only("one-replica", Warning, "topic orders"));
    let found = said(replicas(2));
    assert_eq!(found.iter().map(|found| found.0).collect::<Vec<_>>(), ["in-sync-too-many", "few-replicas"]);
    assert_eq!(
        said(|picture| topic(picture, "orders").health.leaderless.push(3)),
        only("no-leader", Critical, "topic orders")
    );
    assert_eq!(
        said(|picture| topic(picture, "orders").health.behind.push(3)),
        only("replicas-behind", Warning, "topic orders")
    );
}

#[test]
fn partitions_and_tiers_that_do_not_fit_are_found() {
    assert_eq!(
        said(|picture| topic(picture, "billing.retry.5s").observed.partitions = 1),
        only("few-partitions", Warning, "topic billing.retry.5s")
    );
    assert_eq!(
        said(|picture| topic(picture, "billing.control").observed.partitions = 2),
        only("control-partitions", Note, "topic billing.control")
    );
    assert_eq!(
        said(|picture| picture.delays = Some([5, 3600].map(Duration::from_secs).to_vec())),
        [
            ("ladder-gap", Warning, "the ladder of group billing".to_owned()),
            ("tier-outside-ladder", Note, "topic billing.retry.1m".to_owned()),
        ]
    );
}

#[test]
fn a_source_that_is_missing_or_forgets_what_is_not_handled_is_found() {
    assert_eq!(
        said(|picture| picture.sources.extend(["refunds".to_owned()])),
        only("source-missing", Critical, "topic refunds")
    );
    let aged = |days: i64| {
        move |picture: &mut Picture| {
            let oldest = NOW.shifted(-days * 86_400_000);
            status(picture).partitions.push(crate::admin::status::for_tests::unfinished("orders", oldest));
        }
    };
    assert_eq!(said(aged(5)), []);
    assert_eq!(said(aged(6)), only("source-vanishes", Critical, "topic orders"));
}

#[test]
fn a_tier_in_which_records_wait_must_have_a_reader() {
    let waiting = |picture: &mut Picture| {
        status(picture).tiers.push(crate::admin::status::for_tests::waiting("billing.retry.5s", 60, 7));
    };
    assert_eq!(said(waiting), []);
    for members in [vec![], vec![vec![("orders".to_owned(), 0)]]] {
        let found = said(|picture| {
            waiting(picture);
            picture.members = Some(members);
        });
        assert_eq!(found, only("tier-without-reader", Critical, "topic billing.retry.5s"));
    }
    let idle = said(|picture| picture.members.as_mut().unwrap().push(vec![]));
    assert_eq!(idle, only("idle-members", Warning, "group billing"));
}

#[test]
fn letters_that_vanish_soon_clocks_that_differ_and_foreign_commits_are_found() {
    let letters = |days: i64, newest: i64| {
        move |picture: &mut Picture| {
            let (oldest, newest) = (NOW.shifted(-days * 86_400_000), NOW.shifted(newest));
            status(picture).dead_letters =
                Some(crate::admin::status::for_tests::letters("billing.dlq", oldest, newest));
        }
    };
    assert_eq!(said(letters(82, 0)), []);
    assert_eq!(said(letters(84, 0)), only("letters-vanish", Warning, "topic billing.dlq"));
    assert_eq!(said(letters(1, 2_000)), []);
    assert_eq!(said(letters(1, 2_001)), only("clock-behind", Warning, "this machine's clock"));
    let foreign = said(|picture| {
        let mut one = crate::admin::status::for_tests::unfinished("orders", NOW);
        one.metadata_ignored = Some("no map".to_owned());
        status(picture).partitions.push(one);
    });
    assert_eq!(foreign, only("foreign-commit", Warning, "group billing in orders/0"));
}

#[test]
fn each_right_that_a_service_needs_and_its_user_lacks_is_found() {
    let without = |name: &str, operation: Operation| {
        let name = name.to_owned();
        said(|picture| topic(picture, &name).operations.as_mut().unwrap().retain(|may| *may != operation))
    };
    for (name, operation, severity) in [
        ("orders", Operation::Read, Critical),
        ("orders", Operation::DescribeConfigs, Warning),
        ("billing.retry.0s", Operation::Read, Critical),
        ("billing.retry.5s", Operation::Write, Critical),
        ("billing.retry.5s", Operation::Delete, Warning),
        ("billing.dlq", Operation::Write, Critical),
        ("billing.dlq", Operation::Read, Warning),
        ("billing.control", Operation::Write, Critical),
    ] {
        assert_eq!(without(name, operation), only("missing-right", severity, &format!("topic {name}")), "{operation}");
    }
    for (name, operation) in
        [("orders", Operation::Write), ("billing.dlq", Operation::Delete), ("billing.control", Operation::Delete)]
    {
        assert_eq!(without(name, operation), [], "no service needs {operation} on {name}");
    }
    assert_eq!(said(|picture| picture.group = Some(vec![])), only("missing-right", Critical, "group billing"));
    let missing = said(|picture| {
        picture.cluster = Some(vec![Operation::Describe]);
        picture.topics.remove("billing.control");
    });
    assert_eq!(missing, only("own-topic-missing", Critical, "topic billing.control"));
}
