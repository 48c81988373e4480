//! The seam of formats: from a value to bytes, for whoever produces records.

use crate::{extract::Part, reason::BoxError};
use bytes::Bytes;
use std::future::Future;

/// Makes bytes of a value: the other direction of [`Decode`](crate::Decode).
///
/// retrial sends no records for handlers; this gives their own producers, and tests, what they send. It is
/// asynchronous because a schema may have to be asked for.
///
/// ```
/// use retrial::{Destination, Encode, Json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), retrial::EncodeError> {
/// let encoded = Json(vec![1, 2, 3]).encode(Destination::body("numbers"), &()).await?;
/// assert_eq!(encoded.bytes.as_deref(), Some(&b"[1,2,3]"[..]));
/// # Ok(()) }
/// ```
pub trait Encode<S = ()> {
    /// Makes the bytes of the value for this place.
    fn encode(&self, to: Destination<'_>, state: &S) -> impl Future<Output = Result<Encoded, EncodeError>> + Send;
}

/// Where encoded bytes will stand. Formats with a schema registry choose the schema by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination<'a> {
    /// The topic that the record is sent to.
    pub topic: &'a str,
    /// Whether the bytes are its key or its body.
    pub part: Part,
}

impl<'a> Destination<'a> {
    /// The key of a record of this topic.
    #[must_use]
    pub const fn key(topic: &'a str) -> Self {
        Self { topic, part: Part::Key }
    }

    /// The body of a record of this topic.
    #[must_use]
    pub const fn body(topic: &'a str) -> Self {
        Self { topic, part: Part::Body }
    }
}

/// A value as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The bytes; `None` is a null: as a body, a tombstone.
    pub bytes: Option<Bytes>,
    /// Headers that belong to it and must be sent beside it.
    pub headers: Vec<(String, Bytes)>,
}

impl Encoded {
    /// These bytes, and no headers.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: Some(bytes.into()), headers: Vec::new() }
    }

    /// The same with one header more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// Why a value could not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The format has no form for this value, and will not have one later.
    #[error("not to be written as {format}: {error}")]
    Value {
        /// The format.
        format: &'static str,
        /// What is wrong.
        error: BoxError,
    },
    /// Something that the format needs is away; the same value can be encoded later.
    #[error("{format} cannot be written now: {error}")]
    Outage {
        /// The format.
        format: &'static str,
        /// What is away.
        error: BoxError,
    },
}

impl EncodeError {
    /// The format has no form for this value.
    pub fn value(format: &'static str, error: impl Into<BoxError>) -> Self {
        Self::Value { format, error: error.into() }
    }

    /// Something that the format needs is away.
    pub fn outage(format: &'static str, error: impl Into<BoxError>) -> Self {
        Self::Outage { format, error: error.into() }
    }
}

/// `None` is a null.
impl<S: Sync, F: Encode<S> + Sync> Encode<S> for Option<F> {
    async fn encode(&self, to: Destination<'_>, state: &S) -> Result<Encoded, EncodeError> {
        match self {
            Some(value) => value.encode(to, state).await,
            None => Ok(Encoded::default()),
        }
    }
}
