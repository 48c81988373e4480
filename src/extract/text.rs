//! The body as text.

use crate::extract::{Call, FromRecord, OptionalFromRecord, Rejection};

fn text(body: &[u8]) -> Result<String, Rejection> {
    match std::str::from_utf8(body) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(Rejection::undecodable_as("utf-8", error)),
    }
}

/// The body as UTF-8 text; any other body is undecodable.
impl<S: Sync> FromRecord<S> for String {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        text(call.record.body().ok_or_else(|| Rejection::null("body", "String"))?)
    }
}

impl<S: Sync> OptionalFromRecord<S> for String {
    async fn from_record_if_present(call: &Call, _: &S) -> Result<Option<Self>, Rejection> {
        call.record.body().map(text).transpose()
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
