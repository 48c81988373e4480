//! How many brokers hold a record, of source topics and of the group's own.

use super::{
    finding::{Report, Severity},
    picture::{Picture, TopicSeen},
};

const IN_SYNC: &str = "min.insync.replicas";
const UNCLEAN: &str = "unclean.leader.election.enable";
const REASSIGN: &str = "add replicas with kafka-reassign-partitions";

pub(super) fn check(picture: &Picture, report: &mut Report<'_>) {
    for (name, topic) in &picture.topics {
        replicas(picture, name, topic, report);
        in_sync(picture, name, topic, report);
        health(name, topic, report);
        if topic.observed.setting(UNCLEAN) == Some("true") {
            report.add(
                ("unclean-election", Severity::Warning),
                thing(name),
                format!("{UNCLEAN}=true"),
                "a broker that was behind may become the leader, and acknowledged records are gone",
                set(name, UNCLEAN, "false"),
            );
        }
    }
}

fn thing(name: &str) -> String {
    format!("topic {name}")
}

/// A command that sets one setting of a topic.
pub(super) fn set(topic: &str, setting: &str, value: &str) -> String {
    format!("kafka-configs --alter --topic {topic} --add-config {setting}={value}")
}

fn replicas(picture: &Picture, name: &str, topic: &TopicSeen, report: &mut Report<'_>) {
    let found = topic.observed.replicas;
    if found < 2 {
        let remedy =
            if picture.brokers.len() < 2 { "add brokers, then replicas (kafka-reassign-partitions)" } else { REASSIGN };
        report.add(
            ("one-replica", Severity::Warning),
            thing(name),
            format!("{found} replica"),
            "a record acknowledged there is lost with one broker",
            remedy,
        );
    } else if found < 3 && picture.brokers.len() >= 3 {
        report.add(
            ("few-replicas", Severity::Note),
            thing(name),
            format!("{found} replicas on {} brokers", picture.brokers.len()),
            "while a broker is away, a record is held by one other only, or none can be written",
            REASSIGN,
        );
    }
}

fn in_sync(picture: &Picture, name: &str, topic: &TopicSeen, report: &mut Report<'_>) {
    let replicas = i64::from(topic.observed.replicas);
    let Some(found) = topic.observed.number(IN_SYNC).filter(|_| replicas >= 2) else { return };
    let value = format!("{IN_SYNC}={found} of {replicas} replicas");
    if found >= replicas {
        let (severity, consequence) = if found > replicas {
            (Severity::Critical, "no record can be written with acknowledgement of all")
        } else {
            (Severity::Warning, "no record can be written while one broker is away")
        };
        let remedy = set(name, IN_SYNC, &(replicas - 1).to_string());
        report.add(("in-sync-too-many", severity), thing(name), value, consequence, remedy);
    } else if found < 2 {
        // Of two replicas either choice gives something up; and what a source promises is its producers' choice.
        let theirs = replicas == 2 || picture.sources.contains(name);
        let severity = if theirs { Severity::Note } else { Severity::Warning };
        let remedy = if replicas == 2 { format!("{REASSIGN}, then set {IN_SYNC}=2") } else { set(name, IN_SYNC, "2") };
        let consequence = "while the others are behind, an acknowledged record is held by one broker only";
        report.add(("few-in-sync", severity), thing(name), value, consequence, remedy);
    }
}

fn health(name: &str, topic: &TopicSeen, report: &mut Report<'_>) {
    if !topic.health.leaderless.is_empty() {
        report.add(
            ("no-leader", Severity::Critical),
            thing(name),
            format!("no leader of partitions {}", numbers(&topic.health.leaderless)),
            "nothing can be read from them or written to them",
            "start the brokers that hold them",
        );
    }
    if !topic.health.behind.is_empty() {
        report.add(
            ("replicas-behind", Severity::Warning),
            thing(name),
            format!("replicas behind in partitions {}", numbers(&topic.health.behind)),
            "fewer brokers than meant hold the newest records",
            "start the brokers that are away, or look why they are slow",
        );
    }
}

fn numbers(partitions: &[i32]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
