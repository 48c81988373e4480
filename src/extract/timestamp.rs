//! When the record was made.

use crate::extract::{Call, FromRecord, OptionalFromRecord, Rejection};
use retrial_core::{history::SourceTime, time::Timestamp};

/// The timestamp that the record had in its source topic: the same in every attempt, although a tier stamps records
/// anew. A record without one is undecodable; take `Option<Timestamp>` where that may be.
impl<S: Sync> FromRecord<S> for Timestamp {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        call.source_time().timestamp().ok_or_else(|| Rejection::null("timestamp", "Timestamp"))
    }
}

impl<S: Sync> OptionalFromRecord<S> for Timestamp {
    async fn from_record_if_present(call: &Call, _: &S) -> Result<Option<Self>, Rejection> {
        Ok(call.source_time().timestamp())
    }
}

/// The same as [`Timestamp`], with who set it; never a rejection.
impl<S: Sync> FromRecord<S> for SourceTime {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(call.source_time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::{extract, rejected, retried, timed, with_body};

    #[test]
    fn a_retry_has_the_timestamp_of_the_source_topic() {
        let first = with_body(None);
        assert_eq!(extract::<Timestamp>(&first), Ok(Timestamp::from_millis(1_000)));
        assert_eq!(extract::<Timestamp>(&retried(first, 1)), Ok(Timestamp::from_millis(500)));
    }

    #[test]
    fn a_record_without_one_is_none() {
        let call = timed(SourceTime::None);
        assert_eq!(extract::<Option<Timestamp>>(&call), Ok(None));
        assert_eq!(extract::<SourceTime>(&call), Ok(SourceTime::None));
        assert_eq!(rejected::<Timestamp>(&call).kind(), "null");
    }
}
