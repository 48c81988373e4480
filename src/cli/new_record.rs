//! A line of JSON as a record to be written.

use super::lines::{Bytes, Header};
use crate::admin::{NewHeader, NewRecord};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What a line may say. The last fields are those of an exported dead letter, and say nothing here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(default)]
    key: Option<Bytes>,
    #[serde(borrow, default)]
    body: Option<&'l RawValue>,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    to_partition: Option<i32>,
    #[serde(default)]
    is_reference: bool,
    #[serde(default, rename = "topic")]
    _topic: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "partition")]
    _partition: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "offset")]
    _offset: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "buried")]
    _buried: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "settled")]
    _settled: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "past")]
    _past: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "unreadable")]
    _unreadable: Option<serde::de::IgnoredAny>,
}

/// In order, as they are exported; or by name, for people.
#[derive(Deserialize)]
#[serde(untagged, expecting = "headers are a list of {\"name\": …, \"value\": …}, or an object")]
enum Headers {
    List(Vec<Header>),
    Named(BTreeMap<String, Option<Bytes>>),
}

impl Default for Headers {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// Reads a line; what it does not say is the template's.
pub(super) fn read(line: &[u8], template: &NewRecord) -> Result<NewRecord, String> {
    let Line { key, body, headers, to_partition, is_reference, .. } =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if is_reference {
        return Err("this dead letter only names its record, which was too large: there is no body to write".to_owned());
    }
    let mut record = template.clone();
    record.headers.extend(named(headers)?);
    record.key = key.map(|Bytes(key)| key).or(record.key);
    record.body = body.map(bytes).transpose()?.flatten();
    record.partition = to_partition.or(record.partition);
    Ok(record)
}

fn named(headers: Headers) -> Result<Vec<NewHeader>, String> {
    match headers {
        Headers::Named(headers) => {
            Ok(headers.into_iter().map(|(name, value)| (name, value.map(|Bytes(value)| value))).collect())
        }
        Headers::List(headers) => headers
            .into_iter()
            .map(|Header { name: Bytes(name), value }| {
                let name =
                    String::from_utf8(name).map_err(|_| "a header's name is not UTF-8, and cannot be written")?;
                Ok((name, value.map(|Bytes(value)| value)))
            })
            .collect(),
    }
}

/// A string is text, `{"base64": …}` bytes, null is null, and other JSON is itself, as it is written.
fn bytes(body: &RawValue) -> Result<Option<Vec<u8>>, String> {
    let text = body.get();
    if text == "null" {
        return Ok(None);
    }
    let is_bytes = text.starts_with('"') || serde_json::from_str::<Bytes>(text).is_ok();
    if !is_bytes {
        return Ok(Some(text.as_bytes().to_vec()));
    }
    serde_json::from_str(text).map(|Bytes(bytes)| Some(bytes)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> Result<NewRecord, String> {
        let template = NewRecord {
            key: Some(b"k".to_vec()),
            headers: vec![("by".to_owned(), Some(b"us".to_vec()))],
            ..NewRecord::default()
        };
        read(line.as_bytes(), &template)
    }

    fn body(line: &str) -> Option<Vec<u8>> {
        record(line).unwrap().body
    }

    #[test]
    fn a_body_is_text_bytes_null_or_json() {
        for (line, expected) in [
            (r#"{"body": "a\nb"}"#, Some(&b"a\nb"[..])),
            (r#"{"body": {"base64": "/wA="}}"#, Some(b"\xff\x00")),
            (r#"{"body": null}"#, None),
            ("{}", None),
            (
                r#"{"body": {"b": 12345678901234567890, "a": [1.50]}}"#,
                Some(br#"{"b": 12345678901234567890, "a": [1.50]}"#),
            ),
            (r#"{"body": 7}"#, Some(b"7")),
            (r#"{"body": {"base64": "not base64"}}"#, Some(br#"{"base64": "not base64"}"#)),
        ] {
            assert_eq!(body(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn what_a_line_does_not_say_is_the_templates() {
        let said = record(r#"{"key": "a", "headers": [{"name": "x", "value": null}], "to_partition": 3}"#).unwrap();
        assert_eq!((said.key.as_deref(), said.partition), (Some(&b"a"[..]), Some(3)));
        assert_eq!(said.headers, [("by".to_owned(), Some(b"us".to_vec())), ("x".to_owned(), None)]);
        let silent = record("{}").unwrap();
        assert_eq!((silent.key.as_deref(), silent.headers.len(), silent.partition), (Some(&b"k"[..]), 1, None));
        let named = record(r#"{"headers": {"tenant": "blue"}}"#).unwrap();
        assert_eq!(named.headers[1], ("tenant".to_owned(), Some(b"blue".to_vec())));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, told) in [
            ("nonsense", "expected"),
            (r#"{"bdoy": 1}"#, "unknown field `bdoy`"),
            (r#"{"headers": 7}"#, "headers are a list"),
            (r#"{"headers": [{"name": {"base64": "/w=="}, "value": null}]}"#, "not UTF-8"),
            (r#"{"is_reference": true}"#, "only names its record"),
            (r#"{"key": 7}"#, "base64"),
        ] {
            let error = record(line).unwrap_err();
            assert!(error.contains(told), "{line}: {error}");
        }
    }
}
