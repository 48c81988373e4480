//! The record's key.

use crate::extract::{Call, FromRecord, OptionalFromRecord, Rejection};
use bytes::Bytes;
use std::{fmt, ops::Deref, str::Utf8Error};

/// The record's key, as bytes.
///
/// A record without a key is undecodable for a handler that takes a `Key`; take `Option<Key>` where keys may be
/// null. Like a body taken as `Bytes`, it keeps the record's batch in memory while it lives.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub Bytes);

impl Key {
    /// The key as text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.0)
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// How long it is and never what it is, since keys name customers.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

impl<S: Sync> FromRecord<S> for Key {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        call.record.key_bytes().map(Key).ok_or_else(|| Rejection::null("key", "Key"))
    }
}

impl<S: Sync> OptionalFromRecord<S> for Key {
    async fn from_record_if_present(call: &Call, _: &S) -> Result<Option<Self>, Rejection> {
        Ok(call.record.key_bytes().map(Key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::{call, extract, rejected};

    #[test]
    fn a_null_key_is_none_and_an_empty_one_is_not() {
        let (absent, empty) = (call(None, None, &[]), call(Some(b""), None, &[]));
        assert_eq!(extract::<Option<Key>>(&absent), Ok(None));
        assert_eq!(extract::<Option<Key>>(&empty), Ok(Some(Key(Bytes::new()))));
        assert_eq!(rejected::<Key>(&absent).kind(), "null");
    }

    #[test]
    fn a_binary_key_is_bytes_and_no_text() {
        let key = extract::<Key>(&call(Some(&[0xff, 0x00]), None, &[])).unwrap();
        assert_eq!(&*key, [0xff, 0x00]);
        assert!(key.as_str().is_err());
        assert_eq!(format!("{key:?}"), "Key(2 bytes)");
    }
}
