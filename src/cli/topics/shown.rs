//! A plan for topics, for people and programs.

use crate::{
    admin::{LadderFrom, TopicPlan, TopicsApplied, TopicsPlan},
    cli::{
        end::Trouble,
        screen::Screen,
        table::{Table, count},
        times::duration,
    },
};
use serde::Serialize;
use std::time::Duration;

const SCHEMA: &str = "retrial.topics.plan/1";

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    plan: &'a TopicsPlan,
    /// What was done; null of a plan alone.
    applied: Option<&'a TopicsApplied>,
}

pub(super) fn show(plan: &TopicsPlan, applied: Option<&TopicsApplied>, screen: &Screen) -> Result<(), Trouble> {
    if screen.is_json() { screen.json(SCHEMA, &Shown { plan, applied }) } else { screen.write(&text(plan, screen)) }
}

/// What to say of a plan that changes nothing.
pub(super) fn nothing(plan: &TopicsPlan) -> String {
    let left = if plan.topics.iter().all(|topic| topic.left.is_empty()) { "" } else { ", but for what is left" };
    format!("the topics of group {} are as they should be{left}: nothing to change", plan.group)
}

fn text(plan: &TopicsPlan, screen: &Screen) -> String {
    let mut parts = vec![sources(plan), table(plan).text(screen)];
    parts.extend([changes(plan), left(plan)].into_iter().filter(|part| !part.is_empty()));
    parts.join("\n")
}

fn sources(plan: &TopicsPlan) -> String {
    let one = |source: &crate::admin::SourceSeen| {
        let largest = source.max_message_bytes.map_or_else(
            || "of unknown size".to_owned(),
            |bytes| format!("up to {} bytes", count(bytes.max(0).unsigned_abs())),
        );
        let partitions = if source.partitions == 1 { "partition" } else { "partitions" };
        format!("Source {}: {} {partitions}, records {largest}\n", source.topic, source.partitions)
    };
    let sources: String = plan.sources.iter().map(one).collect();
    let ladder = match plan.ladder_from {
        LadderFrom::Given => return sources,
        LadderFrom::Existing => "the tiers that exist",
        LadderFrom::Default => "the default, since no tier exists and no --delays say otherwise",
    };
    format!("{sources}Ladder: {ladder}\n")
}

fn table(plan: &TopicsPlan) -> Table<8> {
    let mut table = Table::new([
        "TOPIC",
        "PARTITIONS",
        "REPLICAS",
        "IN SYNC",
        "RETENTION",
        "LARGEST RECORD",
        "COMPRESSION",
        "ACTION",
    ]);
    for topic in &plan.topics {
        table.row([
            topic.topic.clone(),
            number(topic, |shape| shape.partitions),
            number(topic, |shape| shape.replicas),
            setting(topic, "min.insync.replicas", str::to_owned),
            setting(topic, "retention.ms", age),
            setting(topic, "max.message.bytes", size),
            setting(topic, "compression.type", str::to_owned),
            action(topic).to_owned(),
        ]);
    }
    table
}

/// As it is, and as it should be where that is more.
fn number(topic: &TopicPlan, read: impl Fn(&crate::admin::TopicShape) -> i32) -> String {
    let wanted = read(&topic.wanted);
    match topic.found.as_ref().map(read) {
        Some(found) if found < wanted => format!("{found} (not {wanted})"),
        Some(found) => found.to_string(),
        None => wanted.to_string(),
    }
}

/// As it is, and as it will be where that is changed.
fn setting(topic: &TopicPlan, name: &str, show: impl Fn(&str) -> String) -> String {
    let made = || topic.wanted.settings.get(name).map_or_else(|| "-".to_owned(), |value| show(value));
    let Some(found) = &topic.found else { return made() };
    // Compaction does not ask for ages.
    let unasked =
        name == "retention.ms" && found.settings.get("cleanup.policy").is_some_and(|policy| policy == "compact");
    let is = found.settings.get(name).filter(|_| !unasked).map_or_else(|| "-".to_owned(), |value| show(value));
    match topic.changes.iter().find(|change| change.setting == name) {
        Some(change) => format!("{is} → {}", show(&change.to)),
        None => is,
    }
}

fn age(millis: &str) -> String {
    match millis.parse::<i64>() {
        Ok(millis) if millis >= 0 => duration(Duration::from_millis(millis.unsigned_abs())),
        Ok(_) => "for ever".to_owned(),
        Err(_) => millis.to_owned(),
    }
}

fn size(bytes: &str) -> String {
    bytes.parse::<u64>().map_or_else(|_| bytes.to_owned(), count)
}

fn action(topic: &TopicPlan) -> &'static str {
    match (&topic.found, topic.changes.is_empty(), topic.left.is_empty()) {
        (None, ..) => "make",
        (Some(_), false, _) => "change",
        (Some(_), true, false) => "left",
        _ if !topic.in_ladder => "none: outside the ladder, read until it is empty",
        _ => "none",
    }
}

fn changes(plan: &TopicsPlan) -> String {
    let of = |topic: &TopicPlan| -> String {
        let one = |change: &crate::admin::SettingChange| {
            let from = change.from.as_deref().unwrap_or("unknown");
            format!("Change {} of {} from {from} to {}: {}\n", change.setting, topic.topic, change.to, change.why)
        };
        topic.changes.iter().map(one).collect()
    };
    plan.topics.iter().map(of).collect()
}

fn left(plan: &TopicsPlan) -> String {
    let all = plan.topics.iter().flat_map(|topic| &topic.left);
    all.map(|left| format!("Left: {}\n      {}\n", left.why, left.remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_readable() {
        assert_eq!((age("-1"), age("7776000000"), age("3600000")), ("for ever".into(), "90d".into(), "1h".into()));
        assert_eq!(size("1052684"), "1,052,684");
    }
}
