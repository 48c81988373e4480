//! The body in any format.

use crate::extract::{Call, Decode, FromRecord, OptionalFromRecord, Part, Raw, Rejection, decode};
use std::ops::{Deref, DerefMut};

/// The body, decoded by a format: any type with [`Decode`].
///
/// The formats of this crate (`Json<T>`, `String`, …) are taken without it; a format of your own needs it. Where the
/// body may be null, take `Option<Body<F>>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Body<F>(pub F);

impl<F> Deref for Body<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.0
    }
}

impl<F> DerefMut for Body<F> {
    fn deref_mut(&mut self) -> &mut F {
        &mut self.0
    }
}

impl<S: Sync, F: Decode<S>> FromRecord<S> for Body<F> {
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        let raw = Raw::of(call, Part::Body).ok_or_else(|| Rejection::null("body", "Body<F>"))?;
        F::decode(raw, state).await.map(Self)
    }
}

impl<S: Sync, F: Decode<S>> OptionalFromRecord<S> for Body<F> {
    async fn from_record_if_present(call: &Call, state: &S) -> Result<Option<Self>, Rejection> {
        Ok(decode::part(call, state, Part::Body).await?.map(Self))
    }
}
