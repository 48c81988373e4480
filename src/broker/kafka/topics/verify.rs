//! Whether an existing topic of the group keeps the promises.
//!
//! What would lose records without anybody noticing is refused; everything else that differs is a warning, told at
//! every start. The same [`deviations`] are what an operator's plan mends and what a diagnosis tells.

use super::wanted::{DEAD_LETTER_RETENTION, Wanted};
use crate::broker::kafka::cluster::Observed;
use retrial_core::naming::OwnTopic;
use std::{fmt, time::Duration};

const IN_SYNC: &str = "min.insync.replicas";
const LARGEST: &str = "max.message.bytes";

/// Why a topic of the group cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// Records would carry the producer's time.
    #[error(
        "topic {topic} has message.timestamp.type={found}: records would vanish or wait by a clock that is not the \
         broker's; set it to LogAppendTime"
    )]
    CreateTime {
        /// The topic.
        topic: String,
        /// The setting it has.
        found: String,
    },
    /// Records with the same key would replace one another.
    #[error(
        "topic {topic} has cleanup.policy={found}: of records with the same key only the last would stay; set it to \
         delete"
    )]
    Compacted {
        /// The topic.
        topic: String,
        /// The setting it has.
        found: String,
    },
}

/// How an existing topic of the group differs from what the promises need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deviation {
    /// The topic.
    pub(crate) topic: String,
    /// What differs.
    pub(crate) kind: Kind,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A service refuses to start with it.
    Unusable(Unusable),
    /// Fewer than two replicas: so many.
    OneReplica(i32),
    /// A control topic with so many partitions.
    ControlPartitions(i32),
    /// Its settings cannot be read.
    Unreadable,
    /// A control topic with this `cleanup.policy`.
    NotCompacted(String),
    /// Records are forgotten after so long; needed is so much, in milliseconds.
    ForgetsByAge { kept: Duration, needed: i64 },
    /// Records are forgotten beyond so many bytes.
    ForgetsBySize(i64),
    /// A setting is less than it must be.
    Below { setting: &'static str, found: i64, needed: i64, consequence: &'static str },
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = &self.topic;
        match &self.kind {
            Kind::Unusable(why) => why.fmt(f),
            Kind::OneReplica(found) => {
                write!(f, "topic {topic} has {found} replica: a record acknowledged there is lost with one broker")
            }
            Kind::ControlPartitions(found) => write!(f, "topic {topic} has {found} partitions; only the first is used"),
            Kind::Unreadable => write!(
                f,
                "the settings of topic {topic} cannot be read, so nobody checks that it keeps the broker's time: grant \
                 DESCRIBE_CONFIGS on it"
            ),
            Kind::NotCompacted(found) => write!(
                f,
                "topic {topic} has cleanup.policy={found} instead of compact: marks in it are forgotten by age"
            ),
            Kind::ForgetsByAge { kept, .. } => {
                write!(f, "topic {topic} forgets records after {kept:?}, handled or not: raise retention.ms")
            }
            Kind::ForgetsBySize(bytes) => {
                write!(f, "topic {topic} forgets records beyond {bytes} bytes, handled or not: set retention.bytes=-1")
            }
            Kind::Below { setting, found, needed, consequence } => {
                write!(f, "topic {topic} has {setting}={found} instead of {needed}, {consequence}")
            }
        }
    }
}

/// How one existing topic differs.
pub(crate) fn deviations(wanted: &Wanted, observed: &Observed) -> Vec<Deviation> {
    let replicas = (observed.replicas < 2).then_some(Kind::OneReplica(observed.replicas));
    let partitions = (wanted.role == OwnTopic::Control && observed.partitions != 1)
        .then_some(Kind::ControlPartitions(observed.partitions));
    let mut kinds: Vec<Kind> = replicas.into_iter().chain(partitions).collect();
    if observed.settings.is_empty() {
        kinds.push(Kind::Unreadable);
    } else {
        let topic = wanted.name.as_str();
        kinds.extend(time(topic, observed));
        kinds.extend(cleanup(wanted, observed));
        kinds.extend(age(wanted, observed));
        kinds.extend(
            observed
                .number("retention.bytes")
                .filter(|&bytes| bytes >= 0 && !is_control(wanted))
                .map(Kind::ForgetsBySize),
        );
        kinds.extend(below(wanted, observed, IN_SYNC, "so fewer replicas than that may hold a record"));
        kinds.extend(below(wanted, observed, LARGEST, "so larger records become dead letters by reference"));
    }
    kinds.into_iter().map(|kind| Deviation { topic: wanted.name.clone(), kind }).collect()
}

fn is_control(wanted: &Wanted) -> bool {
    wanted.role == OwnTopic::Control
}

fn time(topic: &str, observed: &Observed) -> Option<Kind> {
    let found = observed.setting("message.timestamp.type").unwrap_or("unknown");
    let refused = || Unusable::CreateTime { topic: topic.to_owned(), found: found.to_owned() };
    (found != "LogAppendTime").then(|| Kind::Unusable(refused()))
}

fn cleanup(wanted: &Wanted, observed: &Observed) -> Option<Kind> {
    let found = observed.setting("cleanup.policy").unwrap_or("delete");
    let compacted = found.split(',').any(|policy| policy.trim() == "compact");
    match wanted.role {
        OwnTopic::Control => (found != "compact").then(|| Kind::NotCompacted(found.to_owned())),
        OwnTopic::Tier(_) | OwnTopic::DeadLetters => compacted
            .then(|| Kind::Unusable(Unusable::Compacted { topic: wanted.name.clone(), found: found.to_owned() })),
    }
}

fn age(wanted: &Wanted, observed: &Observed) -> Option<Kind> {
    let needed = match wanted.role {
        OwnTopic::Control => return None,
        OwnTopic::Tier(delay) => delay.saturating_add(Duration::from_secs(14 * 86_400)),
        OwnTopic::DeadLetters => DEAD_LETTER_RETENTION,
    };
    let needed = i64::try_from(needed.as_millis()).unwrap_or(i64::MAX);
    let millis = observed.number("retention.ms").filter(|&millis| millis >= 0 && millis < needed)?;
    Some(Kind::ForgetsByAge { kept: Duration::from_millis(millis.unsigned_abs()), needed })
}

fn below(wanted: &Wanted, observed: &Observed, setting: &'static str, consequence: &'static str) -> Option<Kind> {
    let needed = wanted.settings.get(setting)?.parse::<i64>().ok()?;
    let found = observed.number(setting).filter(|&found| found < needed)?;
    Some(Kind::Below { setting, found, needed, consequence })
}

/// What verification found, for a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Topics that cannot be used.
    pub(crate) unusable: Vec<Unusable>,
    /// What an operator should know, in words.
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    /// Adds what is to be said about one existing topic.
    pub(crate) fn verify(&mut self, wanted: &Wanted, observed: &Observed) {
        for deviation in deviations(wanted, observed) {
            match deviation.kind {
                Kind::Unusable(why) => self.unusable.push(why),
                _ => self.warnings.push(deviation.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::wanted::Basis, *};
    use retrial_core::naming::GroupNames;

    const BASIS: Basis = Basis { source_partitions: 3, source_max_message: 1_000_000, brokers: 3, may_trim: true };

    /// A topic exactly as wanted, changed in some settings.
    fn findings(name: &str, changes: &[(&str, &str)]) -> Findings {
        let names = GroupNames::new("billing", None).unwrap();
        let all = Wanted::all(&names, &[Duration::from_secs(5)], &BASIS).unwrap();
        let wanted = all.into_iter().find(|wanted| wanted.name == format!("billing.{name}")).unwrap();
        let mut settings = wanted.settings.clone();
        settings.extend(changes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let observed = Observed { partitions: wanted.partitions, replicas: wanted.replicas, settings };
        let mut findings = Findings::default();
        findings.verify(&wanted, &observed);
        findings
    }

    #[test]
    fn what_we_make_passes() {
        for name in ["retry.5s", "retry.0s", "dlq", "control"] {
            assert_eq!(findings(name, &[]), Findings::default(), "{name}");
        }
    }

    #[test]
    fn a_group_topic_with_the_producers_time_is_refused() {
        for name in ["retry.5s", "dlq", "control"] {
            let found = findings(name, &[("message.timestamp.type", "CreateTime")]);
            assert!(matches!(&found.unusable[..], [Unusable::CreateTime { .. }]), "{found:?}");
        }
    }

    #[test]
    fn a_compacted_tier_is_refused_and_a_deleting_control_is_told() {
        for policy in ["compact", "compact,delete", "delete, compact"] {
            assert!(matches!(
                &findings("retry.5s", &[("cleanup.policy", policy)]).unusable[..],
                [Unusable::Compacted { .. }]
            ));
        }
        let control = findings("control", &[("cleanup.policy", "delete")]);
        assert!(control.unusable.is_empty() && control.warnings.len() == 1);
    }

    #[test]
    fn every_other_weakness_is_a_warning_that_names_topic_and_setting() {
        for (name, setting, value) in [
            ("retry.5s", "retention.ms", "604800000"),
            ("retry.5s", "retention.bytes", "1000"),
            ("retry.5s", "min.insync.replicas", "1"),
            ("retry.5s", "max.message.bytes", "1000000"),
            ("dlq", "retention.ms", "604800000"),
        ] {
            let found = findings(name, &[(setting, value)]);
            assert!(found.unusable.is_empty());
            assert_eq!(found.warnings.len(), 1, "{setting}: {found:?}");
            assert!(found.warnings[0].contains(name), "{found:?}");
        }
        let generous = [("retention.ms", "-1"), ("min.insync.replicas", "3"), ("max.message.bytes", "9000000")];
        assert_eq!(findings("dlq", &generous), Findings::default());
    }

    #[test]
    fn one_replica_and_unreadable_settings_are_told() {
        let names = GroupNames::new("billing", None).unwrap();
        let wanted = Wanted::all(&names, &[], &BASIS).unwrap().remove(0);
        let mut findings = Findings::default();
        findings.verify(&wanted, &Observed { partitions: 2, replicas: 1, settings: Default::default() });
        assert_eq!(findings.warnings.len(), 3, "{findings:?}");
        assert!(findings.warnings[2].contains("DESCRIBE_CONFIGS"));
    }
}
