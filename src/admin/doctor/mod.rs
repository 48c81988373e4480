//! What goes wrong later with a cluster and a group, and what to do about it now.
//!
//! | room | does |
//! |---|---|
//! | `gather`, `picture` | what is looked at, as data |
//! | `cluster`, `durability`, `sources`, `own`, `work`, `access` | the checks: pure functions of the picture |
//! | `finding` | what is said |
//!
//! # Invariants
//! 1. Nothing is written, and the group does not notice.
//! 2. A check that cannot be made is told as such: silence means health.

mod access;
mod cluster;
mod durability;
mod finding;
mod gather;
mod own;
mod picture;
mod sources;
#[cfg(test)]
mod tests;
mod work;

pub use finding::{Diagnosis, Finding, Severity, Unchecked};

use super::AdminError;
use crate::broker::kafka::Kafka;
use finding::Report;
use picture::Picture;
use retrial_core::{naming::GroupNames, time::Timestamp};
use std::time::Duration;

/// What a diagnosis is told of the service; what it is not told is taken from what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorScope {
    /// The source topics; those that the group has committed if empty.
    pub sources: Vec<String>,
    /// Delays of the ladder; the tiers that exist without.
    pub delays: Option<Vec<Duration>>,
}

/// Looks for what goes wrong later. Rights are those of the user that asks: ask with the service's. `now` is this machine's
/// time.
///
/// # Errors
/// No broker answered, or a property is not accepted. What only a part of the brokers or a right leaves unanswered is in
/// the diagnosis.
pub fn diagnose(
    kafka: &Kafka,
    names: &GroupNames,
    scope: &DoctorScope,
    now: Timestamp,
) -> Result<Diagnosis, AdminError> {
    Ok(judge(gather::gather(kafka, names, scope, now)?))
}

fn judge(picture: Picture) -> Diagnosis {
    let mut findings = Vec::new();
    for check in [cluster::check, durability::check, sources::check, own::check, work::check, access::check] {
        check(&picture, &mut Report::new(&mut findings));
    }
    findings.sort_by(|a, b| (a.severity, a.id, &a.thing).cmp(&(b.severity, b.id, &b.thing)));
    Diagnosis {
        group: picture.names.group().to_owned(),
        brokers: picture.brokers.len(),
        sources: picture.sources.into_iter().collect(),
        findings,
        unchecked: picture.unchecked,
    }
}
