//! What bodies say: read in some format, for conditions on their fields and for people.
//!
//! Every format becomes a JSON value, which conditions and the command line know how to deal with. A format is plain data:
//! it is written down with an operation, so that a resume reads the same.

mod condition;
#[cfg(feature = "cli")]
mod protobuf;

pub use condition::Condition;
#[cfg(feature = "cli")]
pub use protobuf::ProtobufSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write;

/// How bodies are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BodyFormat {
    /// As JSON.
    #[default]
    Json,
    /// As UTF-8 text: one string.
    String,
    /// As bytes: one string, of hexadecimal digits.
    Hex,
    /// As Protobuf messages of this type, plain or in Confluent's wire format.
    #[cfg(feature = "cli")]
    Protobuf(ProtobufSchema),
}

impl BodyFormat {
    /// The value of a body, which is null if the body is.
    ///
    /// # Errors
    /// Why it is not in this format.
    pub fn read(&self, body: Option<&[u8]>) -> Result<Value, String> {
        let Some(body) = body else { return Ok(Value::Null) };
        match self {
            Self::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
            Self::String => std::str::from_utf8(body).map(Value::from).map_err(|error| error.to_string()),
            Self::Hex => Ok(Value::String(hex(body))),
            #[cfg(feature = "cli")]
            Self::Protobuf(schema) => schema.read(body),
        }
    }

    /// Whether a body meets all of these. One that is not in this format meets none; a null meets those that a null does.
    pub(super) fn meets(&self, conditions: &[Condition], body: Option<&[u8]>) -> bool {
        conditions.is_empty()
            || self.read(body).is_ok_and(|value| conditions.iter().all(|condition| condition.is_met_by(&value)))
    }

    pub(super) fn is_json(&self) -> bool {
        *self == Self::Json
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_met_in_the_format_that_is_named() {
        let met = |format: BodyFormat, text: &str, body: Option<&[u8]>| format.meets(&[text.parse().unwrap()], body);
        assert!(met(BodyFormat::Json, ".a > 1", Some(b"{\"a\":2}")));
        assert!(!met(BodyFormat::Json, ".a != 1", Some(b"{\"a\":")));
        assert!(
            met(BodyFormat::String, ". == abc", Some(b"abc")) && !met(BodyFormat::String, ". != abc", Some(b"\xff"))
        );
        assert!(met(BodyFormat::Hex, ". == \"00ff\"", Some(b"\x00\xff")));
        assert!(met(BodyFormat::Json, ". == null", None) && !met(BodyFormat::Json, ".a == 1", None));
        assert!(BodyFormat::Json.meets(&[], Some(b"not JSON")));
    }

    #[test]
    fn a_format_reads_back_as_it_was_written_down() {
        for format in [BodyFormat::Json, BodyFormat::String, BodyFormat::Hex] {
            let text = serde_json::to_string(&format).unwrap();
            assert_eq!(serde_json::from_str::<BodyFormat>(&text).unwrap(), format, "{text}");
        }
    }
}
