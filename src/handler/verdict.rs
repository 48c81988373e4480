//! What should become of a record whose handler failed, told by the type of the error.

use crate::{
    handler::Failure,
    reason::{links, reason},
};
use retrial_core::outcome::{Cause, Outcome};
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// What should become of a record whose handler failed with a certain error; see
/// [`classify`](crate::Handler::classify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    ruling: Ruling,
    kind: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ruling {
    Retry,
    After(Duration),
    Snooze(Duration),
    Hold(Duration),
    Discard,
    Dead,
}

impl Verdict {
    const fn new(ruling: Ruling) -> Self {
        Self { ruling, kind: None }
    }

    /// Try again when the topic's schedule says: what happens to errors that nobody classified.
    #[must_use]
    pub const fn retry() -> Self {
        Self::new(Ruling::Retry)
    }

    /// Try again after this delay, in place of the schedule's; still an attempt.
    #[must_use]
    pub const fn after(delay: Duration) -> Self {
        Self::new(Ruling::After(delay))
    }

    /// Run again after this delay; counts no attempt.
    #[must_use]
    pub const fn snooze(delay: Duration) -> Self {
        Self::new(Ruling::Snooze(delay))
    }

    /// The service behind the handler is away: the topic takes nothing new for this long, and the record runs again
    /// then. Counts no attempt.
    #[must_use]
    pub const fn hold(delay: Duration) -> Self {
        Self::new(Ruling::Hold(delay))
    }

    /// Nothing is to be done for this record: finished, with the error's text as the reason.
    #[must_use]
    pub const fn discard() -> Self {
        Self::new(Ruling::Discard)
    }

    /// Trying again is useless: to the dead letters, now.
    #[must_use]
    pub const fn dead() -> Self {
        Self::new(Ruling::Dead)
    }

    /// Names the kind of failure, in place of the one that the failure has. At most 128 bytes are kept.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    fn outcome(self, kind: &str, error: &(dyn Error + 'static)) -> Outcome {
        let reason = || reason(self.kind.as_deref().unwrap_or(kind), error);
        match self.ruling {
            Ruling::Retry => Outcome::Retry(reason()),
            Ruling::After(delay) => Outcome::RetryAfter(delay, reason()),
            Ruling::Snooze(delay) => Outcome::Snooze(delay),
            Ruling::Hold(delay) => Outcome::Hold(delay),
            Ruling::Discard => Outcome::Discard(reason().to_string()),
            Ruling::Dead => Outcome::Dead(Cause::Refused, reason()),
        }
    }
}

type Class = Arc<dyn Fn(&(dyn Error + 'static)) -> Option<Verdict> + Send + Sync>;

/// The classes of errors that a topic knows, in the order they were given.
#[derive(Clone, Default)]
pub(crate) struct Classes(Vec<Class>);

impl Classes {
    /// Adds a class: errors of one type.
    pub(crate) fn add<E: Error + 'static>(&mut self, judge: impl Fn(&E) -> Verdict + Send + Sync + 'static) {
        self.0.push(Arc::new(move |error| error.downcast_ref().map(&judge)));
    }

    /// What becomes of a record whose handler failed like this: what the failure says itself; else what the first
    /// class says that knows the error or, from the outside in, one of its causes; else a retry.
    pub(crate) fn judge(&self, mut failure: Failure) -> Outcome {
        let said = failure.verdict.take();
        let known = || links(failure.error()).find_map(|error| self.0.iter().find_map(|class| class(error)));
        let verdict = said.or_else(known).unwrap_or_else(Verdict::retry);
        verdict.outcome(&failure.kind, failure.error())
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Classes({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        extract::testing::with_body,
        handler::testing::{classified, retried, run},
    };
    use anyhow::Context as _;
    use std::future::ready;

    #[derive(Clone, Debug, thiserror::Error)]
    enum BankError {
        #[error("the card was refused")]
        Refused,
        #[error("too many requests")]
        RateLimited,
        #[error("the bank does not answer")]
        Down,
    }

    #[derive(Clone, Debug, thiserror::Error)]
    #[error("the order was not paid")]
    struct Unpaid(#[source] BankError);

    const DELAY: Duration = Duration::from_secs(9);

    fn bank() -> Classes {
        let mut classes = Classes::default();
        classes.add(|error: &BankError| match error {
            BankError::Refused => Verdict::dead().kind("refused"),
            BankError::RateLimited => Verdict::after(DELAY),
            BankError::Down => Verdict::hold(DELAY),
        });
        classes
    }

    fn judged<E: Into<Failure>>(error: E) -> Outcome {
        let failure: Failure = error.into();
        bank().judge(failure)
    }

    fn dead(outcome: &Outcome) -> &str {
        match outcome {
            Outcome::Dead(Cause::Refused, reason) if reason.kind() == "refused" => reason.message(),
            other => panic!("{other:?} is not what the class says"),
        }
    }

    #[test]
    fn an_error_is_found_as_it_is_and_as_a_cause() {
        assert_eq!(dead(&judged(BankError::Refused)), "the card was refused");
        assert_eq!(dead(&judged(Unpaid(BankError::Refused))), "the order was not paid: the card was refused");
    }

    #[test]
    fn an_error_is_found_in_a_box() {
        let boxed: Box<dyn Error + Send + Sync> = Box::new(Unpaid(BankError::Refused));
        assert_eq!(dead(&judged(boxed)), "the order was not paid: the card was refused");
    }

    #[test]
    fn an_error_is_found_through_anyhow_with_and_without_context() {
        assert_eq!(dead(&judged(anyhow::Error::new(BankError::Refused))), "the card was refused");
        assert_eq!(dead(&judged(anyhow::Error::new(Unpaid(BankError::Refused)))).len(), 44);
        let error = Err::<(), _>(Unpaid(BankError::Refused)).context("charging").unwrap_err().context("order 7");
        let text = "order 7: charging: the order was not paid: the card was refused";
        assert_eq!(dead(&judged(error)), text);
    }

    #[test]
    fn each_verdict_is_its_outcome() {
        let failure = |verdict| {
            let mut failure = Failure::from("down").kind("k");
            failure.verdict = Some(verdict);
            failure
        };
        let reason = retrial_core::outcome::Reason::new("k", "down");
        for (verdict, outcome) in [
            (Verdict::retry(), Outcome::Retry(reason.clone())),
            (Verdict::after(DELAY), Outcome::RetryAfter(DELAY, reason.clone())),
            (Verdict::snooze(DELAY), Outcome::Snooze(DELAY)),
            (Verdict::hold(DELAY), Outcome::Hold(DELAY)),
            (Verdict::discard(), Outcome::Discard("k: down".to_owned())),
            (Verdict::dead(), Outcome::Dead(Cause::Refused, reason)),
        ] {
            assert_eq!(Classes::default().judge(failure(verdict)), outcome);
        }
    }

    #[test]
    fn what_a_failure_says_wins_over_its_class() {
        assert_eq!(judged(Failure::snooze(DELAY, BankError::Refused)), Outcome::Snooze(DELAY));
        assert_eq!(retried(judged(Failure::retry(BankError::Refused))).message(), "the card was refused");
        assert_eq!(judged(Failure::hold(DELAY, BankError::Refused)), Outcome::Hold(DELAY));
        assert!(matches!(judged(Failure::after(DELAY, BankError::Refused)), Outcome::RetryAfter(DELAY, _)));
        assert!(matches!(judged(Failure::dead(BankError::Down)), Outcome::Dead(Cause::Refused, _)));
    }

    #[test]
    fn a_kind_alone_leaves_the_verdict_to_the_class() {
        let outcome = judged(Failure::from(BankError::RateLimited).kind("limited"));
        assert!(matches!(outcome, Outcome::RetryAfter(DELAY, reason) if reason.kind() == "limited"));
    }

    #[test]
    fn the_outermost_error_that_is_known_decides_and_then_the_first_class() {
        let mut classes = Classes::default();
        classes.add(|_: &BankError| Verdict::dead());
        classes.add(|_: &Unpaid| Verdict::snooze(DELAY));
        classes.add(|_: &Unpaid| Verdict::dead());
        assert_eq!(classes.judge(Unpaid(BankError::Down).into()), Outcome::Snooze(DELAY));
    }

    #[test]
    fn an_error_that_no_class_knows_is_a_retry_of_its_kind() {
        let reason = retried(judged("x".parse::<u8>().unwrap_err()));
        assert_eq!(reason.kind(), "std::ParseIntError");
    }

    #[test]
    fn handlers_ask_their_classes() {
        let charge = |error: BankError| move || ready(Err::<(), _>(Unpaid(error.clone())));
        let outcome = run(&*classified(charge(BankError::Down), bank()), with_body(None));
        assert_eq!(outcome, Outcome::Hold(DELAY));
    }
}
