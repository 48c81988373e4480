//! What the registry holds.

use apache_avro::{Schema, schema_compatibility::SchemaCompatibility};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How the registry behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Speaks TLS, with the certificate that `Registry::ca` has signed.
    pub tls: bool,
    /// The only value of the header `Authorization` that is let in.
    pub authorization: Option<String>,
    /// Knows no GUIDs, as registries before version 8.
    pub old: bool,
    /// What stands before every path, such as `/apis/ccompat/v7`.
    pub prefix: String,
}

/// One schema. The same text under two subjects is one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) schema: String,
    pub(crate) kind: String,
    pub(crate) references: Value,
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) schemas: BTreeMap<u32, Held>,
    /// Ids of the versions of each subject, from version 1.
    pub(crate) subjects: BTreeMap<String, Vec<u32>>,
}

pub(crate) fn guid(id: u32) -> [u8; 16] {
    (0x8979_1762_2336_4186_9674_299b_0000_0000_u128 + u128::from(id)).to_be_bytes()
}

impl Store {
    pub(crate) fn id_of(&self, held: &Held) -> Option<u32> {
        self.schemas.iter().find(|(_, other)| *other == held).map(|(id, _)| *id)
    }

    /// The id of the schema, which becomes the newest version of the subject unless it is a version of it.
    pub(crate) fn put(&mut self, subject: &str, held: Held) -> u32 {
        let next = self.schemas.keys().next_back().map_or(1, |last| last + 1);
        let id = self.id_of(&held).unwrap_or(next);
        self.schemas.insert(id, held);
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        id
    }

    /// The default rule, BACKWARD: what is new reads what the newest version wrote.
    pub(crate) fn is_compatible(&self, newer: &str, older: &str) -> bool {
        match (Schema::parse_str(newer), Schema::parse_str(older)) {
            (Ok(newer), Ok(older)) => SchemaCompatibility::can_read(&older, &newer).is_ok(),
            _ => true,
        }
    }

    pub(crate) fn version(&self, subject: &str, at: usize) -> Option<Value> {
        let id = *self.subjects.get(subject)?.get(at)?;
        let mut body = self.described(id)?;
        body["subject"] = subject.into();
        body["version"] = (at + 1).into();
        body["id"] = id.into();
        Some(body)
    }

    /// As a question for an id is answered. AVRO is not named, as the registry does it.
    pub(crate) fn described(&self, id: u32) -> Option<Value> {
        let held = self.schemas.get(&id)?;
        let mut body = json!({"schema": held.schema});
        if held.kind != "AVRO" {
            body["schemaType"] = held.kind.as_str().into();
        }
        if held.references.as_array().is_some_and(|references| !references.is_empty()) {
            body["references"] = held.references.clone();
        }
        Some(body)
    }
}
