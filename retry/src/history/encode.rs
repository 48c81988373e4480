//! A history as headers.

use super::{History, MAX_ID_BYTES, MAX_OWN_BYTES, VERSION, block::Field};
use crate::outcome::{MAX_KIND_BYTES, MAX_MESSAGE_BYTES, plain, plain_into};
use std::fmt::{Display, Write as _};

/// Kept free of the error's text for `__dlq.errors.message`, in bytes, so that a dead letter has both.
const MIN_DLQ_MESSAGE_BYTES: usize = 64;

impl History {
    /// Our headers for a forward, to be written after the user's, in this order.
    ///
    /// Together they have at most [`MAX_OWN_BYTES`], whatever the history says, as long as the group id and the
    /// origin's topic are no longer than Kafka's topic names (which [`GroupNames`](crate::naming::GroupNames) and
    /// [`History::decode`] see to). Texts are cut at a character and control characters in them escaped; the error's
    /// text takes what the others leave, at most [`MAX_MESSAGE_BYTES`].
    ///
    /// If there is a cause, it is a dead letter, and Kafka's own headers for those of share groups are added, so
    /// that tools which know them read ours. Their names and encoding are those of KIP-1191 as Kafka 4.4 writes them
    /// (`org.apache.kafka.server.share.dlq.ShareGroupDLQRecordHelper.headers`): all values UTF-8 text, numbers
    /// decimal, `delivery.count` a Java `short`, which is why it stops at 32767 here.
    ///
    /// ```
    /// use retrial_core::{history::{History, SourceTime}, id::Origin, time::Timestamp};
    ///
    /// let origin = Origin { topic: "orders".into(), partition: 3, offset: 184_467 };
    /// let mut history = History::new(origin, SourceTime::Create(Timestamp::from_millis(1_795_342_860_000)));
    /// history.attempts = 1;
    /// let headers = history.encode("billing");
    /// assert_eq!(headers[0], ("retrial-version", "1".to_owned()));
    /// assert_eq!(headers[2], ("retrial-origin", "orders/3/184467".to_owned()));
    /// assert_eq!(headers[3], ("retrial-timestamp", "create 2026-11-22T10:21:00.000Z".to_owned()));
    ///
    /// let read = headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
    /// assert_eq!(History::decode("billing", read)?, Some(history));
    /// # Ok::<(), retrial_core::history::HistoryError>(())
    /// ```
    #[must_use]
    pub fn encode(&self, group: &str) -> Vec<(&'static str, String)> {
        let mut headers = OwnHeaders::default();
        self.encode_into(group, &mut headers);
        headers.iter().map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// The same into a place that is used again. What was there is gone.
    pub fn encode_into(&self, group: &str, headers: &mut OwnHeaders) {
        headers.clear();
        self.put_state(group, headers);
        if self.cause.is_some() {
            self.put_dead_letter(group, headers);
        }
        self.put_error(headers);
    }

    fn put_state(&self, group: &str, headers: &mut OwnHeaders) {
        headers.put_number(Field::Version, VERSION);
        headers.put(Field::Group, group);
        headers.put(Field::Origin, &self.origin);
        headers.put(Field::Timestamp, self.time);
        headers.put_number(Field::Attempts, self.attempts);
        headers.put_number(Field::Crashes, self.crashes);
        headers.put_number(Field::Step, self.step);
        headers.put_number(Field::Hop, self.hop);
        headers.put_number(Field::Redrives, self.redrives);
        headers.put_some(Field::Due, self.due);
        headers.put_some(Field::FirstFailed, self.first_failed);
        headers.put_some(Field::LastFailed, self.last_failed);
        headers.put_some(Field::Expires, self.expires);
        headers.put_some_text(Field::Operation, self.operation.as_deref(), MAX_ID_BYTES);
        headers.put_some_text(Field::Replay, self.replay.as_deref(), MAX_ID_BYTES);
        headers.put_some(Field::Cause, self.cause);
        headers.put_some_text(Field::ErrorKind, self.error_kind.as_deref(), MAX_KIND_BYTES);
    }

    fn put_dead_letter(&self, group: &str, headers: &mut OwnHeaders) {
        let deliveries = self.attempts.saturating_add(self.crashes).min(i16::MAX as u32);
        headers.push("__dlq.errors.topic", &self.origin.topic);
        headers.push("__dlq.errors.partition", self.origin.partition);
        headers.push("__dlq.errors.offset", self.origin.offset);
        headers.push("__dlq.errors.group", group);
        headers.push("__dlq.errors.delivery.count", deliveries);
    }

    /// The long texts come last and take what is left.
    fn put_error(&self, headers: &mut OwnHeaders) {
        let message = "__dlq.errors.message";
        let dead = self.cause.map_or(0, |_| message.len() + MIN_DLQ_MESSAGE_BYTES);
        let left = headers.left(Field::Error.name().len() + dead).min(MAX_MESSAGE_BYTES);
        headers.put_some_text(Field::Error, self.error.as_deref(), left);
        if let Some(cause) = self.cause {
            // Kafka's message is cut from the cut text, so that the next hop, which has no more than that, writes the same.
            let cut = self.error.as_deref().map(|error| plain(error, left));
            let left = headers.left(message.len());
            headers.push_text(message, cut.as_deref().unwrap_or(cause.as_str()), left);
        }
    }
}

/// An operation's or a replay's name as the headers carry it.
pub(super) fn id(text: &str) -> String {
    plain(text, MAX_ID_BYTES)
}

/// Our headers of one forward, in one piece of memory: [`History::encode_into`] writes them.
#[derive(Clone, Debug, Default)]
pub struct OwnHeaders {
    text: String,
    /// Names, and where their values end in the text.
    list: Vec<(&'static str, usize)>,
    names: usize,
}

impl OwnHeaders {
    /// Name and value of each, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &str)> {
        let mut begin = 0;
        self.list.iter().map(move |&(name, end)| (name, &self.text[std::mem::replace(&mut begin, end)..end]))
    }

    /// Bytes of names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.names + self.text.len()
    }

    fn clear(&mut self) {
        self.text.clear();
        self.list.clear();
        self.names = 0;
    }

    fn end(&mut self, name: &'static str) {
        self.names += name.len();
        self.list.push((name, self.text.len()));
    }

    fn push(&mut self, name: &'static str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
        self.end(name);
    }

    /// A text of no more than so many bytes, made plain.
    fn push_text(&mut self, name: &'static str, text: &str, limit: usize) {
        plain_into(&mut self.text, text, limit);
        self.end(name);
    }

    fn put(&mut self, field: Field, value: impl Display) {
        self.push(field.name(), value);
    }

    fn put_number(&mut self, field: Field, number: u32) {
        self.text.push_str(itoa::Buffer::new().format(number));
        self.end(field.name());
    }

    fn put_some(&mut self, field: Field, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(field, value);
        }
    }

    fn put_some_text(&mut self, field: Field, text: Option<&str>, limit: usize) {
        if let Some(text) = text {
            self.push_text(field.name(), text, limit);
        }
    }

    /// Bytes left if so many more are taken.
    fn left(&self, taken: usize) -> usize {
        MAX_OWN_BYTES.saturating_sub(self.bytes() + taken)
    }
}
