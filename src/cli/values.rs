//! How bodies are read, as options.

use super::{end::Trouble, payload::Payload};
use crate::admin::{BodyFormat, ProtobufSchema};
use clap::{Args, ValueEnum};
use std::{fs, path::PathBuf};

/// The formats that bodies can be read in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ValueFormat {
    /// JSON if it is JSON, else text if it is text, else hex.
    #[default]
    Auto,
    /// JSON.
    Json,
    /// UTF-8 text.
    #[value(alias = "text")]
    String,
    /// Bytes in hexadecimal.
    Hex,
    /// Protobuf, plain or in Confluent's wire format, by --descriptor-set and --message.
    Protobuf,
}

/// The options of every command that reads bodies.
#[derive(Args, Debug)]
#[command(next_help_heading = "Bodies")]
pub(super) struct Values {
    /// How to read bodies.
    #[arg(long, visible_alias = "payload", value_name = "FORMAT", value_enum, default_value_t)]
    value_format: ValueFormat,
    /// For Protobuf: what protoc --include_imports --descriptor_set_out=FILE wrote.
    #[arg(long, value_name = "FILE", requires = "message")]
    descriptor_set: Option<PathBuf>,
    /// For Protobuf: the full name of the message (shop.Order).
    #[arg(long, value_name = "NAME", requires = "descriptor_set")]
    message: Option<String>,
}

impl Values {
    /// For conditions: what may be anything is read as JSON.
    pub(super) fn format(&self) -> Result<BodyFormat, Trouble> {
        match self.value_format {
            ValueFormat::Auto | ValueFormat::Json => Ok(BodyFormat::Json),
            ValueFormat::String => Ok(BodyFormat::String),
            ValueFormat::Hex => Ok(BodyFormat::Hex),
            ValueFormat::Protobuf => self.protobuf(),
        }
    }

    /// For people.
    pub(super) fn payload(&self) -> Result<Payload, Trouble> {
        Ok(match self.value_format {
            ValueFormat::Auto => Payload::Auto,
            ValueFormat::Json => Payload::Json,
            ValueFormat::String => Payload::Text,
            ValueFormat::Hex => Payload::Hex,
            ValueFormat::Protobuf => Payload::Decoded("Protobuf", self.protobuf()?),
        })
    }

    fn protobuf(&self) -> Result<BodyFormat, Trouble> {
        let (Some(file), Some(message)) = (&self.descriptor_set, &self.message) else {
            return Err(Trouble::usage("--value-format protobuf needs --descriptor-set FILE and --message NAME"));
        };
        let wrong = |why: String| Trouble::usage(format!("--descriptor-set {}: {why}", file.display()));
        let set = fs::read(file).map_err(|error| wrong(error.to_string()))?;
        ProtobufSchema::new(&set, message).map(BodyFormat::Protobuf).map_err(wrong)
    }
}
