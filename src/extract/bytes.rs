//! The body as it is.

use crate::extract::{Decode, Destination, Encode, EncodeError, Encoded, Raw, Rejection, body_extractor};
use bytes::Bytes;

body_extractor!([] Bytes, "Bytes");

/// The bytes as they are, without a copy.
///
/// While they live, the batch that the record was read in (64 KiB, or the record itself if larger) stays in memory and
/// counts against the service's budget: copy out what you keep for long.
impl<S: Sync> Decode<S> for Bytes {
    async fn decode(raw: Raw<'_>, _: &S) -> Result<Self, Rejection> {
        Ok(raw.to_bytes())
    }
}

impl<S: Sync> Encode<S> for Bytes {
    async fn encode(&self, _: Destination<'_>, _: &S) -> Result<Encoded, EncodeError> {
        Ok(Encoded::bytes(self.clone()))
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
