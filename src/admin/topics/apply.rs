//! A plan carried out.

use super::plan::{TopicsPlan, planned, sources};
use crate::{
    admin::AdminError,
    broker::kafka::{Alteration, Inspector, Kafka, NotMade, Wanted},
};
use retrial_core::naming::GroupNames;
use serde::Serialize;

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TopicsApplied {
    /// Topics that were made.
    pub made: Vec<String>,
    /// Topics whose settings were changed.
    pub changed: Vec<String>,
    /// What was not done, each with its topic and the broker's reason.
    pub failed: Vec<String>,
}

/// Makes and changes what a plan shows, and waits until brokers show it. What one topic is refused is told beside the
/// others; doing it again does only what is left.
///
/// # Errors
/// The topics are not what they were when the plan was made, and then nothing was written; or see [`AdminError`].
pub fn apply_topics(kafka: &Kafka, names: &GroupNames, plan: &TopicsPlan) -> Result<TopicsApplied, AdminError> {
    let inspector = Inspector::connect(kafka, names.group())?;
    let sources = sources(kafka, names, &plan.scope.sources)?;
    if planned(&inspector, names, &plan.scope, &sources)? != *plan {
        return Err(AdminError::TopicsMoved { group: names.group().to_owned() });
    }
    let mut applied = TopicsApplied::default();
    let missing: Vec<Wanted> = plan.missing().map(|topic| topic.made.clone()).collect();
    let refused = inspector.create(&missing)?;
    (applied.made, applied.failed) = told(missing.iter().map(|wanted| wanted.name.as_str()), &refused, "Create");
    let alterations: Vec<Alteration> = plan
        .changed()
        .map(|topic| Alteration {
            topic: topic.topic.clone(),
            settings: topic.changes.iter().map(|change| (change.setting.clone(), change.to.clone())).collect(),
        })
        .collect();
    // What was made is made: a request that nobody answers must not hide it.
    let refused = inspector.alter(&alterations).unwrap_or_else(|error| {
        let one = |altered: &Alteration| NotMade {
            topic: altered.topic.clone(),
            reason: error.to_string(),
            forbidden: false,
        };
        alterations.iter().map(one).collect()
    });
    let (changed, mut failed) = told(alterations.iter().map(|one| one.topic.as_str()), &refused, "AlterConfigs");
    applied.changed = changed;
    applied.failed.append(&mut failed);
    let shown = inspector.until(|| {
        let now = planned(&inspector, names, &plan.scope, &sources)?;
        let is_left = |name: &String| now.missing().chain(now.changed()).any(|topic| topic.topic == *name);
        Ok::<_, AdminError>(!applied.made.iter().chain(&applied.changed).any(is_left))
    });
    if !shown.unwrap_or(false) {
        applied.failed.push("no broker shows all of what was done".to_owned());
    }
    Ok(applied)
}

/// Those that were done, and the others with their reasons.
fn told<'a>(topics: impl Iterator<Item = &'a str>, refused: &[NotMade], right: &str) -> (Vec<String>, Vec<String>) {
    let reason = |not: &NotMade| {
        let remedy = if not.forbidden { format!("; grant {right} on it") } else { String::new() };
        format!("{}: {}{remedy}", not.topic, not.reason)
    };
    let done = topics.filter(|topic| !refused.iter().any(|not| not.topic == *topic)).map(str::to_owned);
    (done.collect(), refused.iter().map(reason).collect())
}
