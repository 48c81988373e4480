//! What the user may do, and what a service needs.

use super::{
    finding::{Report, Severity},
    picture::Picture,
};
use crate::broker::kafka::Operation;
use retrial_core::naming::OwnTopic;

/// An operation, how bad its lack is, and what it leads to.
type Need = (Operation, Severity, &'static str);

const READ: Need = (Operation::Read, Severity::Critical, "a service cannot read it, and its partitions are held");
const WRITE: Need =
    (Operation::Write, Severity::Critical, "a service cannot write to it, and holds what it would write");
const SETTINGS: Need =
    (Operation::DescribeConfigs, Severity::Warning, "nobody checks that its settings keep the promises");

pub(super) fn check(picture: &Picture, report: &mut Report<'_>) {
    for (name, topic) in &picture.topics {
        let Some(may) = &topic.operations else { continue };
        for (operation, severity, consequence) in needed(picture.names.parse(name)) {
            if !may.contains(&operation) {
                lacking(report, severity, ("topic", name), operation, consequence);
            }
        }
    }
    let group = picture.names.group();
    if picture.group.as_ref().is_some_and(|may| !may.contains(&Operation::Read)) {
        lacking(report, Severity::Critical, ("group", group), Operation::Read, "a service cannot join the group");
    }
    missing(picture, report);
}

fn needed(role: Option<OwnTopic>) -> Vec<Need> {
    const TRIM: Need =
        (Operation::Delete, Severity::Warning, "finished records stay in it, since a service cannot delete them");
    const SHOW: Need = (Operation::Read, Severity::Warning, "this user cannot look at the dead letters");
    match role {
        None => vec![READ, SETTINGS],
        Some(OwnTopic::Tier(_)) => vec![READ, WRITE, TRIM, SETTINGS],
        Some(OwnTopic::DeadLetters) => vec![WRITE, SHOW, SETTINGS],
        Some(OwnTopic::Control) => vec![READ, WRITE, SETTINGS],
    }
}

fn lacking(
    report: &mut Report<'_>,
    severity: Severity,
    (kind, name): (&str, &str),
    operation: Operation,
    consequence: &str,
) {
    report.add(
        ("missing-right", severity),
        format!("{kind} {name}"),
        format!("this user lacks {operation}"),
        consequence,
        format!("kafka-acls --add --allow-principal User:NAME --operation {operation} --{kind} {name}"),
    );
}

/// Topics that a service makes at its start, if it may.
fn missing(picture: &Picture, report: &mut Report<'_>) {
    if picture.cluster.as_ref().is_none_or(|may| may.contains(&Operation::Create)) {
        return;
    }
    let names = &picture.names;
    let tiers = picture.delays.iter().flatten().filter_map(|delay| names.tier(*delay).ok());
    for name in [names.way_back(), names.dead_letters(), names.control()].into_iter().chain(tiers) {
        if !picture.topics.contains_key(&name) {
            report.add(
                ("own-topic-missing", Severity::Critical),
                format!("topic {name}"),
                "does not exist, and this user lacks Create on the cluster",
                "a service does not start, unless it may create topics of that name",
                format!("retrial topics apply --group {}, by somebody who may", names.group()),
            );
        }
    }
}
