//! The group at work: members, what waits, what vanishes, clocks.

use super::{
    finding::{Report, Severity},
    picture::Picture,
    sources::kept,
};
use crate::admin::{Role, Status};
use retrial_core::time::Timestamp;
use std::time::Duration;

/// Letters that vanish sooner than this are told.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// A difference of clocks that promises about time are not hurt by.
const SLACK: Duration = Duration::from_secs(2);

pub(super) fn check(picture: &Picture, report: &mut Report<'_>) {
    let Some(status) = &picture.status else { return };
    readers(picture, status, report);
    letters(picture, status, report);
    clock(picture, status, report);
    for one in &status.partitions {
        if let Some(why) = &one.metadata_ignored {
            report.add(
                ("foreign-commit", Severity::Warning),
                format!("group {} in {}/{}", status.group, one.topic, one.partition),
                format!("metadata that is not the group's: {why}"),
                "what was finished beyond the watermark is handled again; somebody else commits for this group, or has moved it",
                "let only the service and retrial offsets set positions of this group",
            );
        }
    }
}

fn readers(picture: &Picture, status: &Status, report: &mut Report<'_>) {
    let Some(members) = &picture.members else { return };
    for tier in status.tiers.iter().filter(|tier| tier.waiting > 0) {
        if !members.iter().flatten().any(|(topic, _)| *topic == tier.topic) {
            let nobody =
                if members.is_empty() { "the group has no members" } else { "no member of the group reads it" };
            report.add(
                ("tier-without-reader", Severity::Critical),
                format!("topic {}", tier.topic),
                format!("{} waiting, and {nobody}", tier.waiting),
                "they wait for ever",
                format!("start a service of group {}: it reads every tier that exists", status.group),
            );
        }
    }
    let idle = members.iter().filter(|partitions| partitions.is_empty()).count();
    if idle > 0 {
        report.add(
            ("idle-members", Severity::Warning),
            format!("group {}", status.group),
            format!("{idle} of {} members have no partition", members.len()),
            "they do nothing but wait for another to leave",
            "give the source topics more partitions (kafka-topics --alter), or run fewer processes",
        );
    }
}

fn letters(picture: &Picture, status: &Status, report: &mut Report<'_>) {
    let Some(letters) = status.dead_letters.as_ref().filter(|letters| letters.count > 0) else { return };
    let kept = picture.topics.get(&letters.topic).and_then(kept);
    let (Some(kept), Some(oldest)) = (kept, letters.oldest) else { return };
    let gone = oldest.after(kept);
    if gone < picture.now.after(SOON) {
        report.add(
            ("letters-vanish", Severity::Warning),
            format!("topic {}", letters.topic),
            format!("the oldest letter is of {oldest}, and kept until {gone}"),
            "a letter that is gone cannot be redriven",
            format!("retrial dlq list --group {}, then settle or export them", status.group),
        );
    }
}

/// Times of the group's own topics are the broker's. One of the past tells nothing, one of the future that the clocks
/// differ.
fn clock(picture: &Picture, status: &Status, report: &mut Report<'_>) {
    let in_tiers = status.partitions.iter().filter(|one| one.role == Role::Tier).filter_map(|one| one.oldest);
    let times = in_tiers.chain(status.dead_letters.iter().filter_map(|letters| letters.newest));
    let ahead = |time: &Timestamp| *time > picture.now.after(SLACK);
    if let Some(newest) = times.filter(ahead).max() {
        report.add(
            ("clock-behind", Severity::Warning),
            "this machine's clock",
            format!("at least {} s behind the brokers'", newest.since(picture.now).as_secs()),
            "what is due is due by the brokers' clock; a service on this machine waits the difference out, and times shown \
             here are wrong by it",
            "set the clocks by one source (chrony, ntp)",
        );
    }
}
