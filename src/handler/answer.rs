//! What a handler may return.

use crate::handler::Failure;
use retrial_core::outcome::Outcome;

/// What a handler may return: `()`, an [`Outcome`], or a `Result` of one of them with any error.
///
/// "Any error" is [`Failure`], every type that implements [`std::error::Error`], `anyhow::Error`, `String` and
/// `&'static str`. An error means: try again, as the topic's schedule says, unless the [`Failure`] says otherwise
/// or the topic's `classify` does.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "this says nothing of what becomes of the record",
    note = "a handler returns `()`, `Outcome`, `Result<(), E>` or `Result<Outcome, E>`, where `E` is any error: `Failure`, `anyhow::Error`, `String`, or a type that implements `std::error::Error`",
    note = "an `async fn` belongs into `handler(…)`; what is given to `blocking(…)` returns one of these itself"
)]
pub trait IntoOutcome {
    /// The outcome, or the failure that the topic's classes are asked about.
    ///
    /// # Errors
    /// The failure, if the handler failed.
    fn into_outcome(self) -> Result<Outcome, Failure>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<Outcome, Failure> {
        Ok(Outcome::Done)
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Result<Outcome, Failure> {
        Ok(self)
    }
}

impl<R: IntoOutcome, E: Into<Failure>> IntoOutcome for Result<R, E> {
    fn into_outcome(self) -> Result<Outcome, Failure> {
        self.map_err(Into::into)?.into_outcome()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::testing::{answer, retried};
    use retrial_core::outcome::{Cause, Reason};
    use std::{io, time::Duration};

    #[test]
    fn nothing_said_is_done() {
        assert_eq!(answer(async || ()), Outcome::Done);
        assert_eq!(answer(async || Ok::<(), Failure>(())), Outcome::Done);
    }

    #[test]
    fn an_outcome_is_taken_as_it_is() {
        let outcomes = [
            Outcome::Done,
            Outcome::Retry(Reason::new("k", "m")),
            Outcome::RetryAfter(Duration::from_secs(3), Reason::new("k", "m")),
            Outcome::Snooze(Duration::from_secs(3)),
            Outcome::Hold(Duration::from_secs(3)),
            Outcome::Discard("twice".to_owned()),
            Outcome::Dead(Cause::Refused, Reason::new("k", "m")),
        ];
        for outcome in outcomes {
            let (plain, result) = (outcome.clone(), outcome.clone());
            assert_eq!(answer(move || std::future::ready(plain.clone())), outcome);
            assert_eq!(answer(move || std::future::ready(Ok::<_, io::Error>(result.clone()))), outcome);
        }
    }

    #[test]
    fn every_error_is_a_retry_with_its_text() {
        for reason in [
            retried(answer(async || Err::<(), _>(io::Error::other("down")))),
            retried(answer(async || Err::<Outcome, _>(anyhow::anyhow!("down")))),
            retried(answer(async || Err::<(), _>("down".to_owned()))),
            retried(answer(async || Err::<(), _>("down"))),
            retried(answer(async || Err::<(), Box<dyn std::error::Error + Send + Sync>>("down".into()))),
            retried(answer(async || Err::<(), Failure>("down".into()))),
        ] {
            assert_eq!(reason.message(), "down");
            assert!(!reason.is_abrupt());
        }
    }

    #[test]
    fn question_marks_work_on_everything() {
        async fn handler() -> Result<(), Failure> {
            let number = || -> anyhow::Result<u8> { Ok("x".parse()?) };
            let _: u8 = "3".parse()?;
            number()?;
            Ok(())
        }
        assert_eq!(retried(answer(handler)).message(), "invalid digit found in string");
    }
}
