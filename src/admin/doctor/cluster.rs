//! Brokers: what they are set to, and what they can.

use super::{
    finding::{Report, Severity},
    picture::Picture,
};
use retrial_core::snapshot::LIMIT;

const METADATA: &str = "offset.metadata.max.bytes";
const KEPT: &str = "offsets.retention.minutes";

/// Kafka's default since 2.0, in minutes.
const WEEK: i64 = 7 * 24 * 60;

pub(super) fn check(picture: &Picture, report: &mut Report<'_>) {
    let room = i64::try_from(LIMIT).unwrap_or(i64::MAX);
    for (broker, settings) in &picture.brokers {
        let number = |name: &str| settings.get(name).and_then(|value| value.parse::<i64>().ok());
        if let Some(found) = number(METADATA).filter(|&found| found < room) {
            report.add(
                ("commit-metadata-limit", Severity::Critical),
                format!("broker {broker}"),
                format!("{METADATA}={found}"),
                "commits that carry what is finished beyond the watermark are refused, and the group stops when its room is used up",
                format!("set {METADATA}={room} in the properties of every broker, and restart them one by one"),
            );
        }
        if let Some(found) = number(KEPT).filter(|&found| found < WEEK) {
            report.add(
                ("offsets-retention", Severity::Warning),
                format!("broker {broker}"),
                format!("{KEPT}={found}"),
                "a group that is stopped for longer loses its positions, and all that is finished beyond them",
                format!("set {KEPT}={WEEK} in the properties of every broker, and restart them one by one"),
            );
        }
    }
    if picture.identities == Some(false) {
        report.add(
            ("no-topic-identities", Severity::Warning),
            "the cluster",
            "topics have no identities",
            "a topic that is deleted and made anew is taken for the old one, and records of it may pass for finished",
            "move to Kafka 3.0 or newer",
        );
    }
}
