//! The attributes of an event, while they are gathered.

use super::{CloudEvent, KIND};
use crate::extract::{Headers, Rejection};
use std::collections::BTreeMap;

/// Why a record is no event. Each is final.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("no attribute `{0}`")]
    Missing(&'static str),
    #[error("attribute `{0}` is not UTF-8")]
    NotText(String),
    #[error("version {0:?} of CloudEvents; 1.0 is read here")]
    Version(String),
    #[error("an event in the form {0:?}; application/cloudevents+json is read here")]
    Format(String),
    #[error("the event has no data; a handler that expects this takes CloudEvent<Option<F>>")]
    NoData,
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("data_base64: {0}")]
    Base64(#[from] base64::DecodeError),
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        Self::undecodable_as(KIND, fault)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    event: CloudEvent<()>,
    version: Option<String>,
}

impl Attributes {
    /// Those of an event in binary mode. Of headers of one name the last counts, as for Kafka's own clients.
    pub(super) fn of_headers(headers: &Headers) -> Result<Self, Fault> {
        let mut found = Self::default();
        for (name, value) in headers.iter() {
            let (Ok(name), Some(value)) = (std::str::from_utf8(name), value) else { continue };
            let name = match name.strip_prefix("ce_") {
                // No attribute may have these names: in a document they are the data.
                Some("data" | "data_base64") => continue,
                Some(name) => name,
                None if name == "content-type" => "datacontenttype",
                None => continue,
            };
            let value = std::str::from_utf8(value).map_err(|_| Fault::NotText(name.to_owned()))?;
            found.set(name, value.to_owned());
        }
        Ok(found)
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        let event = &mut self.event;
        match name {
            "specversion" => self.version = Some(value),
            "id" => event.id = value,
            "source" => event.source = value,
            "type" => event.event_type = value,
            "subject" => event.subject = Some(value),
            "time" => event.time = Some(value),
            "datacontenttype" => event.data_content_type = Some(value),
            "dataschema" => event.data_schema = Some(value),
            _ => {
                event.extensions.insert(name.to_owned(), value);
            }
        }
    }

    pub(super) fn data_content_type(&self) -> Option<&str> {
        self.event.data_content_type.as_deref()
    }

    /// The event, with its data.
    pub(super) fn event<F>(self, data: F) -> Result<CloudEvent<F>, Rejection> {
        let CloudEvent { id, source, event_type, subject, time, data_content_type, data_schema, extensions, .. } =
            self.event;
        match self.version.as_deref() {
            Some("1.0") => {}
            None => return Err(Fault::Missing("specversion").into()),
            Some(version) => return Err(Fault::Version(version.to_owned()).into()),
        }
        // None of these may be empty.
        for (name, value) in [("id", &id), ("source", &source), ("type", &event_type)] {
            if value.is_empty() {
                return Err(Fault::Missing(name).into());
            }
        }
        let extensions: BTreeMap<String, String> = extensions;
        Ok(CloudEvent { id, source, event_type, subject, time, data_content_type, data_schema, extensions, data })
    }
}
