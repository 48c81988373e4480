//! Which attempt this is, and what became of those before.

use crate::{
    extract::{Call, Control, FromRecord, Rejection},
    record::Record,
};
use retrial_core::{
    history::{History, idempotency_key},
    id::Origin,
    time::Timestamp,
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// Which attempt of the record this is, and what became of those before.
///
/// ```
/// use retrial::{Attempt, Failure};
///
/// async fn charge(attempt: Attempt) -> Result<(), Failure> {
///     if attempt.number() > 3 {
///         return Err(Failure::dead("three attempts are enough"));
///     }
///     bank_transfer(attempt.idempotency_key()).await
/// }
/// # async fn bank_transfer(_: &str) -> Result<(), Failure> { Ok(()) }
/// # let _ = retrial::handler(charge);
/// ```
#[derive(Clone)]
pub struct Attempt {
    record: Record,
    tries: u16,
    fence: u64,
    history: Option<Arc<History>>,
    control: Arc<Control>,
    key: OnceLock<String>,
}

impl Attempt {
    pub(crate) fn of(call: &Call) -> Self {
        Self {
            record: call.record.clone(),
            tries: call.tries,
            fence: call.fence,
            history: call.history.clone(),
            control: Arc::clone(&call.control),
            key: OnceLock::new(),
        }
    }

    fn past<T>(&self, read: impl FnOnce(&History) -> T) -> Option<T> {
        self.history.as_deref().map(read)
    }

    /// Which attempt of the record this is, from 1. Waits by snooze or hold and crashes of the process do not count.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.past(|history| history.attempts).unwrap_or(0).saturating_add(1)
    }

    /// Quick in-place tries made before this one within the same attempt, from 0. They are not remembered across a
    /// restart of the process or a rebalance.
    #[must_use]
    pub fn tries(&self) -> u16 {
        self.tries
    }

    /// The same for every attempt of this record by this group, also after a redrive or a replay:
    /// `<group>/<topic>/<partition>/<offset>` of its first place. The format is frozen.
    ///
    /// Two records that a producer wrote for one event have two keys.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        self.key.get_or_init(|| idempotency_key(&self.control.host().group, &self.origin()))
    }

    /// Where the record stood first.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.past(|history| history.origin.clone()).unwrap_or_else(|| Origin {
            topic: Arc::clone(self.record.topic_shared()),
            partition: self.record.partition(),
            offset: self.record.offset(),
        })
    }

    /// When the first failed attempt ended, by the broker's clock; `None` before one failed.
    #[must_use]
    pub fn first_failed(&self) -> Option<Timestamp> {
        self.past(|history| history.first_failed).flatten()
    }

    /// When the last failed attempt ended, by the broker's clock; `None` before one failed.
    #[must_use]
    pub fn last_failed(&self) -> Option<Timestamp> {
        self.past(|history| history.last_failed).flatten()
    }

    /// What the last failed attempt said, cut at 1 KiB; `None` before one failed.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.history.as_deref().and_then(|history| history.error.as_deref())
    }

    /// The kind of the last failure, at most 128 bytes; `None` before one failed.
    #[must_use]
    pub fn last_error_kind(&self) -> Option<&str> {
        self.history.as_deref().and_then(|history| history.error_kind.as_deref())
    }

    /// How often the process died while it handled this record alone.
    #[must_use]
    pub fn crashes(&self) -> u32 {
        self.past(|history| history.crashes).unwrap_or(0)
    }

    /// How often the record was sent back from the dead letters.
    #[must_use]
    pub fn redrives(&self) -> u32 {
        self.past(|history| history.redrives).unwrap_or(0)
    }

    /// The name of the replay that brought the record back; `None` if none did.
    #[must_use]
    pub fn replay(&self) -> Option<&str> {
        self.history.as_deref().and_then(|history| history.replay.as_deref())
    }

    /// A number that grows with every assignment of the record's partition. A `blocking` handler that was overtaken by
    /// a rebalance cannot be stopped; a store that refuses numbers below the largest it has seen for a key keeps
    /// it from undoing the new owner's work.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt({} of {})", self.number(), self.idempotency_key())
    }
}

impl<S: Sync> FromRecord<S> for Attempt {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(Self::of(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::{extract, retried, with_body};

    #[test]
    fn a_first_attempt_has_no_past() {
        let attempt = extract::<Attempt>(&with_body(None)).unwrap();
        assert_eq!((attempt.number(), attempt.tries(), attempt.crashes(), attempt.redrives()), (1, 0, 0, 0));
        assert_eq!((attempt.last_error(), attempt.last_error_kind(), attempt.replay()), (None, None, None));
        assert_eq!((attempt.first_failed(), attempt.last_failed()), (None, None));
        assert_eq!(attempt.idempotency_key(), "billing/orders/3/184467");
        assert_eq!(attempt.fence(), 7);
    }

    #[test]
    fn a_retry_tells_its_past_and_keeps_its_key() {
        let attempt = extract::<Attempt>(&retried(with_body(None), 4)).unwrap();
        assert_eq!((attempt.number(), attempt.crashes(), attempt.redrives()), (5, 2, 1));
        assert_eq!((attempt.last_error(), attempt.last_error_kind()), (Some("down"), Some("bank")));
        assert_eq!(attempt.first_failed(), Some(Timestamp::from_millis(600)));
        assert_eq!(attempt.last_failed(), Some(Timestamp::from_millis(700)));
        assert_eq!(attempt.replay(), Some("june"));
        assert_eq!(attempt.idempotency_key(), "billing/orders/5/42");
        assert_eq!(attempt.clone().idempotency_key(), attempt.idempotency_key());
    }

    #[test]
    fn a_forged_count_does_not_overflow() {
        assert_eq!(extract::<Attempt>(&retried(with_body(None), u32::MAX)).unwrap().number(), u32::MAX);
    }
}
