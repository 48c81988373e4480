//! What an attempt came to, as the engine sees it.

use std::{fmt, str::FromStr, time::Duration};

/// Longest error text that is kept, in bytes; longer ones are cut at a character.
pub const MAX_MESSAGE_BYTES: usize = 1024;

/// Longest failure kind that is kept, in bytes; longer ones are cut at a character.
pub const MAX_KIND_BYTES: usize = 128;

/// Why an attempt did not end well: a short kind for counting, and a text for people.
///
/// Control characters are escaped and both texts are cut to their limits when the value is made, so what is
/// stored in headers and shown on terminals is always plain and short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    kind: String,
    message: String,
    abrupt: bool,
}

impl Reason {
    /// A reason of the given kind, such as `timeout`, with a text.
    #[must_use]
    pub fn new(kind: &str, message: &str) -> Self {
        Self { kind: plain(kind, MAX_KIND_BYTES), message: plain(message, MAX_MESSAGE_BYTES), abrupt: false }
    }

    /// Marks an attempt that was cut off (timeout, panic, crash): it is never tried again in place.
    #[must_use]
    pub fn abrupt(mut self) -> Self {
        self.abrupt = true;
        self
    }

    /// The kind, at most [`MAX_KIND_BYTES`].
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The text, at most [`MAX_MESSAGE_BYTES`].
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The kind and the text, without a copy.
    #[must_use]
    pub fn into_texts(self) -> (String, String) {
        (self.kind, self.message)
    }

    /// Whether the attempt was cut off rather than answered.
    #[must_use]
    pub fn is_abrupt(&self) -> bool {
        self.abrupt
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// Escapes control characters and cuts at a character boundary.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    plain_into(&mut out, text, limit);
    out
}

/// The same, behind what is there.
pub(crate) fn plain_into(out: &mut String, text: &str, limit: usize) {
    // Nearly every text, and every one that was made plain before.
    if text.len() <= limit && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return out.push_str(text);
    }
    let begin = out.len();
    for character in text.chars() {
        let start = out.len();
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
        if out.len() - begin > limit {
            return out.truncate(start);
        }
    }
}

/// What an attempt came to. Every handler's answer becomes one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The work is finished.
    Done,
    /// Try again, when the schedule says.
    Retry(Reason),
    /// Try again after this delay instead of the schedule's; counts as an attempt.
    RetryAfter(Duration, Reason),
    /// Run again after this delay; does not count as an attempt.
    Snooze(Duration),
    /// The service behind the handler is down: the topic takes nothing new for this long, and the record runs
    /// again then. Does not count as an attempt.
    Hold(Duration),
    /// Finished without work, for the reason given.
    Discard(String),
    /// To the dead letters, for the reason given.
    Dead(Cause, Reason),
}

impl Outcome {
    /// Try again when the schedule says; the failure kind is `error`.
    #[must_use]
    pub fn retry(message: &str) -> Self {
        Self::Retry(Reason::new("error", message))
    }

    /// Try again after this delay; the failure kind is `error`.
    #[must_use]
    pub fn retry_after(delay: Duration, message: &str) -> Self {
        Self::RetryAfter(delay, Reason::new("error", message))
    }

    /// Finished without work, for this reason.
    #[must_use]
    pub fn discard(reason: &str) -> Self {
        Self::Discard(reason.to_owned())
    }

    /// To the dead letters as refused, for this reason; the failure kind is `refused`.
    #[must_use]
    pub fn dead(reason: &str) -> Self {
        Self::Dead(Cause::Refused, Reason::new("refused", reason))
    }
}

/// Why a record is in the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The schedule has no further attempt.
    Exhausted,
    /// The handler said that trying again is useless.
    Refused,
    /// The record could not be read as what the handler takes.
    Undecodable,
    /// The record was no longer worth doing when its turn came.
    Expired,
    /// The record took its worker process down again and again.
    Crashed,
    /// Nobody in the group handles the source topic.
    Unhandled,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 6] =
        [Self::Exhausted, Self::Refused, Self::Undecodable, Self::Expired, Self::Crashed, Self::Unhandled];

    /// The word used in headers, metrics and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Refused => "refused",
            Self::Undecodable => "undecodable",
            Self::Expired => "expired",
            Self::Crashed => "crashed",
            Self::Unhandled => "unhandled",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not a [`Cause`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a cause of death (exhausted, refused, undecodable, expired, crashed, unhandled)")]
pub struct CauseError {
    text: String,
}

impl FromStr for Cause {
    type Err = CauseError;

    fn from_str(text: &str) -> Result<Self, CauseError> {
        let known = Self::ALL.into_iter().find(|cause| cause.as_str() == text);
        known.ok_or_else(|| CauseError { text: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn causes_read_back() {
        for cause in Cause::ALL {
            assert_eq!(cause.as_str().parse(), Ok(cause));
        }
        assert!("tired".parse::<Cause>().is_err());
    }

    #[test]
    fn a_reason_says_what_it_was_told() {
        let reason = Reason::new("timeout", "60 s");
        assert_eq!((reason.kind(), reason.message(), reason.is_abrupt()), ("timeout", "60 s", false));
        assert_eq!((reason.to_string().as_str(), reason.abrupt().is_abrupt()), ("timeout: 60 s", true));
        assert_eq!(Cause::Expired.to_string(), "expired");
        assert_eq!(Reason::new("timeout", "60 s").into_texts(), ("timeout".to_owned(), "60 s".to_owned()));
    }

    #[test]
    fn a_text_that_just_fits_is_kept_whole() {
        let (fits, cut) = ("k".repeat(MAX_KIND_BYTES), format!("{}é", "k".repeat(MAX_KIND_BYTES - 1)));
        assert_eq!(Reason::new(&fits, "").kind(), fits);
        assert_eq!(Reason::new(&cut, "").kind(), &fits[1..]);
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(Reason::new("k", "a\nb\u{1b}[2J").message(), "a\\nb\\u{1b}[2J");
        assert_eq!(Reason::new("k", "\u{7f}\u{80}~ é").message(), "\\u{7f}\\u{80}~ é");
    }

    proptest! {
        #[test]
        fn texts_are_cut_at_a_character(kind in "\\PC{0,300}", message in any::<String>().prop_map(|text| text.repeat(40))) {
            let reason = Reason::new(&kind, &message);
            prop_assert!(reason.kind().len() <= MAX_KIND_BYTES && reason.message().len() <= MAX_MESSAGE_BYTES);
            prop_assert!(!reason.message().chars().any(char::is_control));
        }
    }
}
