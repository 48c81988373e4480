//! The body as it is.

use crate::extract::{Call, FromRecord, OptionalFromRecord, Rejection};
use bytes::Bytes;

/// The body, without a copy.
///
/// While it lives, the batch that the record was read in (64 KiB, or the record itself if larger) stays in memory and
/// counts against the service's budget: copy out what you keep for long.
impl<S: Sync> FromRecord<S> for Bytes {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        call.record.body_bytes().ok_or_else(|| Rejection::null("body", "Bytes"))
    }
}

impl<S: Sync> OptionalFromRecord<S> for Bytes {
    async fn from_record_if_present(call: &Call, _: &S) -> Result<Option<Self>, Rejection> {
        Ok(call.record.body_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::{extract, rejected, with_body};

    #[test]
    fn a_body_is_taken_without_a_copy() {
        let call = with_body(Some(b"\xff\x00"));
        let body = extract::<Bytes>(&call).unwrap();
        assert_eq!(body.as_ptr(), call.record.body().unwrap().as_ptr());
    }

    #[test]
    fn a_null_body_is_none_and_an_empty_one_is_not() {
        assert_eq!(extract::<Option<Bytes>>(&with_body(None)), Ok(None));
        assert_eq!(extract::<Option<Bytes>>(&with_body(Some(b""))), Ok(Some(Bytes::new())));
        assert_eq!(rejected::<Bytes>(&with_body(None)).kind(), "null");
    }
}
