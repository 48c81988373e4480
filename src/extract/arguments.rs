//! All arguments of a handler together.

use crate::extract::{Call, FromRecord, Rejection};
use std::future::Future;

/// The arguments of a handler, as a tuple of 0 to 12 extractors. Implemented for such tuples; nothing else needs it.
pub trait Arguments<S>: Sized + Send + 'static {
    /// Makes all of them, first to last, and stops at the first rejection.
    #[doc(hidden)]
    fn extract(call: &Call, state: &S) -> impl Future<Output = Result<Self, Rejection>> + Send;
}

macro_rules! arguments {
    ($($argument:ident),*) => {
        impl<S: Sync, $($argument: FromRecord<S> + Send + 'static),*> Arguments<S> for ($($argument,)*) {
            #[allow(unused_variables, reason = "a handler without arguments reads nothing")]
            async fn extract(call: &Call, state: &S) -> Result<Self, Rejection> {
                Ok(($($argument::from_record(call, state).await?,)*))
            }
        }
    };
}

crate::handler::for_each_arity!(arguments);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{
        Attempt, Key,
        testing::{call, with_body},
    };
    use bytes::Bytes;
    use futures_util::FutureExt;

    fn arguments<A: Arguments<()>>(call: &Call) -> Result<A, Rejection> {
        A::extract(call, &()).now_or_never().expect("extractors of this crate are ready at once")
    }

    #[test]
    fn a_body_can_be_taken_as_often_as_wanted_and_in_any_place() {
        let (text, key, bytes) = arguments::<(String, Key, Bytes)>(&call(Some(b"k"), Some(b"body"), &[])).unwrap();
        assert_eq!((&*text, key.as_str(), &*bytes), ("body", Ok("k"), &b"body"[..]));
    }

    #[test]
    fn the_first_rejection_is_told() {
        let rejection = arguments::<(Attempt, Key, Bytes)>(&with_body(None)).unwrap_err();
        assert_eq!(rejection.to_string(), "null: the key is null; a handler that expects this takes Option<Key>");
    }

    #[test]
    fn a_handler_may_take_rejections_itself() {
        let (key, number) =
            arguments::<(Result<Key, Rejection>, Result<Attempt, Rejection>)>(&with_body(None)).unwrap();
        assert!(key.is_err());
        assert_eq!(number.unwrap().number(), 1);
    }
}
