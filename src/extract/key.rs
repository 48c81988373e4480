//! The record's key.

use crate::extract::{Call, Decode, FromRecord, OptionalFromRecord, Part, Raw, Rejection, decode};
use bytes::Bytes;
use std::{any::Any, fmt, ops::Deref, str::Utf8Error};

/// The record's key: as bytes, or decoded by a format, as in `Key<String>` or `Key<Json<T>>`.
///
/// A record without a key is undecodable for a handler that takes a `Key`; take `Option<Key>` where keys may be
/// null. Like a body taken as `Bytes`, a key of bytes keeps the record's batch in memory while it lives.
///
/// ```
/// use retrial::{Key, handler};
///
/// async fn evict(Key(name): Key<String>) {
///     println!("{name} is no longer cached");
/// }
/// # let _ = retrial::App::group("cache").topic("evictions", handler(evict)).build();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key<F = Bytes>(pub F);

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
impl<F: 'static> fmt::Debug for Key<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0 as &dyn Any).downcast_ref::<Bytes>() {
            Some(bytes) => write!(f, "Key({} bytes)", bytes.len()),
            None => f.write_str("Key(..)"),
        }
    }
}

impl<S: Sync, F: Decode<S>> FromRecord<S> for Key<F> {
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        let raw = Raw::of(call, Part::Key).ok_or_else(|| Rejection::null("key", "Key"))?;
        F::decode(raw, state).await.map(Self)
    }
}

impl<S: Sync, F: Decode<S>> OptionalFromRecord<S> for Key<F> {
    async fn from_record_if_present(call: &Call, state: &S) -> Result<Option<Self>, Rejection> {
        Ok(decode::part(call, state, Part::Key).await?.map(Self))
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

    #[test]
    fn a_key_is_decoded_by_a_format_and_never_shown() {
        let key = extract::<Key<String>>(&call(Some(b"ann"), Some(b"bob"), &[])).unwrap();
        assert_eq!((&*key.0, &*format!("{key:?}")), ("ann", "Key(..)"));
        assert_eq!(rejected::<Key<String>>(&call(Some(b"\xff"), None, &[])).kind(), "utf-8");
        assert_eq!(rejected::<Option<Key<String>>>(&call(Some(b"\xff"), None, &[])).kind(), "utf-8");
        assert_eq!(extract::<Option<Key<String>>>(&call(None, Some(b"bob"), &[])), Ok(None));
    }
}
