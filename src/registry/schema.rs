//! What a registry holds.

use serde_json::{Value, json};
use std::{fmt, sync::Arc};

/// In which language a schema is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchemaKind {
    /// Avro. A registry that names no kind means this.
    #[default]
    Avro,
    /// JSON Schema.
    Json,
    /// Protobuf.
    Protobuf,
    /// Another one.
    Other(String),
}

impl SchemaKind {
    /// The registry's name for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
            Self::Other(name) => name,
        }
    }

    pub(super) fn of(name: Option<&str>) -> Self {
        match name {
            None | Some("AVRO") => Self::Avro,
            Some("JSON") => Self::Json,
            Some("PROTOBUF") => Self::Protobuf,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for SchemaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A schema that lies in the registry, with all that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// In which language it is.
    pub kind: SchemaKind,
    /// The schema itself.
    pub text: String,
    /// What it refers to, directly or not; each stands after all that it refers to itself.
    pub references: Vec<Arc<str>>,
}

/// One version of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectVersion {
    /// The subject.
    pub subject: String,
    /// Its version, from 1.
    pub version: u32,
    /// The id by which records name the schema.
    pub id: u32,
    /// The schema.
    pub schema: Arc<RegisteredSchema>,
}

/// Which version of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// The newest one.
    Latest,
    /// This one, from 1.
    Number(u32),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// That a schema refers to one of another subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SchemaReference {
    /// The name by which it refers: for Avro the full name of the type.
    pub name: String,
    /// The subject.
    pub subject: String,
    /// Its version, from 1.
    pub version: u32,
}

/// A schema to look up, to compare or to register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NewSchema {
    /// In which language it is.
    pub kind: SchemaKind,
    /// The schema itself.
    pub text: String,
    /// What it refers to.
    pub references: Vec<SchemaReference>,
}

impl NewSchema {
    /// An Avro schema that refers to no other.
    #[must_use]
    pub fn avro(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(super) fn to_json(&self) -> Value {
        let references = |SchemaReference { name, subject, version }: &SchemaReference| json!({"name": name, "subject": subject, "version": version});
        let mut body = json!({"schema": self.text});
        // Registries from before other kinds than Avro refuse the fields that they do not know.
        if self.kind != SchemaKind::Avro {
            body["schemaType"] = self.kind.as_str().into();
        }
        if !self.references.is_empty() {
            body["references"] = self.references.iter().map(references).collect();
        }
        body
    }
}

/// Whether a schema is compatible with those of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compatibility {
    /// By the rule that the registry holds for the subject.
    pub is_compatible: bool,
    /// Why not, in the registry's words. Older registries say nothing.
    pub messages: Vec<String>,
}
