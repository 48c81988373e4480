//! Apache Kafka as a job queue: an acknowledgement per record, retries with delay, dead letters, safe commits.
//!
//! A handler is an `async fn` that takes what it needs of a record; an [`App`] gives source topics their handlers; a
//! [`Service`] runs it as one member of the app's consumer group. See the [`guide`].

#![deny(unsafe_code)]

pub mod admin;
mod app;
#[cfg(feature = "avro")]
mod avro;
mod broker;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
#[cfg(any(feature = "cli", feature = "service"))]
mod config;
mod error;
mod extract;
pub mod guide;
mod handler;
mod layer;
mod metrics;
mod reason;
mod record;
#[cfg(feature = "schema-registry")]
mod registry;
mod retry;
mod runtime;
mod service;
#[cfg(feature = "testkit")]
pub mod testkit;
mod topic;

pub use app::{App, HandlerSet};
pub use broker::kafka::{
    EMBEDDED_LIMITS, EmbeddedError, Feature, Kafka, OperatorError, PositionsError, PropertyError, SourceError,
    TopicsError, Unreachable, Unusable,
};
pub use bytes::Bytes;
#[cfg(any(feature = "cli", feature = "service"))]
pub use config::{Config, ConfigError, ConfigMistake};
pub use error::{BuildError, Mistake, TopicMistake};
#[cfg(feature = "cloudevents")]
pub use extract::CloudEvent;
#[cfg(feature = "schema-registry")]
pub use extract::SubjectNames;
pub use extract::{
    Arguments, Attempt, Body, Call, Cancellation, Decode, Destination, Encode, EncodeError, Encoded, FromRecord,
    FromRef, Headers, Key, Limited, Offset, OptionalFromRecord, Part, Partition, Raw, Rejection, State, Topic,
};
#[cfg(feature = "avro")]
pub use extract::{Avro, AvroSchemaError, AvroSchemas, AvroType};
#[cfg(feature = "protobuf")]
pub use extract::{FrameError, Protobuf, ProtobufFrame};
#[cfg(feature = "json")]
pub use extract::{Json, StrictJson};
pub use handler::{Async, Asynchronous, Blocking, Callable, Failure, Function, IntoOutcome, Verdict};
pub use layer::{Around, Next};
pub use record::Record;
#[cfg(feature = "schema-registry")]
pub use registry::{
    Compatibility, NewSchema, RegisteredSchema, RegistryError, RegistrySettingsError, SchemaKind, SchemaReference,
    SchemaRegistry, SchemaRegistryBuilder, SubjectVersion, Version,
};
pub use retrial_core::{
    history::SourceTime,
    id::Origin,
    ladder::LadderError,
    naming::{GroupNames, NameError, OwnTopic},
    order::{OnCrash, OnExhausted, Order},
    outcome::{Cause, Outcome, Reason},
    start::{OldBacklog, StartAt},
    time::Timestamp,
};
pub use retry::{Retry, hours, mins, secs};
pub use service::{Running, Service, ServiceError, Settings};
pub use topic::{Handler, blocking, handler};

/// Compiles what the README shows.
#[cfg(all(doctest, feature = "json", feature = "testkit"))]
#[doc = include_str!("../README.md")]
struct Readme;
