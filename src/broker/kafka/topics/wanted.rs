//! What the group's own topics must be, given its sources: RULES 1, 5, 7, 11 and 27 as settings.

use crate::broker::kafka::cluster::Observed;
use retrial_core::naming::{DelayError, GroupNames, OwnTopic};
use std::{collections::BTreeMap, time::Duration};

/// Tiers and dead letters have no more partitions than this.
const MAX_PARTITIONS: i32 = 6;

/// What a record may gain by our headers and Kafka's framing of them, in bytes.
const HEADROOM: i64 = 4096;

/// The largest record of a source whose limit nobody could tell: Kafka's default.
const DEFAULT_MAX_MESSAGE: i64 = 1_048_588;

const DAY: Duration = Duration::from_secs(86_400);

/// How long dead letters stay.
pub(crate) const DEAD_LETTER_RETENTION: Duration = Duration::from_secs(90 * 86_400);

/// What the group's topics depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// Partitions of the largest source topic.
    pub(crate) source_partitions: i32,
    /// The largest record any source topic takes, in bytes.
    pub(crate) source_max_message: i64,
    /// Brokers in the cluster.
    pub(crate) brokers: usize,
    /// Whether finished records may be deleted from tiers; if not, tiers forget by age.
    pub(crate) may_trim: bool,
}

impl Basis {
    /// What these source topics, with their settings, mean for the group's own.
    pub(crate) fn of<'a>(sources: impl Iterator<Item = &'a Observed> + Clone, brokers: usize, may_trim: bool) -> Self {
        let largest = |topic: &Observed| topic.number("max.message.bytes").unwrap_or(DEFAULT_MAX_MESSAGE);
        Self {
            source_partitions: sources.clone().map(|topic| topic.partitions).max().unwrap_or(1),
            source_max_message: sources.map(largest).max().unwrap_or(DEFAULT_MAX_MESSAGE),
            brokers,
            may_trim,
        }
    }
}

/// One topic as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) role: OwnTopic,
    /// How many partitions it is made with.
    pub(crate) partitions: i32,
    /// How many replicas it is made with.
    pub(crate) replicas: i32,
    /// The settings it is made with.
    pub(crate) settings: BTreeMap<String, String>,
}

impl Wanted {
    /// A topic of the group.
    fn new(name: String, role: OwnTopic, basis: &Basis) -> Self {
        let replicas = i32::try_from(basis.brokers.clamp(1, 3)).unwrap_or(1);
        let mut settings = BTreeMap::from(
            [
                ("message.timestamp.type", "LogAppendTime".to_owned()),
                // Batches stay as the producer packed them, whatever the cluster's default is.
                ("compression.type", "producer".to_owned()),
                ("min.insync.replicas", (replicas - 1).max(1).to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let mut set = |name: &str, value: String| drop(settings.insert(name.to_owned(), value));
        let partitions = match role {
            OwnTopic::Control => {
                set("cleanup.policy", "compact".to_owned());
                1
            }
            OwnTopic::Tier(_) | OwnTopic::DeadLetters => {
                set("cleanup.policy", "delete".to_owned());
                set("retention.bytes", "-1".to_owned());
                set("retention.ms", retention(role, basis.may_trim));
                set("max.message.bytes", max_message(role, basis).to_string());
                basis.source_partitions.clamp(1, MAX_PARTITIONS)
            }
        };
        Self { name, role, partitions, replicas, settings }
    }

    /// Every topic that a group with these tiers needs.
    ///
    /// # Errors
    /// A delay that cannot be a tier's.
    pub(crate) fn all(names: &GroupNames, delays: &[Duration], basis: &Basis) -> Result<Vec<Self>, DelayError> {
        let mut all = Vec::with_capacity(delays.len() + 3);
        for &delay in delays {
            all.push(Self::new(names.tier(delay)?, OwnTopic::Tier(delay), basis));
        }
        all.push(Self::new(names.way_back(), OwnTopic::Tier(Duration::ZERO), basis));
        all.push(Self::new(names.dead_letters(), OwnTopic::DeadLetters, basis));
        all.push(Self::new(names.control(), OwnTopic::Control, basis));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        Ok(all)
    }
}

fn retention(role: OwnTopic, may_trim: bool) -> String {
    match role {
        OwnTopic::DeadLetters => DEAD_LETTER_RETENTION.as_millis().to_string(),
        OwnTopic::Tier(delay) if !may_trim => (delay + 14 * DAY).as_millis().to_string(),
        _ => "-1".to_owned(),
    }
}

/// A whole record with our headers fits wherever it came from. A record in a tier that we did not write keeps all that it
/// has, and is trimmed away there once it is a dead letter: so dead letters take more than tiers, and never need a
/// reference into one. Kafka's own bound is an `i32`.
fn max_message(role: OwnTopic, basis: &Basis) -> i64 {
    let hops = if role == OwnTopic::DeadLetters { 2 } else { 1 };
    basis.source_max_message.saturating_add(hops * HEADROOM).min(i64::from(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis() -> Basis {
        Basis { source_partitions: 12, source_max_message: 1_000_000, brokers: 5, may_trim: true }
    }

    fn all(basis: Basis) -> BTreeMap<String, Wanted> {
        let names = GroupNames::new("billing", None).unwrap();
        let delays = [Duration::from_secs(5), Duration::from_secs(3600)];
        let all = Wanted::all(&names, &delays, &basis).unwrap();
        all.into_iter().map(|wanted| (wanted.name.clone(), wanted)).collect()
    }

    fn setting<'a>(wanted: &'a Wanted, name: &str) -> Option<&'a str> {
        wanted.settings.get(name).map(String::as_str)
    }

    #[test]
    fn a_group_has_its_tiers_the_way_back_dead_letters_and_control() {
        let names: Vec<_> = all(basis()).into_keys().collect();
        let expected = ["control", "dlq", "retry.0s", "retry.1h", "retry.5s"].map(|rest| format!("billing.{rest}"));
        assert_eq!(names, expected);
    }

    #[test]
    fn tiers_keep_for_ever_by_the_brokers_clock() {
        let all = all(basis());
        for name in ["billing.retry.0s", "billing.retry.5s", "billing.retry.1h"] {
            let tier = &all[name];
            assert_eq!((tier.partitions, tier.replicas), (6, 3));
            assert_eq!(setting(tier, "message.timestamp.type"), Some("LogAppendTime"));
            assert_eq!(setting(tier, "cleanup.policy"), Some("delete"));
            assert_eq!((setting(tier, "retention.ms"), setting(tier, "retention.bytes")), (Some("-1"), Some("-1")));
            assert_eq!(setting(tier, "min.insync.replicas"), Some("2"));
            assert_eq!(setting(tier, "max.message.bytes"), Some("1004096"));
        }
        assert_eq!(setting(&all["billing.dlq"], "retention.ms"), Some("7776000000"));
        assert_eq!(setting(&all["billing.dlq"], "max.message.bytes"), Some("1008192"));
    }

    #[test]
    fn tiers_that_may_not_be_trimmed_forget_two_weeks_after_the_delay() {
        let all = all(Basis { may_trim: false, ..basis() });
        assert_eq!(setting(&all["billing.retry.1h"], "retention.ms"), Some("1213200000"));
        assert_eq!(setting(&all["billing.dlq"], "retention.ms"), Some("7776000000"));
    }

    #[test]
    fn control_is_compacted_and_has_one_partition() {
        let all = all(basis());
        let control = &all["billing.control"];
        assert_eq!((control.partitions, setting(control, "cleanup.policy")), (1, Some("compact")));
        assert_eq!(setting(control, "retention.ms"), None);
    }

    #[test]
    fn a_small_cluster_gets_what_it_has() {
        for (brokers, replicas, in_sync) in [(0, 1, "1"), (1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (9, 3, "2")] {
            let all = all(Basis { brokers, ..basis() });
            let tier = &all["billing.retry.5s"];
            assert_eq!((tier.replicas, setting(tier, "min.insync.replicas")), (replicas, Some(in_sync)));
        }
        assert_eq!(all(Basis { source_partitions: 2, ..basis() })["billing.dlq"].partitions, 2);
    }
}
