//! Why a record could not be turned into what a handler takes.

use crate::reason::{BoxError, KIND_ERROR, reason};
use retrial_core::outcome::{Cause, Outcome, Reason};
use std::{fmt, time::Duration};

/// What becomes of a record that an extractor could not read. It is the outcome of the attempt: the handler does
/// not run.
///
/// Bytes that do not decode today will not decode tomorrow, so [`Rejection::undecodable`] is final. Only an extractor
/// that needs something beside the record (a schema registry, a decryption service) has reason to retry or hold.
///
/// There is no conversion from other errors on purpose: with one, a `?` in an extractor would quietly retry for days
/// what can never be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(Outcome);

impl Rejection {
    /// The record is not what the handler takes: to the dead letters, never retried.
    #[must_use]
    pub fn undecodable(error: impl Into<BoxError>) -> Self {
        Self::undecodable_as("undecodable", error)
    }

    /// The same, with a failure kind that tells one decoder from another.
    #[must_use]
    pub fn undecodable_as(kind: &str, error: impl Into<BoxError>) -> Self {
        Self(Outcome::Dead(Cause::Undecodable, reason(kind, &*error.into())))
    }

    /// The handler must not see this record, for a reason other than its form (wrong signature, foreign tenant): to
    /// the dead letters as refused.
    #[must_use]
    pub fn refused(error: impl Into<BoxError>) -> Self {
        Self(Outcome::Dead(Cause::Refused, reason("refused", &*error.into())))
    }

    /// Something the extractor needs failed: counts as an attempt and is retried by the schedule.
    #[must_use]
    pub fn retry(error: impl Into<BoxError>) -> Self {
        Self(Outcome::Retry(reason(KIND_ERROR, &*error.into())))
    }

    /// Something that every record of the topic needs is away: the topic takes nothing new for this long. Counts no
    /// attempt.
    #[must_use]
    pub const fn hold(delay: Duration) -> Self {
        Self(Outcome::Hold(delay))
    }

    /// A null body or key where the handler asks for one that is present.
    pub(crate) fn null(part: &str, extractor: &str) -> Self {
        let message = format!("the {part} is null; a handler that expects this takes Option<{extractor}>");
        Self(Outcome::Dead(Cause::Undecodable, Reason::new("null", &message)))
    }

    /// What the attempt came to because of this.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.0
    }
}

impl From<Rejection> for Outcome {
    fn from(rejection: Rejection) -> Self {
        rejection.0
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Outcome::Dead(_, reason) | Outcome::Retry(reason) => fmt::Display::fmt(reason, f),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_depends_on_something_else_is_tried_again() {
        let delay = Duration::from_secs(3);
        assert!(matches!(Rejection::undecodable("x").into(), Outcome::Dead(Cause::Undecodable, _)));
        assert!(matches!(Rejection::refused("x").into(), Outcome::Dead(Cause::Refused, _)));
        assert!(matches!(Rejection::retry("x").into(), Outcome::Retry(reason) if reason.message() == "x"));
        assert_eq!(Outcome::from(Rejection::hold(delay)), Outcome::Hold(delay));
    }
}
