//! What is written to a source topic.

use crate::{broker::sim::log, extract::Encoded};
use bytes::Bytes;
use retrial_core::time::Timestamp;

/// A record to be written to a source topic by [`TestService::send`](super::TestService::send).
///
/// A text or bytes are a message already: `service.send("orders", "42")`.
///
/// ```
/// use retrial::testkit::Message;
///
/// let plain = Message::new("42");
/// # #[cfg(feature = "json")] {
/// let order = Message::json(&serde_json::json!({ "cents": 42 })).key("alice").header("tenant", "blue");
/// # let _ = order;
/// # }
/// # let _ = plain;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a message does nothing until it is sent"]
pub struct Message {
    content: log::Message,
    timestamp: Option<Timestamp>,
    partition: Option<i32>,
}

impl Message {
    /// A record with this body, no key and no headers.
    pub fn new(body: impl Into<Bytes>) -> Self {
        let content = log::Message { body: Some(body.into()), ..log::Message::default() };
        Self { content, ..Self::default() }
    }

    /// A record whose body is this value as JSON.
    ///
    /// # Panics
    /// If serde cannot write the value as JSON.
    #[cfg(feature = "json")]
    #[track_caller]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::new(body),
            Err(why) => panic!("this value cannot be written as JSON: {why}"),
        }
    }

    /// A record with a null body, as compacted topics have them for keys that were deleted.
    ///
    /// ```
    /// use retrial::testkit::Message;
    ///
    /// let deletion = Message::tombstone().key("alice");
    /// # let _ = deletion;
    /// ```
    pub fn tombstone() -> Self {
        Self::default()
    }

    /// Gives it a key. Records of one key go to one partition.
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.content.key = Some(key.into());
        self
    }

    /// Adds a header behind those it has.
    pub fn header(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.content.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Gives it a timestamp of its producer's. Default: the virtual time at which it is sent.
    ///
    /// ```
    /// use retrial::{Timestamp, testkit::Message};
    ///
    /// let old = Message::new("42").timestamp("2001-01-01T00:00:00.000Z".parse()?);
    /// # let _ = old;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Writes it to this partition, from 0. Default: the partition of its key; without a key, any.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    pub(super) fn into_parts(self) -> (Option<i32>, Option<Timestamp>, log::Message) {
        (self.partition, self.timestamp, self.content)
    }
}

impl From<&'static str> for Message {
    fn from(body: &'static str) -> Self {
        Self::new(body)
    }
}

impl From<String> for Message {
    fn from(body: String) -> Self {
        Self::new(body)
    }
}

impl From<Vec<u8>> for Message {
    fn from(body: Vec<u8>) -> Self {
        Self::new(body)
    }
}

impl From<Bytes> for Message {
    fn from(body: Bytes) -> Self {
        Self::new(body)
    }
}

/// What a format wrote: the body and the headers that belong to it.
impl From<Encoded> for Message {
    fn from(encoded: Encoded) -> Self {
        let headers = encoded.headers.into_iter().map(|(name, value)| (name.into(), Some(value))).collect();
        Self { content: log::Message { body: encoded.bytes, headers, ..log::Message::default() }, ..Self::default() }
    }
}
