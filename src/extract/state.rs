//! What the app holds for its handlers.

use crate::extract::{Call, FromRecord, Rejection};
use std::ops::{Deref, DerefMut};

/// A clone of the app's state, or of a part of it.
///
/// Which parts there are is said by [`FromRef`] and checked when the program is compiled.
///
/// ```
/// use retrial::{App, FromRef, State, handler};
///
/// #[derive(Clone)]
/// struct Bank;
///
/// struct Shop {
///     bank: Bank,
/// }
///
/// impl FromRef<Shop> for Bank {
///     fn from_ref(shop: &Shop) -> Self {
///         shop.bank.clone()
///     }
/// }
///
/// async fn charge(State(bank): State<Bank>) {
///     let _ = bank;
/// }
///
/// App::group("billing").state(Shop { bank: Bank }).topic("orders", handler(charge)).build()?;
/// # Ok::<(), retrial::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct State<T>(pub T);

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for State<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// Takes a part out of the app's state. Every attempt takes its own, so it should be cheap: clone an `Arc`, or a client
/// that is one inside.
#[diagnostic::on_unimplemented(
    message = "the app's state `{S}` does not hold `{Self}`",
    label = "a handler asks for `State<{Self}>`, and the app's state is `{S}`",
    note = "give the state with `.state(…)`, before the topics whose handlers use it",
    note = "a part of the state needs `impl FromRef<{S}> for {Self}`; the state as a whole needs `Clone`"
)]
pub trait FromRef<S> {
    /// The part.
    fn from_ref(state: &S) -> Self;
}

/// The state as a whole.
impl<T: Clone> FromRef<T> for T {
    fn from_ref(state: &T) -> Self {
        state.clone()
    }
}

impl<S: Sync, T: FromRef<S>> FromRecord<S> for State<T> {
    async fn from_record(_: &Call, state: &S) -> Result<Self, Rejection> {
        Ok(Self(T::from_ref(state)))
    }
}
