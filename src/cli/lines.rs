//! Records as JSON, without loss.
//!
//! Bytes that are UTF-8 are a string, others `{"base64": "…"}`, and null is null. So any key, body, header name and header
//! value reads back as it was.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Bytes in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Encoded { base64: STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a string, or an object {\"base64\": \"…\"}")]
        enum Form {
            Text(String),
            Encoded(Encoded),
        }
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(Self(text.into_bytes())),
            Form::Encoded(Encoded { base64 }) => STANDARD.decode(base64).map(Self).map_err(D::Error::custom),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    base64: String,
}

/// One header of a record.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) name: Bytes,
    pub(super) value: Option<Bytes>,
}

/// Headers of a record.
pub(super) fn headers(headers: &[(Vec<u8>, Option<Vec<u8>>)]) -> Vec<Header> {
    let header = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| Header {
        name: Bytes(name.clone()),
        value: value.clone().map(Bytes),
    };
    headers.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stays_text() {
        for (bytes, json) in [(&b"a\n\"b"[..], r#""a\n\"b""#), (b"\xff\x00", r#"{"base64":"/wA="}"#), (b"", r#""""#)] {
            assert_eq!(serde_json::to_string(&Bytes(bytes.to_vec())).unwrap(), json);
        }
        assert!(serde_json::from_str::<Bytes>(r#"{"base64":"?"}"#).is_err());
        let error = serde_json::from_str::<Bytes>("7").unwrap_err();
        assert!(error.to_string().contains("base64"), "{error}");
    }

    proptest! {
        #[test]
        fn any_header_reads_back(name: Vec<u8>, value: Option<Vec<u8>>) {
            let header = Header { name: Bytes(name), value: value.map(Bytes) };
            let json = serde_json::to_string(&header).unwrap();
            prop_assert_eq!(serde_json::from_str::<Header>(&json).unwrap(), header);
        }
    }
}
