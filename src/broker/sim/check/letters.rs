//! Promise 7: a dead letter says why it is one.

use super::{Terms, Violation};
use crate::broker::sim::{
    log::Stored,
    trace::{Event, Spot, Trace},
};
use retrial_core::{naming::OwnTopic, outcome::Cause};

pub(super) fn judge(trace: &Trace, terms: &Terms) -> Vec<Violation> {
    if terms.limits.is_none() {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (at, event) in trace.events().enumerate() {
        if let Event::Appended { place, record, by: Some(_) } = event
            && terms.names.parse(&place.topic) == Some(OwnTopic::DeadLetters)
            && let Some(missing) = missing(&place.topic, record, terms)
        {
            let what = format!("the dead letter {} has no {missing}", Spot::of(place, record));
            violations.push(Violation { promise: "dead letters say why", at, what });
        }
    }
    violations
}

/// What a dead letter should say and does not.
fn missing(topic: &str, record: &Stored, terms: &Terms) -> Option<&'static str> {
    let Some(history) = terms.history(topic, record) else { return Some("history") };
    let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let failed = matches!(history.cause, Some(Cause::Exhausted));
    [
        ("cause", history.cause.is_some()),
        ("kind", said(&history.error_kind)),
        ("error", said(&history.error)),
        ("count of attempts", !failed || history.attempts > 0),
        ("time of failure", !failed || history.last_failed.is_some()),
    ]
    .into_iter()
    .find_map(|(what, is_there)| (!is_there).then_some(what))
}
