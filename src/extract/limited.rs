//! A limit of size before a format is asked.

use crate::extract::{Decode, Raw, Rejection, body_extractor};
use std::ops::{Deref, DerefMut};

/// A format that is not asked to read more than so many bytes: a larger body (or key, as `Key<Limited<…>>`) is undecodable.
///
/// A value can take many times the memory of its bytes: a body `[0,0,0,…]` read as `serde_json::Value` takes sixteen
/// times as much. What a topic accepts bounds that, too (`max.message.bytes`, 1 MiB by default), but for all its readers.
///
/// ```
/// use retrial::{Json, Limited};
///
/// async fn import(Limited(Json(tree)): Limited<Json<serde_json::Value>, 65_536>) {
///     println!("{tree}");
/// }
/// # let _ = retrial::App::group("imports").topic("trees", retrial::handler(import)).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Limited<F, const BYTES: usize>(pub F);

impl<F, const BYTES: usize> Deref for Limited<F, BYTES> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.0
    }
}

impl<F, const BYTES: usize> DerefMut for Limited<F, BYTES> {
    fn deref_mut(&mut self) -> &mut F {
        &mut self.0
    }
}

body_extractor!([F: Decode<S>, const BYTES: usize] Limited<F, BYTES>, "Limited<F, BYTES>");

impl<S: Sync, F: Decode<S>, const BYTES: usize> Decode<S> for Limited<F, BYTES> {
    async fn decode(raw: Raw<'_>, state: &S) -> Result<Self, Rejection> {
        let length = raw.bytes().len();
        if length > BYTES {
            let why = format!("the {} has {length} bytes, more than the {BYTES} that this handler takes", raw.part());
            return Err(Rejection::undecodable_as("too large", why));
        }
        F::decode(raw, state).await.map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{
        Key,
        testing::{call, extract, rejected, with_body},
    };

    #[test]
    fn what_is_larger_is_refused_before_it_is_read() {
        type Short = Limited<String, 4>;
        assert_eq!(extract::<Short>(&with_body(Some(b"four"))).map(|text| text.0), Ok("four".to_owned()));
        let reason = rejected::<Short>(&with_body(Some(b"\xffive!")));
        assert_eq!(reason.to_string(), "too large: the body has 5 bytes, more than the 4 that this handler takes");
        assert_eq!(rejected::<Key<Short>>(&call(Some(b"fives"), None, &[])).kind(), "too large");
        assert_eq!(extract::<Option<Short>>(&with_body(None)), Ok(None));
        assert_eq!(rejected::<Short>(&with_body(None)).kind(), "null");
    }
}
