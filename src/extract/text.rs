//! The body as text.

use crate::extract::{Decode, Destination, Encode, EncodeError, Encoded, Raw, Rejection, body_extractor};

body_extractor!([] String, "String");

/// UTF-8 text; anything else is undecodable.
impl<S: Sync> Decode<S> for String {
    async fn decode(raw: Raw<'_>, _: &S) -> Result<Self, Rejection> {
        match std::str::from_utf8(raw.bytes()) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(Rejection::undecodable_as("utf-8", error)),
        }
    }
}

impl<S: Sync> Encode<S> for String {
    async fn encode(&self, _: Destination<'_>, _: &S) -> Result<Encoded, EncodeError> {
        Ok(Encoded::bytes(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use crate::extract::testing::{extract, rejected, with_body};

    #[test]
    fn text_is_read_and_anything_else_refused_with_the_place() {
        assert_eq!(extract::<String>(&with_body(Some("grün".as_bytes()))).as_deref(), Ok("grün"));
        let reason = rejected::<String>(&with_body(Some(b"gr\xfcn")));
        assert_eq!((reason.kind(), reason.message().contains("index 2")), ("utf-8", true), "{reason}");
    }

    #[test]
    fn a_null_body_is_none_and_an_empty_one_is_not() {
        assert_eq!(extract::<Option<String>>(&with_body(None)), Ok(None));
        assert_eq!(extract::<Option<String>>(&with_body(Some(b""))), Ok(Some(String::new())));
        assert_eq!(rejected::<String>(&with_body(None)).kind(), "null");
        assert_eq!(rejected::<Option<String>>(&with_body(Some(b"\xff"))).kind(), "utf-8");
    }
}
