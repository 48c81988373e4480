//! Source topics: there, and keeping records long enough.

use super::{
    durability::set,
    finding::{Report, Severity},
    picture::{Picture, TopicSeen},
};
use crate::admin::Role;
use std::time::Duration;

pub(super) fn check(picture: &Picture, report: &mut Report<'_>) {
    for name in picture.sources.iter().filter(|name| !picture.topics.contains_key(*name)) {
        report.add(
            ("source-missing", Severity::Critical),
            format!("topic {name}"),
            "does not exist, or this user may not see it",
            "the service does not start",
            "make it, correct the name, or grant Describe and Read on it",
        );
    }
    for (name, topic) in picture.source_topics() {
        if let Some(policy) = topic.observed.setting("cleanup.policy").filter(|policy| policy.contains("compact")) {
            report.add(
                ("source-compacted", Severity::Warning),
                format!("topic {name}"),
                format!("cleanup.policy={policy}"),
                "a record that is followed by another of its key may be gone before it is handled",
                set(name, "cleanup.policy", "delete"),
            );
        }
        if let Some(kept) = kept(topic) {
            retention(picture, name, kept, report);
        }
    }
}

/// How long a topic keeps a record by age; nothing if it does so for ever, or is not known.
pub(super) fn kept(topic: &TopicSeen) -> Option<Duration> {
    let deletes = topic.observed.setting("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
    let millis = topic.observed.number("retention.ms").filter(|&millis| millis >= 0 && deletes)?;
    Some(Duration::from_millis(millis.unsigned_abs()))
}

fn retention(picture: &Picture, name: &str, kept: Duration, report: &mut Report<'_>) {
    let thing = || format!("topic {name}");
    let given = || picture.delays.iter().flatten().copied();
    let longest = picture.tiers().map(|(_, delay)| delay).chain(given()).max().unwrap_or_default();
    if kept < longest {
        report.add(
            ("source-retention", Severity::Warning),
            thing(),
            format!("retention.ms={}", kept.as_millis()),
            format!(
                "it is shorter than the longest tier's {} s: replay, and letters too large for the dead letters, do not \
                 find their records any more",
                longest.as_secs()
            ),
            set(name, "retention.ms", &(2 * longest).as_millis().to_string()),
        );
    }
    let mine =
        |one: &&crate::admin::PartitionStatus| one.topic == name && one.role == Role::Source && one.unfinished > 0;
    let oldest = picture.status.iter().flat_map(|status| &status.partitions).filter(mine).filter_map(|one| one.oldest);
    if let Some(age) = oldest.min().map(|oldest| picture.now.since(oldest)).filter(|age| *age > kept * 4 / 5) {
        report.add(
            ("source-vanishes", Severity::Critical),
            thing(),
            format!("the oldest unfinished record is {} s old, and kept for {} s", age.as_secs(), kept.as_secs()),
            "records vanish before they are handled",
            format!("{}, until the service has caught up", set(name, "retention.ms", "-1")),
        );
    }
}
