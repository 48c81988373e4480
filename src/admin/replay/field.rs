//! A condition on a field of a body.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// A field that a JSON body has: with this value, or, without one, whatever its value. Written `path=value` or `path`,
/// where the path is `customer.id`, `items.0.sku`, or a JSON pointer such as `/customer/id`.
///
/// A value is met by a string that is the same, or by a number, `true`, `false` or `null` that is written so.
///
/// ```
/// use retrial::admin::FieldIs;
///
/// let body = br#"{"customer": {"id": 7, "name": "Ada"}, "paid": null}"#;
/// let met = |text: &str| text.parse::<FieldIs>().unwrap().is_met_by(Some(body));
/// assert!(met("customer.id=7") && met("customer.name=Ada") && met("paid=null") && met("/customer/id") && met("customer"));
/// assert!(!met("customer.id=8") && !met("customer.name=ada") && !met("refunded"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldIs {
    text: String,
    pointer: String,
    value: Option<String>,
}

impl FieldIs {
    /// Whether a body has it. A body that is not JSON has no fields.
    #[must_use]
    pub fn is_met_by(&self, body: Option<&[u8]>) -> bool {
        parsed(body).is_some_and(|body| self.is_in(&body))
    }

    pub(super) fn is_in(&self, body: &Value) -> bool {
        let Some(found) = body.pointer(&self.pointer) else { return false };
        self.value.as_ref().is_none_or(|wanted| match found {
            Value::String(text) => text == wanted,
            other => {
                let written = other.to_string();
                written == *wanted
            }
        })
    }
}

/// A body as JSON, if it is.
pub(super) fn parsed(body: Option<&[u8]>) -> Option<Value> {
    serde_json::from_slice(body?).ok()
}

impl fmt::Display for FieldIs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for FieldIs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = match text.split_once('=') {
            Some((path, value)) => (path, Some(value.to_owned())),
            None => (text, None),
        };
        if path.is_empty() {
            return Err("a field is PATH or PATH=VALUE, as in customer.id=7".to_owned());
        }
        let pointer = match path.starts_with('/') {
            true => path.to_owned(),
            // A pointer's own signs, spelt as its standard (RFC 6901) asks.
            false => path
                .split('.')
                .fold(String::new(), |pointer, name| pointer + "/" + &name.replace('~', "~0").replace('/', "~1")),
        };
        Ok(Self { text: text.to_owned(), pointer, value })
    }
}

impl Serialize for FieldIs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for FieldIs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_path_and_pointer() {
        let body = br#"{"a": {"b": [{"c": "x"}, 2]}, "d.e": true, "f/g~": 1.5, "n": -0}"#;
        for (text, met) in [
            ("a.b.0.c=x", true),
            ("a.b.1=2", true),
            ("a.b.2", false),
            ("a.b=x", false),
            ("d.e", false),
            ("/d.e=true", true),
            ("f/g~=1.5", true),
            ("/f~1g~0", true),
            ("a.b.0={\"c\":\"x\"}", true),
            ("a=", false),
        ] {
            assert_eq!(text.parse::<FieldIs>().unwrap().is_met_by(Some(body)), met, "{text}");
        }
        let any: FieldIs = "a".parse().unwrap();
        assert!(!any.is_met_by(None) && !any.is_met_by(Some(b"a")) && !any.is_met_by(Some(b"[1]")));
        assert!("".parse::<FieldIs>().is_err() && "=x".parse::<FieldIs>().is_err());
        assert_eq!(serde_json::from_str::<FieldIs>(&serde_json::to_string(&any).unwrap()).unwrap(), any);
    }
}
