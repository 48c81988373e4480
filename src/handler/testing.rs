//! Runs handlers on hand-made attempts in unit tests.

use crate::{
    extract::{Arguments, Call, testing::with_body},
    handler::{Async, Asynchronous, Callable, Classes, ErasedHandler, Function, IntoOutcome},
};
use futures_util::FutureExt;
use retrial_core::outcome::{Outcome, Reason};
use std::{marker::PhantomData, sync::Arc};

/// An async function without state or classes, as the runtime sees it.
pub(crate) fn erased<F, A>(function: F) -> Arc<dyn ErasedHandler>
where
    F: Function<A>,
    F::Output: Asynchronous<Answer: IntoOutcome> + Send,
    A: Arguments<()>,
{
    classified(function, Classes::default())
}

/// The same with classes.
pub(crate) fn classified<F, A>(function: F, classes: Classes) -> Arc<dyn ErasedHandler>
where
    F: Function<A>,
    F::Output: Asynchronous<Answer: IntoOutcome> + Send,
    A: Arguments<()>,
{
    Async { function, arguments: PhantomData::<fn() -> A> }.bind(Arc::new(()), classes)
}

/// What a handler that is ready at once makes of a call.
pub(crate) fn run(handler: &dyn ErasedHandler, call: Call) -> Outcome {
    let mut held = None;
    handler.start(call, &mut held);
    held.expect("start fills the box").get_pin().now_or_never().expect("the handler is ready at once")
}

/// What a handler that is ready at once makes of a record with a null body.
pub(crate) fn answer<F, A>(function: F) -> Outcome
where
    F: Function<A>,
    F::Output: Asynchronous<Answer: IntoOutcome> + Send,
    A: Arguments<()>,
{
    run(&*erased(function), with_body(None))
}

/// The reason of a retry.
pub(crate) fn retried(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Retry(reason) => reason,
        other => panic!("{other:?} is no retry"),
    }
}
