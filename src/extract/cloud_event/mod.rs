//! CloudEvents 1.0 by their Kafka binding: attributes in headers (binary mode), or all in one JSON document (structured).

mod attributes;
mod structured;

use self::attributes::{Attributes, Fault};
use crate::extract::{
    Call, Decode, Destination, Encode, EncodeError, Encoded, FromRecord, Headers, OptionalFromRecord, Part, Raw,
    Rejection,
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// An event in the form of [CloudEvents](https://cloudevents.io) 1.0, with its data in the format `F`:
/// `CloudEvent<Json<Order>>`, `CloudEvent<Protobuf<Order>>`, or `CloudEvent<Bytes>`.
///
/// Both modes of the Kafka binding are read, record by record. *Binary*: attributes are headers (`ce_id`, `ce_source`, …)
/// and the body is the data. *Structured*: the header `content-type` is `application/cloudevents+json`, and the body is
/// one JSON document.
///
/// What lacks one of `id`, `source`, `type` and `specversion`, has another version than 1.0, or data that is no `F`, is
/// undecodable. Where events may have no data take `CloudEvent<Option<F>>`; in binary mode such an event has a null
/// body. `Option<CloudEvent<F>>` is `None` for a null body without attributes: a plain tombstone.
///
/// It is written in binary mode; for the other see [`to_structured`](Self::to_structured).
///
/// ```
/// use retrial::{CloudEvent, Json};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     cents: u64,
/// }
///
/// async fn charge(event: CloudEvent<Json<Order>>) {
///     println!("{} of {}: {} cents", event.id, event.source, event.data.0.cents);
/// }
/// # let _ = retrial::App::group("billing").topic("orders", retrial::handler(charge)).build();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudEvent<F = Bytes> {
    /// Which event of its source it is. Source and id together name an event; a producer that sends one twice sends
    /// both with the same.
    pub id: String,
    /// Where it happened: a URI reference.
    pub source: String,
    /// What happened, such as `com.example.order.placed`: the attribute `type`.
    pub event_type: String,
    /// What it happened to, within the source.
    pub subject: Option<String>,
    /// When it happened, RFC 3339; not checked.
    pub time: Option<String>,
    /// The media type of the data.
    pub data_content_type: Option<String>,
    /// The schema of the data: a URI.
    pub data_schema: Option<String>,
    /// All other attributes, such as `partitionkey` and `traceparent`, in the text form of their type.
    pub extensions: BTreeMap<String, String>,
    /// The data.
    pub data: F,
}

/// The failure kind of what cannot be read.
const KIND: &str = "cloudevents";

/// What `content-type` begins with in structured mode.
const STRUCTURED: &str = "application/cloudevents";

impl<S: Sync, F: Decode<S> + Send> FromRecord<S> for CloudEvent<F> {
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        Self::from_record_if_present(call, state).await?.ok_or_else(|| Rejection::null("body", "Option<CloudEvent<F>>"))
    }
}

impl<S: Sync, F: Decode<S> + Send> OptionalFromRecord<S> for CloudEvent<F> {
    async fn from_record_if_present(call: &Call, state: &S) -> Result<Option<Self>, Rejection> {
        match Raw::of(call, Part::Body) {
            Some(raw) => Self::decode(raw, state).await.map(Some),
            None => without_body(&Headers::of(call)),
        }
    }
}

impl<S: Sync, F: Decode<S> + Send> Decode<S> for CloudEvent<F> {
    async fn decode(raw: Raw<'_>, state: &S) -> Result<Self, Rejection> {
        let headers = raw.headers();
        if !is_structured(headers.text("content-type"))? {
            let attributes = Attributes::of_headers(&headers)?;
            return attributes.event(F::decode(raw, state).await?);
        }
        let (attributes, data) = structured::read(raw.bytes())?;
        match data {
            Some(data) => attributes.event(F::decode(raw.with(&data), state).await?),
            None => attributes.event(F::absent().ok_or(Fault::NoData)?),
        }
    }
}

/// Whether the event is one JSON document.
fn is_structured(content_type: Option<&str>) -> Result<bool, Fault> {
    let Some(media_type) = content_type else { return Ok(false) };
    let begins = |prefix: &str| media_type.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    if !begins(STRUCTURED) {
        return Ok(false);
    }
    let rest = media_type[STRUCTURED.len()..].split(';').next().unwrap_or_default().trim();
    if rest.eq_ignore_ascii_case("+json") { Ok(true) } else { Err(Fault::Format(media_type.to_owned())) }
}

/// An event without data in binary mode, or nobody's event.
fn without_body<S: Sync, F: Decode<S>>(headers: &Headers) -> Result<Option<CloudEvent<F>>, Rejection>
where
    F: Send,
{
    if headers.get("ce_specversion").is_none() {
        return Ok(None);
    }
    let data = F::absent().ok_or(Fault::NoData)?;
    Attributes::of_headers(headers)?.event(data).map(Some)
}

impl<F> CloudEvent<F> {
    fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let required =
            [("specversion", "1.0"), ("id", &*self.id), ("source", &*self.source), ("type", &*self.event_type)];
        let optional = [("subject", &self.subject), ("time", &self.time), ("dataschema", &self.data_schema)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let extensions = self.extensions.iter().map(|(name, value)| (&**name, &**value));
        required.into_iter().chain(optional).chain(extensions)
    }

    /// The event as one JSON document: JSON data as it is, other data in Base64. Data is JSON if `data_content_type` says
    /// so or is not there.
    ///
    /// # Errors
    /// If the data cannot be encoded, or is said to be JSON and is not.
    pub async fn to_structured<S: Sync>(&self, to: Destination<'_>, state: &S) -> Result<Encoded, EncodeError>
    where
        F: Encode<S>,
    {
        let data = self.data.encode(to, state).await?;
        structured::write(self.attributes(), self.data_content_type.as_deref(), data)
    }
}

impl<S: Sync, F: Encode<S> + Sync> Encode<S> for CloudEvent<F> {
    async fn encode(&self, to: Destination<'_>, state: &S) -> Result<Encoded, EncodeError> {
        if !matches!(is_structured(self.data_content_type.as_deref()), Ok(false)) {
            let why = "in binary mode, data of this media type would be read as an event";
            return Err(EncodeError::value("a CloudEvent", why));
        }
        let mut encoded = self.data.encode(to, state).await?;
        for (name, value) in self.attributes() {
            encoded = encoded.header(format!("ce_{name}"), value.to_owned());
        }
        Ok(match &self.data_content_type {
            Some(media_type) => encoded.header("content-type", media_type.clone()),
            None => encoded,
        })
    }
}

#[cfg(test)]
mod tests;
