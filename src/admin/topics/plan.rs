//! What would be made and changed.

use super::mend::mend;
use crate::{
    admin::AdminError,
    broker::kafka::{Basis, Health, Inspector, Kafka, Observed, Operator, Survey, Wanted},
};
use retrial_core::{
    ladder::Ladder,
    naming::{GroupNames, OwnTopic},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What the group's topics are planned for. A command line does not know the service; what it says nothing of is taken
/// from what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicsScope {
    /// The source topics; those that the group has committed if empty.
    pub sources: Vec<String>,
    /// Delays of the ladder. Without: the tiers that exist, or the default ladder if there is none.
    pub delays: Option<Vec<Duration>>,
    /// Whether the service leaves finished records in its tiers (`Kafka::trim_tiers(false)`).
    pub keeps_finished: bool,
}

/// What one of the group's own topics is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnRole {
    /// A tier, or the way back in.
    Tier,
    /// The dead letters.
    DeadLetters,
    /// What operators did.
    Control,
}

/// A source topic, as far as the group's own depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceSeen {
    /// The topic.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// The largest record it takes, in bytes; `None` if its settings cannot be read.
    pub max_message_bytes: Option<i64>,
}

/// A topic's numbers and those settings that matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TopicShape {
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas; of the partition with the fewest.
    pub replicas: i32,
    /// Settings by name; empty where they cannot be read.
    pub settings: BTreeMap<String, String>,
}

/// A setting to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SettingChange {
    /// Its name.
    pub setting: String,
    /// Its value; `None` if unknown.
    pub from: Option<String>,
    /// Its value to be.
    pub to: String,
    /// What is wrong with it.
    pub why: String,
}

impl SettingChange {
    pub(super) fn new(setting: &str, observed: &Observed, to: String, why: String) -> Self {
        Self { setting: setting.to_owned(), from: observed.setting(setting).map(str::to_owned), to, why }
    }
}

/// Something that is not as it should be, and is not changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftAlone {
    /// What is wrong.
    pub why: String,
    /// What may be done about it, or why nothing is.
    pub remedy: String,
}

/// One of the group's own topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TopicPlan {
    /// The topic.
    pub topic: String,
    /// What it is for.
    pub role: OwnRole,
    /// Its delay, of a tier; 0 is the way back in.
    pub delay_seconds: Option<u64>,
    /// Whether the ladder has it; a tier that is not is read until it is empty, and not made. True of other topics.
    pub in_ladder: bool,
    /// As it is; `None` if it is to be made.
    pub found: Option<TopicShape>,
    /// As it would be made.
    pub wanted: TopicShape,
    /// Settings to be changed.
    pub changes: Vec<SettingChange>,
    /// What is left as it is.
    pub left: Vec<LeftAlone>,
    #[serde(skip)]
    pub(super) made: Wanted,
}

/// What would be made and changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TopicsPlan {
    /// The group.
    pub group: String,
    /// Brokers that are up.
    pub brokers: usize,
    /// The source topics that the rest depends on.
    pub sources: Vec<SourceSeen>,
    /// Where the ladder is from.
    pub ladder_from: LadderFrom,
    /// The group's own topics, by name.
    pub topics: Vec<TopicPlan>,
    #[serde(skip)]
    pub(super) scope: TopicsScope,
}

/// Where a plan has the delays of its ladder from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LadderFrom {
    /// Somebody said them.
    Given,
    /// The tiers that exist.
    Existing,
    /// None was given and none exists.
    Default,
}

impl TopicsPlan {
    /// Topics to be made.
    pub fn missing(&self) -> impl Iterator<Item = &TopicPlan> {
        self.topics.iter().filter(|topic| topic.found.is_none())
    }

    /// Topics to be changed.
    pub fn changed(&self) -> impl Iterator<Item = &TopicPlan> {
        self.topics.iter().filter(|topic| !topic.changes.is_empty())
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing().next().is_none() && self.changed().next().is_none()
    }
}

/// What would be made and changed. Nothing is written.
///
/// # Errors
/// No source topic is known, or one does not exist; delays that make no ladder; or see [`AdminError`].
pub fn plan_topics(kafka: &Kafka, names: &GroupNames, scope: &TopicsScope) -> Result<TopicsPlan, AdminError> {
    let inspector = Inspector::connect(kafka, names.group())?;
    let sources = sources(kafka, names, &scope.sources)?;
    planned(&inspector, names, scope, &sources)
}

/// The source topics of a group: those that are named, else those that it has committed.
pub(in crate::admin) fn sources(
    kafka: &Kafka,
    names: &GroupNames,
    named: &[String],
) -> Result<BTreeSet<String>, AdminError> {
    if !named.is_empty() {
        return Ok(named.iter().cloned().collect());
    }
    let operator = Operator::connect(kafka, names.group())?;
    let committed = operator.committed()?;
    let is_source = |topic: &&String| names.parse(topic).is_none() && operator.topics().contains_key(*topic);
    Ok(committed.keys().map(|(topic, _)| topic).filter(is_source).cloned().collect())
}

/// Whether a topic's settings matter to the group.
pub(in crate::admin) fn matters(names: &GroupNames, sources: &BTreeSet<String>, topic: &str) -> bool {
    sources.contains(topic) || names.parse(topic).is_some()
}

pub(super) fn planned(
    inspector: &Inspector,
    names: &GroupNames,
    scope: &TopicsScope,
    sources: &BTreeSet<String>,
) -> Result<TopicsPlan, AdminError> {
    if sources.is_empty() {
        return Err(AdminError::NoSource { group: names.group().to_owned() });
    }
    let survey = inspector.survey(|topic| matters(names, sources, topic))?;
    if let Some(topic) = sources.iter().find(|topic| !survey.topics.contains_key(*topic)) {
        return Err(AdminError::NoTopic { topic: topic.clone(), address: inspector.address().to_owned() });
    }
    let health = inspector.health(|topic| names.parse(topic).is_some())?;
    decide(names, scope, sources, &survey, &health)
}

/// The plan for what is there.
fn decide(
    names: &GroupNames,
    scope: &TopicsScope,
    sources: &BTreeSet<String>,
    survey: &Survey,
    health: &BTreeMap<String, Health>,
) -> Result<TopicsPlan, AdminError> {
    let seen: Vec<(&String, &Observed)> =
        sources.iter().filter_map(|name| Some((name, survey.topics.get(name)?))).collect();
    let basis = Basis::of(seen.iter().map(|(_, topic)| *topic), survey.brokers, !scope.keeps_finished);
    let existing: BTreeSet<Duration> = tiers(names, survey).collect();
    let (ladder, ladder_from) = ladder(scope, &existing)?;
    let all: Vec<Duration> = ladder.iter().copied().chain(existing).collect();
    let wanted = Wanted::all(names, &all, &basis).map_err(|error| AdminError::Ladder(error.into()))?;
    Ok(TopicsPlan {
        group: names.group().to_owned(),
        brokers: survey.brokers,
        sources: seen.iter().map(|(name, topic)| source(name, topic)).collect(),
        ladder_from,
        topics: wanted.into_iter().map(|wanted| topic(wanted, &ladder, survey, health)).collect(),
        scope: scope.clone(),
    })
}

fn source(name: &str, topic: &Observed) -> SourceSeen {
    let max_message_bytes = topic.number("max.message.bytes");
    SourceSeen { topic: name.to_owned(), partitions: topic.partitions, max_message_bytes }
}

fn tiers(names: &GroupNames, survey: &Survey) -> impl Iterator<Item = Duration> {
    survey.topics.keys().filter_map(|topic| match names.parse(topic)? {
        OwnTopic::Tier(delay) if !delay.is_zero() => Some(delay),
        _ => None,
    })
}

fn ladder(scope: &TopicsScope, existing: &BTreeSet<Duration>) -> Result<(Vec<Duration>, LadderFrom), AdminError> {
    let (ladder, from) = match &scope.delays {
        Some(delays) => (Ladder::new(delays.iter().copied())?, LadderFrom::Given),
        None if !existing.is_empty() => (Ladder::new(existing.iter().copied())?, LadderFrom::Existing),
        None => (Ladder::default(), LadderFrom::Default),
    };
    Ok((ladder.delays().to_vec(), from))
}

fn topic(wanted: Wanted, ladder: &[Duration], survey: &Survey, health: &BTreeMap<String, Health>) -> TopicPlan {
    let (role, delay) = match wanted.role {
        OwnTopic::Tier(delay) => (OwnRole::Tier, Some(delay)),
        OwnTopic::DeadLetters => (OwnRole::DeadLetters, None),
        OwnTopic::Control => (OwnRole::Control, None),
    };
    let found = survey.topics.get(&wanted.name);
    let health = health.get(&wanted.name).cloned().unwrap_or_default();
    let (changes, left) = found.map(|observed| mend(&wanted, observed, &health)).unwrap_or_default();
    TopicPlan {
        topic: wanted.name.clone(),
        role,
        delay_seconds: delay.map(|delay| delay.as_secs()),
        in_ladder: delay.is_none_or(|delay| delay.is_zero() || ladder.contains(&delay)),
        found: found.map(shape),
        wanted: TopicShape {
            partitions: wanted.partitions,
            replicas: wanted.replicas,
            settings: wanted.settings.clone(),
        },
        changes,
        left,
        made: wanted,
    }
}

/// The settings that own topics are made with.
const SHOWN: [&str; 7] = [
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
];

fn shape(topic: &Observed) -> TopicShape {
    let shown = SHOWN.iter().filter_map(|&name| Some((name.to_owned(), topic.setting(name)?.to_owned())));
    TopicShape { partitions: topic.partitions, replicas: topic.replicas, settings: shown.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(topics: &[(&str, i32)]) -> Survey {
        let one = |&(name, partitions): &(&str, i32)| {
            let settings = BTreeMap::from([("max.message.bytes".to_owned(), "2000000".to_owned())]);
            (name.to_owned(), Observed { partitions, replicas: 3, settings })
        };
        Survey { brokers: 3, topics: topics.iter().map(one).collect() }
    }

    fn plan(scope: &TopicsScope, topics: &[(&str, i32)]) -> Result<TopicsPlan, AdminError> {
        let names = GroupNames::new("billing", None).unwrap();
        decide(&names, scope, &BTreeSet::from(["orders".to_owned()]), &survey(topics), &BTreeMap::new())
    }

    fn missing(plan: &TopicsPlan) -> Vec<&str> {
        plan.missing().map(|topic| topic.topic.strip_prefix("billing.").unwrap()).collect()
    }

    #[test]
    fn a_new_group_gets_the_default_ladder_or_the_one_that_is_said() {
        let found = plan(&TopicsScope::default(), &[("orders", 12)]).unwrap();
        let expected = ["control", "dlq", "retry.0s", "retry.10m", "retry.1h", "retry.1m", "retry.5s", "retry.6h"];
        assert_eq!((missing(&found), found.ladder_from), (expected.to_vec(), LadderFrom::Default));
        let delays = Some(vec![Duration::from_secs(1), Duration::from_secs(90)]);
        let found = plan(&TopicsScope { delays, ..TopicsScope::default() }, &[("orders", 12)]).unwrap();
        assert_eq!(missing(&found), ["control", "dlq", "retry.0s", "retry.1s", "retry.90s"]);
        let dead_letters = found.topics.iter().find(|topic| topic.role == OwnRole::DeadLetters).unwrap();
        assert_eq!((dead_letters.wanted.partitions, dead_letters.wanted.replicas), (6, 3));
        assert_eq!(dead_letters.wanted.settings["max.message.bytes"], "2008192");
    }

    #[test]
    fn tiers_that_exist_are_the_ladder_unless_another_is_said() {
        let topics = [("orders", 12), ("billing.retry.5s", 6), ("billing.retry.30s", 6)];
        let found = plan(&TopicsScope::default(), &topics).unwrap();
        assert_eq!((missing(&found), found.ladder_from), (vec!["control", "dlq", "retry.0s"], LadderFrom::Existing));
        let delays = Some(vec![Duration::from_secs(5)]);
        let found = plan(&TopicsScope { delays, ..TopicsScope::default() }, &topics).unwrap();
        assert_eq!(missing(&found), ["control", "dlq", "retry.0s"]);
        let outside: Vec<&str> =
            found.topics.iter().filter(|topic| !topic.in_ladder).map(|topic| topic.topic.as_str()).collect();
        assert_eq!(outside, ["billing.retry.30s"]);
    }

    #[test]
    fn delays_that_are_no_ladder_are_refused() {
        for delays in [vec![], vec![0], vec![5, 5], vec![60, 5], vec![400 * 86_400]] {
            let delays = Some(delays.into_iter().map(Duration::from_secs).collect());
            assert!(matches!(
                plan(&TopicsScope { delays, ..TopicsScope::default() }, &[("orders", 1)]),
                Err(AdminError::Ladder(_))
            ));
        }
    }

    #[test]
    fn tiers_that_are_not_trimmed_forget() {
        let scope = TopicsScope { keeps_finished: true, ..TopicsScope::default() };
        let found = plan(&scope, &[("orders", 1)]).unwrap();
        let tier = found.topics.iter().find(|topic| topic.delay_seconds == Some(3600)).unwrap();
        assert_eq!(tier.wanted.settings["retention.ms"], "1213200000");
    }
}
