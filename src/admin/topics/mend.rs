//! How a difference is mended, or why it is left.

use super::plan::{LeftAlone, SettingChange};
use crate::broker::kafka::{Deviation, Health, Kind, Observed, Unusable, Wanted, deviations};

const CLEANUP: &str = "cleanup.policy";
const AGE: &str = "retention.ms";
const IN_SYNC: &str = "min.insync.replicas";

/// What is done about one existing topic, and what is left.
pub(super) fn mend(wanted: &Wanted, observed: &Observed, health: &Health) -> (Vec<SettingChange>, Vec<LeftAlone>) {
    let (mut changes, mut left) = (Vec::new(), Vec::new());
    for deviation in deviations(wanted, observed) {
        let why = deviation.to_string();
        match step(&deviation, wanted, observed, health) {
            Step::Set(setting, to) => changes.push(SettingChange::new(setting, observed, to, why)),
            Step::Leave(remedy) => left.push(LeftAlone { why, remedy }),
        }
    }
    keep_what_compaction_kept(observed, &mut changes);
    left.extend(numbers(wanted, observed));
    (changes, left)
}

enum Step {
    Set(&'static str, String),
    Leave(String),
}

fn step(deviation: &Deviation, wanted: &Wanted, observed: &Observed, health: &Health) -> Step {
    let topic = &wanted.name;
    let as_made = |setting: &'static str| Step::Set(setting, wanted.settings.get(setting).cloned().unwrap_or_default());
    match &deviation.kind {
        Kind::Unusable(Unusable::CreateTime { .. }) => as_made("message.timestamp.type"),
        Kind::Unusable(Unusable::Compacted { .. }) | Kind::NotCompacted(_) => as_made(CLEANUP),
        Kind::ForgetsByAge { .. } => as_made(AGE),
        Kind::ForgetsBySize(_) => as_made("retention.bytes"),
        // With fewer replicas than must be in sync nothing could be written any more; with as many, not while one is away.
        Kind::Below { setting: IN_SYNC, needed, .. } if i64::from(observed.replicas) <= *needed => {
            Step::Leave(format!(
                "with {} it would refuse records while a broker is away: add replicas first (kafka-reassign-partitions)",
                counted(observed.replicas, "replica")
            ))
        }
        Kind::Below { setting: IN_SYNC, .. } if !health.is_good() => Step::Leave(
            "replicas are behind, and until they are not it could refuse records: plan again when all brokers are back"
                .to_owned(),
        ),
        Kind::Below { setting, .. } => as_made(setting),
        Kind::OneReplica(_) => Step::Leave(if wanted.replicas < 2 {
            "the cluster has one broker: add brokers, then replicas (kafka-reassign-partitions)".to_owned()
        } else {
            format!("add replicas with kafka-reassign-partitions: {} are wanted", wanted.replicas)
        }),
        Kind::ControlPartitions(_) => {
            Step::Leave("partitions cannot be taken away, and the others do no harm".to_owned())
        }
        Kind::Unreadable => Step::Leave(format!("grant DescribeConfigs on topic {topic}, and plan again")),
    }
}

/// A topic that was only compacted has no bound by age, and what `delete` would forget at once is kept.
fn keep_what_compaction_kept(observed: &Observed, changes: &mut Vec<SettingChange>) {
    let only_compacted = observed.setting(CLEANUP) == Some("compact");
    let deletes = changes.iter().any(|change| change.setting == CLEANUP && change.to == "delete");
    if only_compacted && deletes && observed.number(AGE).is_some_and(|millis| millis >= 0) {
        changes.retain(|change| change.setting != AGE);
        let why = "what compaction has kept would be forgotten by its age at once".to_owned();
        changes.push(SettingChange::new(AGE, observed, "-1".to_owned(), why));
    }
}

/// Partitions and replicas, which are never changed here.
fn numbers(wanted: &Wanted, observed: &Observed) -> Vec<LeftAlone> {
    let topic = &wanted.name;
    let partitions = (observed.partitions < wanted.partitions).then(|| LeftAlone {
        why: format!(
            "topic {topic} has {} instead of {}, and as many members at most share its work",
            counted(observed.partitions, "partition"),
            wanted.partitions
        ),
        remedy: format!("kafka-topics --alter --topic {topic} --partitions {}", wanted.partitions),
    });
    // Fewer than two are a difference of their own.
    let replicas = (2..wanted.replicas).contains(&observed.replicas).then(|| LeftAlone {
        why: format!("topic {topic} has {} instead of {}", counted(observed.replicas, "replica"), wanted.replicas),
        remedy: "add replicas with kafka-reassign-partitions".to_owned(),
    });
    partitions.into_iter().chain(replicas).collect()
}

fn counted(number: i32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::kafka::Basis;
    use retrial_core::naming::GroupNames;
    use std::{collections::BTreeMap, time::Duration};

    const BASIS: Basis = Basis { source_partitions: 3, source_max_message: 1_000_000, brokers: 3, may_trim: true };

    fn wanted(name: &str, basis: &Basis) -> Wanted {
        let names = GroupNames::new("billing", None).unwrap();
        let all = Wanted::all(&names, &[Duration::from_secs(5)], basis).unwrap();
        all.into_iter().find(|wanted| wanted.name == format!("billing.{name}")).unwrap()
    }

    /// As wanted, changed in some settings.
    fn observed(wanted: &Wanted, settings: &[(&str, &str)]) -> Observed {
        let mut all = wanted.settings.clone();
        all.extend(settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        Observed { partitions: wanted.partitions, replicas: wanted.replicas, settings: all }
    }

    fn mended(name: &str, settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        let wanted = wanted(name, &BASIS);
        let (changes, left) = mend(&wanted, &observed(&wanted, settings), &Health::default());
        assert_eq!(left, [], "{settings:?}");
        changes.into_iter().map(|change| (change.setting, change.to)).collect()
    }

    #[test]
    fn what_is_as_wanted_stays() {
        for name in ["retry.5s", "retry.0s", "dlq", "control"] {
            assert_eq!(mended(name, &[]), BTreeMap::new());
        }
        let generous = [("retention.ms", "-1"), ("min.insync.replicas", "3"), ("max.message.bytes", "9000000")];
        assert_eq!(mended("dlq", &generous), BTreeMap::new());
        assert_eq!(mended("retry.5s", &[("compression.type", "lz4")]), BTreeMap::new(), "somebody chose that");
    }

    #[test]
    fn each_difference_has_its_setting() {
        for (name, setting, found, to) in [
            ("retry.5s", "message.timestamp.type", "CreateTime", "LogAppendTime"),
            ("retry.5s", "cleanup.policy", "compact,delete", "delete"),
            ("control", "cleanup.policy", "delete", "compact"),
            ("retry.5s", "retention.ms", "86400000", "-1"),
            ("dlq", "retention.ms", "86400000", "7776000000"),
            ("dlq", "retention.bytes", "1000", "-1"),
            ("dlq", "min.insync.replicas", "1", "2"),
            ("retry.5s", "max.message.bytes", "1000000", "1004096"),
        ] {
            let expected = BTreeMap::from([(setting.to_owned(), to.to_owned())]);
            assert_eq!(mended(name, &[(setting, found)]), expected, "{name} {setting}");
        }
    }

    #[test]
    fn letters_that_compaction_kept_are_not_forgotten_by_its_end() {
        let found = mended("dlq", &[("cleanup.policy", "compact"), ("retention.ms", "604800000")]);
        assert_eq!(found.get("retention.ms").map(String::as_str), Some("-1"));
        assert_eq!(found.get("cleanup.policy").map(String::as_str), Some("delete"));
    }

    #[test]
    fn a_mended_topic_needs_no_mending() {
        let bad = [
            ("message.timestamp.type", "CreateTime"),
            ("cleanup.policy", "compact"),
            ("retention.ms", "1000"),
            ("retention.bytes", "1000"),
            ("min.insync.replicas", "1"),
            ("max.message.bytes", "10"),
        ];
        for name in ["retry.5s", "dlq", "control"] {
            let wanted = wanted(name, &BASIS);
            let mut found = observed(&wanted, &bad);
            let (changes, _) = mend(&wanted, &found, &Health::default());
            assert!(!changes.is_empty());
            found.settings.extend(changes.into_iter().map(|change| (change.setting, change.to)));
            assert_eq!(mend(&wanted, &found, &Health::default()), (vec![], vec![]), "{name}");
        }
    }

    #[test]
    fn while_replicas_are_behind_no_more_of_them_are_asked_for() {
        let wanted = wanted("retry.5s", &BASIS);
        let found = observed(&wanted, &[("min.insync.replicas", "1"), ("retention.ms", "1")]);
        let behind = Health { behind: vec![0], ..Health::default() };
        let (changes, left) = mend(&wanted, &found, &behind);
        assert_eq!(changes.iter().map(|change| change.setting.as_str()).collect::<Vec<_>>(), ["retention.ms"]);
        assert!(matches!(&left[..], [left] if left.remedy.contains("plan again")), "{left:?}");
    }

    #[test]
    fn what_only_replicas_or_partitions_would_mend_is_left() {
        let wanted = wanted("retry.5s", &BASIS);
        for replicas in [1, 2] {
            let mut found = observed(&wanted, &[("min.insync.replicas", "1")]);
            (found.partitions, found.replicas) = (1, replicas);
            let (changes, left) = mend(&wanted, &found, &Health::default());
            assert_eq!(changes, [], "min.insync.replicas=2 with {replicas}");
            assert_eq!(left.len(), 3, "{left:?}");
            assert!(left.iter().any(|left| left.remedy.contains("--partitions 3")), "{left:?}");
        }
        let unreadable = Observed { settings: BTreeMap::new(), ..observed(&wanted, &[]) };
        let (changes, left) = mend(&wanted, &unreadable, &Health::default());
        assert_eq!((changes.len(), left.len()), (0, 1));
    }
}
