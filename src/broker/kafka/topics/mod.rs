//! Topics at the start of a service: sources must be there, the group's own are made or verified.
//!
//! # Invariants
//! 1. Source topics are never made or changed (but on the embedded broker, which is empty at first).
//! 2. An existing topic of the group is never changed here; what would lose records is refused.
//! 3. Every existing tier of the group is in the result, also those that no configuration names any more (RULES 4).

#[cfg(test)]
mod tests;
pub(crate) mod verify;
pub(crate) mod wanted;

use super::{
    cluster::{Cluster, NotMade, Observed, Survey},
    connection::{LOOK_AGAIN, REACH, Unreachable},
};
use retrial_core::naming::{DelayError, GroupNames, OwnTopic};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};
use verify::{Findings, Unusable};
use wanted::{Basis, Wanted};

/// Partitions of a source topic that the embedded broker is asked to make.
const EMBEDDED_SOURCE_PARTITIONS: i32 = 3;

/// How long a source topic must be missing until it is said to be.
const BELIEF: Duration = Duration::from_secs(3);

/// What the topics are prepared for.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    /// Names of the group's own topics.
    pub(crate) names: &'a GroupNames,
    /// The source topics.
    pub(crate) sources: &'a [&'a str],
    /// Delays of the ladder.
    pub(crate) delays: &'a [Duration],
    /// Whether missing topics of the group are made.
    pub(crate) create: bool,
    /// Whether finished records of tiers may be deleted.
    pub(crate) may_trim: bool,
}

/// A source topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceTopic {
    /// Its name.
    pub(crate) name: String,
    /// How many partitions it has.
    pub(crate) partitions: i32,
    /// Its identity, where the broker tells it.
    pub(crate) id: Option<[u8; 16]>,
    /// How long it keeps a record: `None` if nobody tells, `Some(None)` for ever.
    pub(crate) retention: Option<Option<Duration>>,
}

/// A tier of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TierTopic {
    /// Its delay; zero is the way back in.
    pub(crate) delay: Duration,
    /// Its name.
    pub(crate) name: String,
    /// How many partitions it has.
    pub(crate) partitions: i32,
    /// Its identity, where the broker tells it.
    pub(crate) id: Option<[u8; 16]>,
    /// Whether the ladder has it; if not, it is read until it is empty.
    pub(crate) configured: bool,
}

/// Topics that are ready for a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// The source topics, in the order asked for.
    pub(crate) sources: Vec<SourceTopic>,
    /// Every tier that exists, shortest delay first.
    pub(crate) tiers: Vec<TierTopic>,
    /// What was made.
    pub(crate) made: Vec<String>,
    /// What an operator should know, in words.
    pub(crate) warnings: Vec<String>,
}

/// Why a service cannot start with the topics as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicsError {
    /// The cluster did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// A source topic is missing.
    #[error(
        "source topic {topic} does not exist on {address}, or this user may not see it: make it, correct the name, or \
         grant DESCRIBE and READ on it (retrial makes only topics of its own)"
    )]
    SourceMissing {
        /// The topic.
        topic: String,
        /// What was connected to.
        address: String,
    },
    /// Topics of the group are missing and must not be made.
    #[error(
        "topics of the group are missing on {address}: {}; make them, or allow it with create_topics(true)",
        .topics.join(", ")
    )]
    OwnMissing {
        /// The topics.
        topics: Vec<String>,
        /// What was connected to.
        address: String,
    },
    /// A topic of the group was not made.
    #[error("topic {topic} was not made on {address}: {reason}{}", if *.forbidden {
        "; grant CREATE on it (or on the cluster), or have somebody make it who may"
    } else { "" })]
    NotMade {
        /// The topic.
        topic: String,
        /// What was connected to.
        address: String,
        /// In the broker's words.
        reason: String,
        /// Whether a right is missing.
        forbidden: bool,
    },
    /// Topics of the group cannot be used as they are.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unusable(Vec<Unusable>),
    /// A delay of the ladder cannot be a tier's.
    #[error(transparent)]
    Delay(#[from] DelayError),
}

/// Makes and verifies the topics of a group. Waits for the cluster, some ten seconds at most for each question.
///
/// # Errors
/// The first thing that makes a safe start impossible, with what to do about it.
pub(crate) fn prepare(cluster: &Cluster, order: &Order<'_>) -> Result<Prepared, TopicsError> {
    let mut survey = survey_with_sources(cluster, order)?;
    read_settings(cluster, order, &mut survey)?;
    let mut prepared = Prepared::default();
    let basis = basis(order, &survey, cluster.has_settings(), &mut prepared.warnings);
    let wanted = Wanted::all(order.names, order.delays, &basis)?;
    let (there, missing): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|own| survey.topics.contains_key(&own.name));
    if cluster.has_settings() {
        verify_all(order, &survey, there, &basis, &mut prepared.warnings)?;
    }
    make(cluster, order, &missing)?;
    for own in missing {
        let made = Observed { partitions: own.partitions, replicas: own.replicas, settings: own.settings };
        prepared.made.push(own.name.clone());
        if cluster.has_settings() && own.replicas < 2 {
            prepared.warnings.push(format!(
                "topic {} was made with one replica, since the cluster has one broker: a record acknowledged there is \
                 lost with it",
                own.name
            ));
        }
        survey.topics.insert(own.name, made);
    }
    list(cluster, order, &survey, &mut prepared)?;
    Ok(prepared)
}

/// What is there, all sources among it. A broker that has just come back, or has much to do, answers for some time from
/// what it knew before, and another one may be asked the next time: that a topic is missing is believed after [`BELIEF`].
fn survey_with_sources(cluster: &Cluster, order: &Order<'_>) -> Result<Survey, TopicsError> {
    let deadline = Instant::now() + BELIEF;
    loop {
        let mut survey = cluster.survey()?;
        make_embedded_sources(cluster, order, &mut survey)?;
        let missing = order.sources.iter().find(|&&topic| !survey.topics.contains_key(topic));
        let Some(&topic) = missing else { return Ok(survey) };
        if Instant::now() >= deadline {
            let address = cluster.address().to_owned();
            return Err(TopicsError::SourceMissing { topic: topic.to_owned(), address });
        }
        thread::sleep(5 * LOOK_AGAIN);
    }
}

fn make_embedded_sources(cluster: &Cluster, order: &Order<'_>, survey: &mut Survey) -> Result<(), TopicsError> {
    let Cluster::Embedded(broker) = cluster else { return Ok(()) };
    for &topic in order.sources.iter().filter(|&&topic| !survey.topics.contains_key(topic)) {
        broker.create_topic(topic, EMBEDDED_SOURCE_PARTITIONS).map_err(|error| TopicsError::NotMade {
            topic: topic.to_owned(),
            address: broker.address().to_owned(),
            reason: error.to_string(),
            forbidden: false,
        })?;
    }
    *survey = cluster.survey()?;
    Ok(())
}

/// Puts the settings of the topics that matter into the survey.
fn read_settings(cluster: &Cluster, order: &Order<'_>, survey: &mut Survey) -> Result<(), TopicsError> {
    let matters = |name: &&String| order.sources.contains(&name.as_str()) || order.names.parse(name).is_some();
    let names: Vec<String> = survey.topics.keys().filter(matters).cloned().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (name, settings) in cluster.settings(&names)? {
        if let Some(topic) = survey.topics.get_mut(&name) {
            topic.settings = settings;
        }
    }
    Ok(())
}

fn basis(order: &Order<'_>, survey: &Survey, has_settings: bool, warnings: &mut Vec<String>) -> Basis {
    let sources = || order.sources.iter().filter_map(|&name| Some((name, survey.topics.get(name)?)));
    if has_settings {
        for (name, _) in sources().filter(|(_, topic)| topic.settings.is_empty()) {
            warnings.push(format!(
                "the settings of source topic {name} cannot be read; it is taken to have Kafka's default record size: \
                 grant DESCRIBE_CONFIGS on it"
            ));
        }
    }
    Basis::of(sources().map(|(_, topic)| topic), survey.brokers, order.may_trim)
}

/// Verifies what is there: what the configuration wants, and tiers that it no longer names.
fn verify_all(
    order: &Order<'_>,
    survey: &Survey,
    there: Vec<Wanted>,
    basis: &Basis,
    warnings: &mut Vec<String>,
) -> Result<(), TopicsError> {
    let mut all: BTreeMap<String, Wanted> = there.into_iter().map(|own| (own.name.clone(), own)).collect();
    for (name, role) in own_topics(order.names, survey) {
        if let OwnTopic::Tier(delay) = role {
            let known = Wanted::all(order.names, &[delay], basis)?;
            all.extend(known.into_iter().filter(|own| own.name == name).map(|own| (own.name.clone(), own)));
        }
    }
    let mut findings = Findings::default();
    for (name, own) in &all {
        if let Some(observed) = survey.topics.get(name) {
            findings.verify(own, observed);
        }
    }
    warnings.append(&mut findings.warnings);
    if findings.unusable.is_empty() { Ok(()) } else { Err(TopicsError::Unusable(findings.unusable)) }
}

fn make(cluster: &Cluster, order: &Order<'_>, missing: &[Wanted]) -> Result<(), TopicsError> {
    let address = || cluster.address().to_owned();
    // An embedded broker is empty at first, and nobody else could make topics there.
    if !order.create && cluster.has_settings() && !missing.is_empty() {
        let topics = missing.iter().map(|own| own.name.clone()).collect();
        return Err(TopicsError::OwnMissing { topics, address: address() });
    }
    match cluster.create(missing)?.into_iter().next() {
        None => wait_until_visible(cluster, missing),
        Some(NotMade { topic, reason, forbidden }) => {
            Err(TopicsError::NotMade { topic, address: address(), reason, forbidden })
        }
    }
}

/// Brokers hear of a topic some time after the controller made it, and whoever subscribes before that learns of it
/// only at the next refresh of its metadata, minutes later.
fn wait_until_visible(cluster: &Cluster, made: &[Wanted]) -> Result<(), TopicsError> {
    let deadline = Instant::now() + REACH;
    loop {
        let survey = cluster.survey()?;
        let Some(hidden) = made.iter().find(|own| !survey.topics.contains_key(&own.name)) else { return Ok(()) };
        if Instant::now() >= deadline {
            let reason = format!("it was made, and no broker shows it after {REACH:?}");
            let address = cluster.address().to_owned();
            return Err(TopicsError::NotMade { topic: hidden.name.clone(), address, reason, forbidden: false });
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn own_topics<'a>(names: &'a GroupNames, survey: &'a Survey) -> impl Iterator<Item = (&'a str, OwnTopic)> {
    survey.topics.keys().filter_map(|name| Some((name.as_str(), names.parse(name)?)))
}

/// Fills in sources and tiers.
fn list(cluster: &Cluster, order: &Order<'_>, survey: &Survey, prepared: &mut Prepared) -> Result<(), TopicsError> {
    let mut tiers: Vec<(Duration, &str)> = own_topics(order.names, survey)
        .filter_map(|(name, role)| if let OwnTopic::Tier(delay) = role { Some((delay, name)) } else { None })
        .collect();
    tiers.sort_unstable();
    let names: Vec<&str> = order.sources.iter().copied().chain(tiers.iter().map(|&(_, name)| name)).collect();
    let ids = cluster.topic_ids(&names)?;
    for (delay, name) in tiers {
        prepared.tiers.push(TierTopic {
            delay,
            name: name.to_owned(),
            partitions: survey.topics[name].partitions,
            id: ids.get(name).copied(),
            configured: delay.is_zero() || order.delays.contains(&delay),
        });
    }
    for &name in order.sources {
        let topic = &survey.topics[name];
        prepared.sources.push(SourceTopic {
            name: name.to_owned(),
            partitions: topic.partitions,
            id: ids.get(name).copied(),
            retention: retention(topic),
        });
    }
    Ok(())
}

/// By age only: a bound by size cannot be told in time.
fn retention(topic: &Observed) -> Option<Option<Duration>> {
    let compacted = topic.setting("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
    let bounded = topic.number("retention.bytes").is_some_and(|bytes| bytes >= 0);
    let millis = topic.number("retention.ms").filter(|_| !compacted && !bounded)?;
    Some(u64::try_from(millis).ok().map(Duration::from_millis))
}
