//! The record's headers, as its producer wrote them.

use crate::{
    extract::{Call, FromRecord, Rejection},
    record::Record,
};
use retrial_core::history::carried;
use std::fmt;

/// The record's headers as its producer wrote them, in order. The same in every attempt: what retrial adds for its
/// own use is not shown.
///
/// Names and values are bytes: neither need be UTF-8, a value may be null, and a name may occur more than once.
///
/// ```
/// use retrial::Headers;
///
/// async fn audit(headers: Headers) {
///     let user = headers.text("user").unwrap_or("nobody");
///     println!("{user} sent {} headers", headers.iter().count());
/// }
/// # let _ = retrial::handler(audit);
/// ```
#[derive(Clone)]
pub struct Headers {
    record: Record,
    from_own_topic: bool,
}

impl Headers {
    pub(crate) fn of(call: &Call) -> Self {
        Self { record: call.record.clone(), from_own_topic: call.is_from_own_topic() }
    }

    /// Name and value of every header, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> + '_ {
        let first = (!self.from_own_topic).then(|| self.record.headers());
        let retry = self.from_own_topic.then(|| carried(self.record.headers(), true));
        first.into_iter().flatten().chain(retry.into_iter().flatten())
    }

    /// The value of the last header of this name, as Kafka's own clients choose; `None` if there is none or it is null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().filter(|(found, _)| *found == name.as_bytes()).last().and_then(|(_, value)| value)
    }

    /// The values of all headers of this name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Option<&'a [u8]>> + 'a {
        self.iter().filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// Like [`get`](Self::get), as text; `None` also if it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// How many there are and never what they hold.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({})", self.iter().count())
    }
}

impl<S: Sync> FromRecord<S> for Headers {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(Self::of(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::{call, extract, retried};
    use retrial_core::history::{History, SourceTime};
    use std::sync::Arc;

    const SENT: &[(&[u8], Option<&[u8]>)] = &[
        (b"user", Some(b"ann")),
        (b"\xff\x00", Some(b"\xfe")),
        (b"user", Some(b"bob")),
        (b"trace", None),
        (b"retrial-due", Some(b"tomorrow")),
    ];

    #[test]
    fn names_and_values_are_bytes_and_may_repeat_or_be_null() {
        let headers = extract::<Headers>(&call(None, None, SENT)).unwrap();
        assert_eq!(headers.iter().collect::<Vec<_>>(), SENT);
        assert_eq!(headers.text("user"), Some("bob"));
        assert_eq!(headers.get_all("user").count(), 2);
        assert_eq!((headers.get("trace"), headers.get_all("trace").count()), (None, 1));
        assert_eq!(headers.get("absent"), None);
    }

    #[test]
    fn in_our_own_topics_our_block_is_hidden_and_elsewhere_nothing_is() {
        let mut forwarded = SENT.to_vec();
        forwarded.extend([(&b"retrial-version"[..], Some(&b"1"[..])), (b"retrial-hop", Some(b"1"))]);
        let first = extract::<Headers>(&call(None, None, &forwarded)).unwrap();
        assert_eq!(first.iter().collect::<Vec<_>>(), forwarded);
        let retry = extract::<Headers>(&retried(call(None, None, &forwarded), 1)).unwrap();
        assert_eq!(retry.iter().collect::<Vec<_>>(), SENT);
        assert_eq!((retry.text("retrial-due"), retry.text("retrial-hop")), (Some("tomorrow"), None));
    }

    /// It waited in memory, or its process vanished: it has a past, and all headers are its producer's.
    #[test]
    fn a_record_of_a_source_topic_that_has_a_past_shows_every_header() {
        let mut letter = SENT.to_vec();
        letter.extend([(&b"retrial-version"[..], Some(&b"1"[..])), (b"retrial-hop", Some(b"1"))]);
        let past = History { crashes: 1, ..History::new(call(None, None, &[]).origin(), SourceTime::None) };
        let again = Call { history: Some(Arc::new(past)), ..call(None, None, &letter) };
        assert_eq!(extract::<Headers>(&again).unwrap().iter().collect::<Vec<_>>(), letter);
    }
}
