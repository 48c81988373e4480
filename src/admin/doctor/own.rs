//! The group's own topics, judged as a service judges them at its start.

use super::{
    finding::{Report, Severity},
    picture::{Picture, TopicSeen},
};
use crate::broker::kafka::{Basis, Deviation, Kind, Unusable, Wanted, deviations};
use retrial_core::{ladder::Ladder, naming::OwnTopic};
use std::time::Duration;

pub(super) fn check(picture: &Picture, report: &mut Report<'_>) {
    let basis = Basis::of(picture.source_topics().map(|(_, topic)| &topic.observed), picture.brokers.len(), true);
    let delays: Vec<Duration> = picture.tiers().map(|(_, delay)| delay).collect();
    // Names of topics that exist spell delays that a tier can have.
    let wanted = Wanted::all(&picture.names, &delays, &basis).unwrap_or_default();
    for wanted in wanted {
        let Some(topic) = picture.topics.get(&wanted.name) else { continue };
        for deviation in deviations(&wanted, &topic.observed) {
            tell(picture, &wanted, &deviation, report);
        }
        partitions(picture, &wanted, topic, report);
    }
    ladder(picture, report);
}

fn tell(picture: &Picture, wanted: &Wanted, deviation: &Deviation, report: &mut Report<'_>) {
    let refused = "a service refuses to start with it";
    let setting = |name: &str| format!("{name}={}", value(picture, &wanted.name, name));
    let (what, value, consequence) = match &deviation.kind {
        Kind::Unusable(Unusable::CreateTime { .. }) => {
            (("own-timestamps", Severity::Critical), setting("message.timestamp.type"), refused)
        }
        Kind::Unusable(Unusable::Compacted { .. }) => {
            (("own-compacted", Severity::Critical), setting("cleanup.policy"), refused)
        }
        Kind::NotCompacted(_) => (
            ("control-not-compacted", Severity::Warning),
            setting("cleanup.policy"),
            "what operators did, and what the group has read, is forgotten by age",
        ),
        Kind::ForgetsByAge { kept, .. } => {
            let early = matches!(wanted.role, OwnTopic::Tier(delay) if *kept < delay);
            let (severity, consequence) = if early {
                (Severity::Critical, "records vanish before they are due")
            } else {
                (Severity::Warning, "records vanish, handled or not, when the service is away for long")
            };
            (("own-retention", severity), setting("retention.ms"), consequence)
        }
        Kind::ForgetsBySize(_) => (
            ("own-size-limit", Severity::Warning),
            setting("retention.bytes"),
            "records vanish, handled or not, when there are many",
        ),
        Kind::Below { setting: "max.message.bytes", .. } => (
            ("own-record-size", Severity::Warning),
            setting("max.message.bytes"),
            "larger records of the sources become dead letters by reference",
        ),
        Kind::ControlPartitions(found) => {
            (("control-partitions", Severity::Note), format!("{found} partitions"), "only the first is used")
        }
        // Replicas are told for all topics alike, and unreadable settings as a check that was not made.
        Kind::Below { .. } | Kind::OneReplica(_) | Kind::Unreadable => return,
    };
    let remedy = match &deviation.kind {
        Kind::ControlPartitions(_) => "none is needed".to_owned(),
        _ => format!("retrial topics apply --group {}", picture.names.group()),
    };
    report.add(what, format!("topic {}", wanted.name), value, consequence, remedy);
}

fn value<'a>(picture: &'a Picture, topic: &str, name: &str) -> &'a str {
    picture.topics.get(topic).and_then(|topic| topic.observed.setting(name)).unwrap_or("unknown")
}

fn partitions(picture: &Picture, wanted: &Wanted, topic: &TopicSeen, report: &mut Report<'_>) {
    let found = topic.observed.partitions;
    if found < wanted.partitions && picture.source_topics().next().is_some() {
        report.add(
            ("few-partitions", Severity::Warning),
            format!("topic {}", wanted.name),
            format!("{found} instead of {}", wanted.partitions),
            "no more members than that share its work, while the sources' is shared by more",
            format!("kafka-topics --alter --topic {} --partitions {}", wanted.name, wanted.partitions),
        );
    }
}

fn ladder(picture: &Picture, report: &mut Report<'_>) {
    let existing: Vec<Duration> = picture.tiers().map(|(_, delay)| delay).filter(|delay| !delay.is_zero()).collect();
    let mut delays = picture.delays.clone().unwrap_or(existing);
    delays.sort_unstable();
    delays.dedup();
    let Ok(ladder) = Ladder::new(delays) else { return };
    for gap in ladder.warnings() {
        report.add(
            ("ladder-gap", Severity::Warning),
            format!("the ladder of group {}", picture.names.group()),
            gap.to_string(),
            "waits between two such tiers are rounded up far, since a record makes eight hops at most",
            "give the service a tier between them",
        );
    }
    let outside = |(name, delay): &(&String, Duration)| {
        picture.delays.is_some()
            && !delay.is_zero()
            && !ladder.delays().contains(delay)
            && picture.names.parse(name).is_some()
    };
    for (name, _) in picture.tiers().filter(outside) {
        report.add(
            ("tier-outside-ladder", Severity::Note),
            format!("topic {name}"),
            "not in the ladder",
            "it is read until it is empty, and takes nothing new",
            format!("kafka-topics --delete --topic {name}, once retrial status shows nothing waiting in it"),
        );
    }
}
