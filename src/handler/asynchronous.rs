//! Async handlers.

use crate::{
    extract::{Arguments, Call},
    handler::{Binding, BoxFuture, Callable, Classes, ErasedHandler, Function, IntoOutcome, erased::Sealed, refill},
};
use retrial_core::outcome::Outcome;
use std::{fmt, future::Future, marker::PhantomData, sync::Arc};
use tokio_util::sync::ReusableBoxFuture;

/// A future: what calling an `async fn` gives. Implemented for every future.
#[diagnostic::on_unimplemented(
    message = "a handler must be an `async fn`",
    label = "this function returns `{Self}` at once",
    note = "write `async fn`; for code that blocks its thread write `blocking(…)` in place of `handler(…)`"
)]
pub trait Asynchronous: Future<Output = Self::Answer> + 'static {
    /// What it comes to.
    type Answer;
}

#[diagnostic::do_not_recommend]
impl<F: Future + 'static> Asynchronous for F {
    type Answer = F::Output;
}

/// An async function with its arguments' types, as [`handler`](crate::handler()) keeps it.
pub struct Async<F, A> {
    pub(crate) function: F,
    pub(crate) arguments: PhantomData<fn() -> A>,
}

impl<F, A> fmt::Debug for Async<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<F>())
    }
}

struct Bound<F, A, S>(Arc<Binding<F, S>>, PhantomData<fn() -> A>);

impl<F, A> Sealed for Async<F, A> {}

impl<F, A, S> Callable<S> for Async<F, A>
where
    F: Function<A>,
    F::Output: Asynchronous<Answer: IntoOutcome> + Send,
    A: Arguments<S>,
    S: Send + Sync + 'static,
{
    #[allow(private_interfaces, reason = "the trait is sealed: nobody else can call or implement it")]
    fn bind(self, state: Arc<S>, classes: Classes) -> Arc<dyn ErasedHandler> {
        let binding = Binding { function: Arc::new(self.function), state, classes: Arc::new(classes) };
        Arc::new(Bound(Arc::new(binding), PhantomData::<fn() -> A>))
    }
}

/// The call is let go before the function runs: a worker that polls once and is ready then finds its control block free.
async fn attempt<F, A, S>(binding: Arc<Binding<F, S>>, call: Call) -> Outcome
where
    F: Function<A>,
    F::Output: Asynchronous<Answer: IntoOutcome> + Send,
    A: Arguments<S>,
{
    let arguments = match A::extract(&call, &binding.state).await {
        Ok(arguments) => arguments,
        Err(rejection) => return rejection.into(),
    };
    drop(call);
    let answer = binding.function.call(arguments).await;
    answer.into_outcome().unwrap_or_else(|failure| binding.classes.judge(failure))
}

impl<F, A, S> ErasedHandler for Bound<F, A, S>
where
    F: Function<A>,
    F::Output: Asynchronous<Answer: IntoOutcome> + Send,
    A: Arguments<S>,
    S: Send + Sync + 'static,
{
    fn start(&self, call: Call, into: &mut Option<ReusableBoxFuture<'static, Outcome>>) {
        refill(into, attempt::<F, A, S>(Arc::clone(&self.0), call));
    }

    fn boxed(&self, call: Call) -> BoxFuture {
        Box::pin(attempt::<F, A, S>(Arc::clone(&self.0), call))
    }

    fn fork(&self) -> Arc<dyn ErasedHandler> {
        Arc::new(Self(Arc::new(self.0.fork()), PhantomData))
    }
}
