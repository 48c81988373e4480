//! Whether an existing topic of the group keeps the promises.
//!
//! What would lose records without anybody noticing is refused; everything else that differs is a warning, told at
//! every start.

use super::wanted::{DEAD_LETTER_RETENTION, Wanted};
use crate::broker::kafka::cluster::Observed;
use retrial_core::naming::OwnTopic;
use std::time::Duration;

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

/// What verification found.
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
        let topic = &wanted.name;
        if observed.replicas < 2 {
            self.warn(format!(
                "topic {topic} has {} replica: a record acknowledged there is lost with one broker",
                observed.replicas
            ));
        }
        if wanted.role == OwnTopic::Control && observed.partitions != 1 {
            self.warn(format!("topic {topic} has {} partitions; only the first is used", observed.partitions));
        }
        if observed.settings.is_empty() {
            self.warn(format!(
                "the settings of topic {topic} cannot be read, so nobody checks that it keeps the broker's time: \
                 grant DESCRIBE_CONFIGS on it"
            ));
            return;
        }
        self.verify_time(wanted, observed);
        self.verify_cleanup(wanted, observed);
        self.verify_retention(wanted, observed);
        self.verify_least(wanted, observed, "min.insync.replicas", "so fewer replicas than that may hold a record");
        self.verify_least(wanted, observed, "max.message.bytes", "so larger records become dead letters by reference");
    }

    fn verify_time(&mut self, wanted: &Wanted, observed: &Observed) {
        match observed.setting("message.timestamp.type") {
            Some("LogAppendTime") => {}
            found => {
                let found = found.unwrap_or("unknown").to_owned();
                self.unusable.push(Unusable::CreateTime { topic: wanted.name.clone(), found });
            }
        }
    }

    fn verify_cleanup(&mut self, wanted: &Wanted, observed: &Observed) {
        let found = observed.setting("cleanup.policy").unwrap_or("delete");
        let compacted = found.split(',').any(|policy| policy.trim() == "compact");
        match wanted.role {
            OwnTopic::Control if found != "compact" => self.warn(format!(
                "topic {} has cleanup.policy={found} instead of compact: marks in it are forgotten by age",
                wanted.name
            )),
            OwnTopic::Tier(_) | OwnTopic::DeadLetters if compacted => {
                self.unusable.push(Unusable::Compacted { topic: wanted.name.clone(), found: found.to_owned() });
            }
            _ => {}
        }
    }

    fn verify_retention(&mut self, wanted: &Wanted, observed: &Observed) {
        let needed = match wanted.role {
            OwnTopic::Control => return,
            OwnTopic::Tier(delay) => delay.saturating_add(Duration::from_secs(14 * 86_400)),
            OwnTopic::DeadLetters => DEAD_LETTER_RETENTION,
        };
        let needed = i64::try_from(needed.as_millis()).unwrap_or(i64::MAX);
        let millis = observed.number("retention.ms").filter(|&millis| millis >= 0);
        if let Some(millis) = millis.filter(|&millis| millis < needed) {
            let (topic, kept) = (&wanted.name, Duration::from_millis(millis.unsigned_abs()));
            self.warn(format!("topic {topic} forgets records after {kept:?}, handled or not: raise retention.ms"));
        }
        if let Some(bytes) = observed.number("retention.bytes").filter(|&bytes| bytes >= 0) {
            let topic = &wanted.name;
            self.warn(format!(
                "topic {topic} forgets records beyond {bytes} bytes, handled or not: set retention.bytes=-1"
            ));
        }
    }

    fn verify_least(&mut self, wanted: &Wanted, observed: &Observed, name: &str, consequence: &str) {
        let needed = wanted.settings.get(name).and_then(|value| value.parse::<i64>().ok());
        let (Some(needed), Some(found)) = (needed, observed.number(name)) else { return };
        if found < needed {
            self.warn(format!("topic {} has {name}={found} instead of {needed}, {consequence}", wanted.name));
        }
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
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
