//! How a handler says that it failed.

use crate::{
    handler::Verdict,
    reason::{BoxError, KIND_ERROR, chain, kind_of},
};
use std::{any::Any, error::Error, fmt, time::Duration};

/// An error of a handler, with or without word of what should become of the record.
///
/// Any error converts into one, so `?` works on everything; such a failure is retried by the topic's schedule unless
/// the topic's [`classify`](crate::Handler::classify) knows better. A failure made by [`Failure::dead`] and its
/// sisters is explicit and wins.
///
/// ```
/// use retrial::Failure;
///
/// async fn charge(card: String) -> Result<(), Failure> {
///     let cents: u64 = "1999".parse()?;
///     if card.is_empty() {
///         return Err(Failure::dead("an order without a card").kind("no-card"));
///     }
///     println!("{cents} from {card}");
///     Ok(())
/// }
/// # let _ = retrial::handler(charge);
/// ```
///
/// It does not implement [`std::error::Error`], as `anyhow::Error` does not: that is the price of the conversion from
/// every error.
pub struct Failure {
    error: Held,
    pub(super) kind: String,
    pub(super) verdict: Option<Verdict>,
}

/// An `anyhow::Error` that was turned into a boxed error hides the type of its outermost error from a downcast, so it is
/// kept as it came.
enum Held {
    Boxed(BoxError),
    Anyhow(anyhow::Error),
}

impl Failure {
    /// Try again when the topic's schedule says.
    #[must_use]
    pub fn retry(error: impl Into<Self>) -> Self {
        error.into().with(Verdict::retry())
    }

    /// Try again after this delay, in place of the schedule's; still an attempt.
    #[must_use]
    pub fn after(delay: Duration, error: impl Into<Self>) -> Self {
        error.into().with(Verdict::after(delay))
    }

    /// Trying again is useless: to the dead letters, now.
    #[must_use]
    pub fn dead(error: impl Into<Self>) -> Self {
        error.into().with(Verdict::dead())
    }

    /// Not now: run again after this delay. Counts no attempt, so the record never runs out of them.
    #[must_use]
    pub fn snooze(delay: Duration, error: impl Into<Self>) -> Self {
        error.into().with(Verdict::snooze(delay))
    }

    /// The service behind the handler is away: the topic takes nothing new for this long, and the record runs again
    /// then. Counts no attempt.
    #[must_use]
    pub fn hold(delay: Duration, error: impl Into<Self>) -> Self {
        error.into().with(Verdict::hold(delay))
    }

    /// Names the kind of failure: dead letters and counters are grouped by it. At most 128 bytes are kept. Without
    /// this it is the error's crate and type, as in `billing::BankError`, or `error` where the type says nothing.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    fn with(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// The error, outermost.
    pub(crate) fn error(&self) -> &(dyn Error + 'static) {
        match &self.error {
            Held::Boxed(error) => &**error,
            Held::Anyhow(error) => &**error,
        }
    }
}

impl<E: Into<BoxError> + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let kind = kind_of::<E>();
        let mut error = Some(error);
        let any: &mut dyn Any = &mut error;
        if let Some(error) = any.downcast_mut::<Option<anyhow::Error>>().and_then(Option::take) {
            return Self { error: Held::Anyhow(error), kind: KIND_ERROR.to_owned(), verdict: None };
        }
        let error = error.expect("only an anyhow::Error was taken out").into();
        Self { error: Held::Boxed(error), kind, verdict: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self.error()))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({}: {self}; {:?})", self.kind, self.verdict)
    }
}
