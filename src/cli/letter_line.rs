//! A dead letter as one JSON object: the form of `dlq export`, and of `dlq show --output json`.

use super::lines::{Bytes, Header, headers};
use crate::admin::{DeadLetter, Past};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct LetterLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    /// When it was buried, RFC 3339 in UTC.
    buried: Option<String>,
    /// Null where it cannot be read; then `unreadable` says why.
    past: Option<&'a Past>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'a str>,
    /// `redriven`, `discarded`, or null while it is open.
    settled: Option<&'static str>,
    is_reference: bool,
    key: Option<Bytes>,
    headers: Vec<Header>,
    body: Option<Bytes>,
}

impl<'a> LetterLine<'a> {
    pub(super) fn of(letter: &'a DeadLetter) -> Self {
        Self {
            topic: &letter.topic,
            partition: letter.partition,
            offset: letter.offset,
            buried: letter.buried.map(|time| time.to_string()),
            past: letter.past.as_ref().ok(),
            unreadable: letter.past.as_ref().err().map(String::as_str),
            settled: letter.settled.map(|settlement| settlement.as_str()),
            is_reference: letter.is_reference,
            key: letter.key.clone().map(Bytes),
            headers: headers(&letter.headers),
            body: letter.body.clone().map(Bytes),
        }
    }
}
