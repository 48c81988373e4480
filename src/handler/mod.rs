//! From a user's function to what the runtime runs.
//!
//! A function becomes a handler in two steps. [`Function`] only says how it is called, so the compiler finds the
//! arguments from the signature alone; that each argument is an extractor and the answer an outcome is asked for
//! apart. A wrong handler is reported by the argument or type that is wrong, and not as "not a handler".

mod answer;
mod asynchronous;
mod blocking;
mod erased;
mod failure;
mod verdict;

#[cfg(test)]
pub(crate) mod testing;

pub use self::{
    answer::IntoOutcome,
    asynchronous::{Async, Asynchronous},
    blocking::Blocking,
    erased::Callable,
    failure::Failure,
    verdict::Verdict,
};
pub(crate) use self::{
    erased::{Binding, BoxFuture, ErasedHandler, refill},
    verdict::Classes,
};

/// A function that can be called with these arguments. Implemented for every `Fn` of 0 to 12 of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "this cannot be called with extractors",
    note = "a handler is an `async fn` that takes 0 to 12 extractors by value, as in `async fn charge(Json(order): Json<Order>)`"
)]
pub trait Function<Arguments>: Send + Sync + 'static {
    /// What a call gives: for an `async fn` a future.
    type Output;

    /// Calls it.
    #[doc(hidden)]
    fn call(&self, arguments: Arguments) -> Self::Output;
}

macro_rules! function {
    ($($argument:ident),*) => {
        impl<F, R, $($argument),*> Function<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + Send + Sync + 'static,
        {
            type Output = R;

            #[allow(non_snake_case, reason = "the macro has one name for an argument and its type")]
            fn call(&self, ($($argument,)*): ($($argument,)*)) -> R {
                self($($argument),*)
            }
        }
    };
}

macro_rules! for_each_arity {
    ($implement:ident) => {
        $implement!();
        $implement!(A1);
        $implement!(A1, A2);
        $implement!(A1, A2, A3);
        $implement!(A1, A2, A3, A4);
        $implement!(A1, A2, A3, A4, A5);
        $implement!(A1, A2, A3, A4, A5, A6);
        $implement!(A1, A2, A3, A4, A5, A6, A7);
        $implement!(A1, A2, A3, A4, A5, A6, A7, A8);
        $implement!(A1, A2, A3, A4, A5, A6, A7, A8, A9);
        $implement!(A1, A2, A3, A4, A5, A6, A7, A8, A9, A10);
        $implement!(A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11);
        $implement!(A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12);
    };
}
pub(crate) use for_each_arity;

for_each_arity!(function);
