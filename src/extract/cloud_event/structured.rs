//! An event as one JSON document.

use super::attributes::{Attributes, Fault};
use crate::extract::{EncodeError, Encoded};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// Attributes, and the data if there is some.
pub(super) fn read(document: &[u8]) -> Result<(Attributes, Option<Cow<'_, [u8]>>), Fault> {
    let mut reader = serde_json::Deserializer::from_slice(document);
    let (attributes, data) = Document.deserialize(&mut reader)?;
    reader.end()?;
    let data = match data {
        None => None,
        Some(Data::Base64(text)) => Some(Cow::Owned(STANDARD.decode(text.as_bytes())?)),
        Some(Data::Json(json)) if attributes.data_content_type().is_none_or(is_json) => {
            Some(Cow::Borrowed(json.get().as_bytes()))
        }
        // Data of another kind is the content of a string, if it is one.
        Some(Data::Json(json)) => Some(match serde_json::from_str::<String>(json.get()) {
            Ok(text) => Cow::Owned(text.into_bytes()),
            Err(_) => Cow::Borrowed(json.get().as_bytes()),
        }),
    };
    Ok((attributes, data))
}

/// Whether a media type is JSON's: its subtype is `json` or ends in `+json`.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let subtype = essence.rsplit('/').next().unwrap_or_default();
    subtype.eq_ignore_ascii_case("json") || subtype.to_ascii_lowercase().ends_with("+json")
}

/// The event with these attributes, and `content-type` as its header.
pub(super) fn write<'a>(
    attributes: impl Iterator<Item = (&'a str, &'a str)>,
    content_type: Option<&'a str>,
    data: Encoded,
) -> Result<Encoded, EncodeError> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut members: Vec<String> = attributes
        .chain(content_type.map(|value| ("datacontenttype", value)))
        .map(|(name, value)| format!("{}:{}", text(name), text(value)))
        .collect();
    match data.bytes {
        None => {}
        Some(bytes) if content_type.is_none_or(is_json) => {
            let json: &RawValue =
                serde_json::from_slice(&bytes).map_err(|error| EncodeError::value("a CloudEvent", error))?;
            members.push(format!("\"data\":{json}"));
        }
        Some(bytes) => members.push(format!("\"data_base64\":\"{}\"", STANDARD.encode(&bytes))),
    }
    let mut encoded = Encoded::bytes(format!("{{{}}}", members.join(",")));
    encoded.headers = data.headers;
    Ok(encoded.header("content-type", "application/cloudevents+json; charset=UTF-8"))
}

enum Data<'a> {
    Json(&'a RawValue),
    Base64(Cow<'a, str>),
}

/// Reads the object member by member: attributes of any name, and data as it stands.
struct Document;

impl<'de> DeserializeSeed<'de> for Document {
    type Value = (Attributes, Option<Data<'de>>);

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = (Attributes, Option<Data<'de>>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut attributes, mut data) = (Attributes::default(), None);
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let found = match &*name {
                "data" => match members.next_value::<&RawValue>()? {
                    // An attribute or data that is null is as if it were not there.
                    json if json.get() == "null" => continue,
                    json => Data::Json(json),
                },
                "data_base64" => match members.next_value::<Option<Cow<'de, str>>>()? {
                    Some(text) => Data::Base64(text),
                    None => continue,
                },
                _ => {
                    if let Some(value) = members.next_value::<Scalar>()?.0 {
                        attributes.set(&name, value);
                    }
                    continue;
                }
            };
            if data.replace(found).is_some() {
                return Err(A::Error::custom("data twice"));
            }
        }
        Ok((attributes, data))
    }
}

/// An attribute's value in its text form: attributes are texts, whole numbers, truth values or null.
struct Scalar(Option<String>);

impl<'de> serde::Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attribute: a string, a whole number, true or false")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(Some(text.to_owned())))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(Some(number.to_string())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(Some(number.to_string())))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }
        }

        reader.deserialize_any(Any)
    }
}
