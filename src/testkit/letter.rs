//! A dead letter, as a test reads it.

use crate::broker::sim::log::Stored;
use retrial_core::{
    history::{History, carried},
    id::Origin,
    outcome::{Cause, Reason},
    time::Timestamp,
};
use std::{borrow::Cow, fmt};

/// A record in the dead-letter topic, with the reason.
///
/// ```
/// use retrial::{App, Cause, Failure, handler, testkit::{Message, TestService}};
///
/// async fn charge() -> Result<(), Failure> {
///     Err(Failure::dead("the card was refused").kind("card"))
/// }
///
/// let app = App::group("billing").topic("orders", handler(charge)).build()?;
/// let mut service = TestService::new(app);
/// let order = service.send("orders", Message::new("42").key("alice").header("tenant", "blue"));
/// service.run_until_idle();
/// let letters = service.dead_letters();
/// assert_eq!(letters[0].to_string(), "orders/0/0, refused after 1 attempt: card: the card was refused");
/// assert_eq!((letters[0].origin(), letters[0].cause()), (&order, Cause::Refused));
/// assert_eq!((&*letters[0].text(), letters[0].header("tenant")), ("42", Some(&b"blue"[..])));
/// # Ok::<(), retrial::BuildError>(())
/// ```
#[derive(Clone)]
pub struct DeadLetter {
    history: History,
    key: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    buried: Timestamp,
}

impl DeadLetter {
    pub(super) fn new(history: History, record: &Stored) -> Self {
        let headers = record.message.headers.iter().map(|(name, value)| (&name[..], value.as_deref()));
        let carried = carried(headers, true).map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)));
        Self {
            history,
            headers: carried.collect(),
            key: record.message.key.as_ref().map(|key| key.to_vec()),
            body: record.message.body.as_ref().map(|body| body.to_vec()),
            buried: record.time.timestamp().unwrap_or_default(),
        }
    }

    /// Where the record stood first.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.history.origin
    }

    /// Why it is here.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.history.cause.unwrap_or(Cause::Exhausted)
    }

    /// Kind and message of its last failure.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Reason::new(&text(&self.history.error_kind), &text(&self.history.error))
    }

    /// Attempts that were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.history.attempts
    }

    /// Times that the record took its worker down.
    #[must_use]
    pub fn crashes(&self) -> u32 {
        self.history.crashes
    }

    /// When it was buried, in virtual time.
    #[must_use]
    pub fn buried(&self) -> Timestamp {
        self.buried
    }

    /// The record's key.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// The record's body; the first KiB of it if the whole did not fit into the dead-letter topic.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// The body as text, with a replacement for what is no UTF-8; empty for a null body.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body().unwrap_or_default())
    }

    /// The record's own headers, without those that retrial added.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> + '_ {
        self.headers.iter().map(|(name, value)| (&name[..], value.as_deref()))
    }

    /// Value of the last header of this name; `None` if there is none, or it is null.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let named = self.headers().filter(|(given, _)| *given == name.as_bytes());
        named.last().and_then(|(_, value)| value)
    }
}

/// `orders/0/3, refused after 1 attempt: card: the card was refused`
impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempts, cause) = (self.attempts(), self.cause());
        let plural = if attempts == 1 { "" } else { "s" };
        write!(f, "{}, {cause} after {attempts} attempt{plural}: {}", self.origin(), self.reason())
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeadLetter({self})")
    }
}
