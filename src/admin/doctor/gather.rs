//! Looks at a cluster and a group. What cannot be read is noted, never passed over.

use super::{
    DoctorScope,
    finding::Unchecked,
    picture::{Picture, TopicSeen},
};
use crate::{
    admin::{
        AdminError, status,
        topics::{matters, sources},
    },
    broker::kafka::{Inspector, Kafka, Operation, Operations, Operator, Place, Survey},
};
use retrial_core::{naming::GroupNames, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

/// Notes of what could not be read.
#[derive(Default)]
struct Notes(Vec<Unchecked>);

impl Notes {
    /// The answer, or nothing and a note.
    fn take<T, E: Display>(&mut self, what: impl Into<String>, answer: Result<T, E>) -> Option<T> {
        answer.map_err(|why| self.0.push(Unchecked { what: what.into(), why: why.to_string() })).ok()
    }

    fn operations(&mut self, what: &str, answer: Operations) -> Option<Vec<Operation>> {
        let told = self.take(format!("rights on {what}"), answer)?;
        if told.is_none() {
            self.0.push(Unchecked { what: format!("rights on {what}"), why: "the broker does not tell".to_owned() });
        }
        told
    }
}

/// The picture of a cluster and a group.
///
/// # Errors
/// No broker answered, or a property is not accepted.
pub(super) fn gather(
    kafka: &Kafka,
    names: &GroupNames,
    scope: &DoctorScope,
    now: Timestamp,
) -> Result<Picture, AdminError> {
    let inspector = Inspector::connect(kafka, names.group())?;
    let mut notes = Notes::default();
    let sources = notes.take("which topics the group reads", sources(kafka, names, &scope.sources)).unwrap_or_default();
    let survey = inspector.survey(|topic| matters(names, &sources, topic))?;
    let topics = topics(&inspector, names, &sources, &survey, &mut notes)?;
    let seen = notes.take("the cluster", inspector.cluster());
    let cluster = seen.as_ref().and_then(|seen| notes.operations("the cluster", Ok(seen.operations.clone())));
    let ids: Vec<i32> = seen.map(|seen| seen.brokers).unwrap_or_default();
    let brokers = ids.into_iter().map(|id| (id, settings_of(&inspector, id, &mut notes))).collect();
    let known: Vec<&str> = topics.keys().map(String::as_str).collect();
    let identities =
        if known.is_empty() { None } else { notes.take("identities of topics", inspector.has_identities(&known)) };
    let group = notes.operations(&format!("group {}", names.group()), inspector.group_operations(names.group()));
    // Without the right to see the group, that is the finding.
    let may_see = group.as_ref().is_none_or(|may| !may.is_empty());
    let status = may_see.then(|| notes.take("how far the group is", status(kafka, names))).flatten();
    let members = may_see.then(|| notes.take("the members of the group", members(kafka, names))).flatten();
    Ok(Picture {
        names: names.clone(),
        now,
        brokers,
        cluster,
        group,
        sources,
        topics,
        delays: scope.delays.clone(),
        identities,
        status,
        members,
        unchecked: notes.0,
    })
}

fn topics(
    inspector: &Inspector,
    names: &GroupNames,
    sources: &BTreeSet<String>,
    survey: &Survey,
    notes: &mut Notes,
) -> Result<BTreeMap<String, TopicSeen>, AdminError> {
    let known = || survey.topics.iter().filter(|(name, _)| matters(names, sources, name));
    let mut health = inspector.health(|topic| matters(names, sources, topic))?;
    let mut operations = inspector.topic_operations(&known().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    let mut topics = BTreeMap::new();
    for (name, observed) in known() {
        if observed.settings.is_empty() {
            let why = format!("this user may not see them: grant DescribeConfigs on topic {name}");
            notes.0.push(Unchecked { what: format!("settings of topic {name}"), why });
        }
        let told = operations.remove(name).unwrap_or(Ok(None));
        let seen = TopicSeen {
            observed: observed.clone(),
            health: health.remove(name).unwrap_or_default(),
            operations: notes.operations(&format!("topic {name}"), told),
        };
        topics.insert(name.clone(), seen);
    }
    Ok(topics)
}

/// Empty where they cannot be read.
fn settings_of(inspector: &Inspector, broker: i32, notes: &mut Notes) -> BTreeMap<String, String> {
    let settings = inspector.broker_settings(broker);
    let settings = settings.map_err(|why| format!("{why}: grant DescribeConfigs on the cluster"));
    notes.take(format!("settings of broker {broker}"), settings).unwrap_or_default()
}

/// What each member is assigned, of a group that is not about to change that.
fn members(kafka: &Kafka, names: &GroupNames) -> Result<Vec<Vec<Place>>, String> {
    let (state, members) = Operator::connect(kafka, names.group())
        .and_then(|operator| operator.members())
        .map_err(|error| error.to_string())?;
    if is_moving(&state) {
        return Err(format!("the group is in state {state}: ask again when it is stable"));
    }
    Ok(members.into_iter().map(|member| member.partitions).collect())
}

/// The client library calls states that it does not know `Unknown`: those of KIP-848 in which assignments change.
fn is_moving(state: &str) -> bool {
    !["Stable", "Empty", "Dead"].contains(&state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_group_that_stands_still_shows_who_reads_what() {
        for state in ["Stable", "Empty", "Dead"] {
            assert!(!is_moving(state), "{state}");
        }
        for state in ["PreparingRebalance", "CompletingRebalance", "Unknown"] {
            assert!(is_moving(state), "{state}");
        }
    }
}
