//! One operation, for people and for programs.

use crate::{
    admin::{Kind, Operation, Span, State},
    cli::{
        end::{End, Ended},
        table::{count, things},
    },
};
use serde::Serialize;

/// An operation in JSON.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct OperationShown {
    id: String,
    kind: String,
    who: String,
    began: String,
    changed: String,
    /// `running`, `stopped`, `done`; or `broken_off`, if it is running by what it said last and nobody is at work.
    state: String,
    planned: u64,
    sent: u64,
    settled: u64,
    left: u64,
    reason: Option<String>,
    note: Option<String>,
    request: serde_json::Value,
    partitions: Vec<SpanShown>,
}

#[derive(Debug, Serialize)]
struct SpanShown {
    topic: String,
    partition: i32,
    from: i64,
    next: i64,
    end: i64,
}

/// How an operation stands, in a word. `at_work`: whose claim stands.
pub(super) fn state(operation: &Operation, at_work: Option<&str>) -> &'static str {
    match operation.state {
        State::Running if at_work == Some(operation.id.as_str()) => "running",
        State::Running => "broken_off",
        State::Stopped => "stopped",
        State::Done => "done",
        _ => "unknown",
    }
}

impl OperationShown {
    pub(in crate::cli) fn of(operation: &Operation, at_work: Option<&str>) -> Self {
        let span = |span: &Span| SpanShown {
            topic: span.topic.clone(),
            partition: span.partition,
            from: span.from,
            next: span.next,
            end: span.end,
        };
        // What another version wrote is shown as it is.
        let request = serde_json::from_str(&operation.request);
        Self {
            id: operation.id.clone(),
            kind: operation.kind.to_string(),
            who: operation.who.clone(),
            began: operation.began.to_string(),
            changed: operation.changed.to_string(),
            state: state(operation, at_work).to_owned(),
            planned: operation.planned,
            sent: operation.counts.sent,
            settled: operation.counts.settled,
            left: operation.counts.left,
            reason: operation.reason.clone(),
            note: operation.note.clone(),
            request: request.unwrap_or_else(|_| operation.request.clone().into()),
            partitions: operation.spans.iter().map(span).collect(),
        }
    }
}

/// What an operation came to, in a line.
pub(in crate::cli) fn came_to(operation: &Operation) -> String {
    let counts = operation.counts;
    let mut text = match operation.kind {
        Kind::Discard => things(counts.settled, "dead letter discarded", "dead letters discarded"),
        Kind::Redrive => {
            let back = things(counts.sent, "dead letter sent back", "dead letters sent back");
            match counts.settled.saturating_sub(counts.sent) {
                0 => back,
                copies => format!("{back}, {} settled with them", count(copies)),
            }
        }
        _ => things(counts.sent, "record sent", "records sent"),
    };
    if counts.left > 0 {
        text.push_str(&format!(", {} left", count(counts.left)));
    }
    text
}

/// The end of a command that carried out an operation.
pub(in crate::cli) fn ended(operation: &Operation) -> Ended {
    match operation.state {
        State::Done => Ok(End::Done),
        _ => {
            let why = operation.note.as_deref().unwrap_or("stopped");
            let (planned, id) = (count(operation.planned), &operation.id);
            let text = format!("{why}: {} of {planned}; to go on: retrial operations resume {id}", came_to(operation));
            Ok(End::Partly(text))
        }
    }
}
