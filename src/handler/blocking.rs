//! Handlers that block their thread.
//!
//! Arguments are made as for any handler; then the function runs on one of the runtime's blocking threads. Once it
//! runs nothing can stop it: [`Control::abandon`](crate::extract::Control::abandon) says no until it returned, and so its
//! record is neither retried nor forwarded by us while its work may still take effect.

use crate::{
    extract::{Arguments, Call},
    handler::{Binding, BoxFuture, Callable, Classes, ErasedHandler, Function, IntoOutcome, erased::Sealed, refill},
};
use retrial_core::outcome::{Outcome, Reason};
use std::{fmt, marker::PhantomData, panic, sync::Arc};
use tokio::sync::oneshot;
use tokio_util::sync::ReusableBoxFuture;

/// A blocking function with its arguments' types, as [`blocking`](crate::blocking()) keeps it.
pub struct Blocking<F, A> {
    pub(crate) function: F,
    pub(crate) arguments: PhantomData<fn() -> A>,
}

impl<F, A> fmt::Debug for Blocking<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocking {}", std::any::type_name::<F>())
    }
}

struct Bound<F, A, S>(Arc<Binding<F, S>>, PhantomData<fn() -> A>);

impl<F, A> Sealed for Blocking<F, A> {}

impl<F, A, S> Callable<S> for Blocking<F, A>
where
    F: Function<A, Output: IntoOutcome>,
    A: Arguments<S>,
    S: Send + Sync + 'static,
{
    #[allow(private_interfaces, reason = "the trait is sealed: nobody else can call or implement it")]
    fn bind(self, state: Arc<S>, classes: Classes) -> Arc<dyn ErasedHandler> {
        let binding = Binding { function: Arc::new(self.function), state, classes: Arc::new(classes) };
        Arc::new(Bound(Arc::new(binding), PhantomData::<fn() -> A>))
    }
}

/// Runs the function on a blocking thread, where its answer becomes an outcome, too: answers need not be `Send`.
///
/// A panic of the function goes on in the future that waits for it, so the runtime meets panics in one place.
async fn attempt<F, A, S>(binding: Arc<Binding<F, S>>, call: Call) -> Outcome
where
    F: Function<A, Output: IntoOutcome>,
    A: Arguments<S>,
    S: Send + Sync + 'static,
{
    let arguments = match A::extract(&call, &binding.state).await {
        Ok(arguments) => arguments,
        Err(rejection) => return rejection.into(),
    };
    let (answer, answered) = oneshot::channel();
    let control = Arc::clone(&call.control);
    drop(call);
    let block = Arc::clone(&control);
    let run = move || {
        let function = || binding.function.call(arguments).into_outcome();
        block.block(|| function().unwrap_or_else(|failure| binding.classes.judge(failure)))
    };
    control.host().threads.run(Box::new(move || {
        // Nobody waits if the attempt was given up before the function began.
        let _ = answer.send(panic::catch_unwind(panic::AssertUnwindSafe(run)));
    }));
    let answered = answered.await;
    control.heard();
    match answered {
        Ok(Ok(Some(outcome))) => outcome,
        Ok(Err(panicked)) => panic::resume_unwind(panicked),
        Ok(Ok(None)) | Err(_) => Outcome::Retry(Reason::new("stopped", "it was given up before it ran").abrupt()),
    }
}

impl<F, A, S> ErasedHandler for Bound<F, A, S>
where
    F: Function<A, Output: IntoOutcome>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        extract::{Attempt, Control, Host, testing::with_body},
        handler::testing::{retried, run},
        runtime::blocking::BlockingThreads,
    };
    use bytes::Bytes;
    use std::{
        sync::mpsc,
        task::{Context, Poll, Waker},
        thread,
    };

    fn erased<F, A>(function: F) -> Arc<dyn ErasedHandler>
    where
        F: Function<A, Output: IntoOutcome>,
        A: Arguments<()>,
    {
        Blocking { function, arguments: PhantomData::<fn() -> A> }.bind(Arc::new(()), Classes::default())
    }

    fn on_threads(number: usize) -> Call {
        let host = Host { group: "billing".into(), threads: Arc::new(BlockingThreads::new(number)) };
        Call { control: Control::new(Arc::new(host)), ..with_body(Some(b"body")) }
    }

    #[test]
    fn it_takes_what_async_handlers_take_and_answers_like_them() {
        let charge = |body: Bytes, attempt: Attempt| -> Result<(), String> {
            Err(format!("{} of {}", body.len(), attempt.idempotency_key()))
        };
        let reason = retried(run(&*erased(charge), with_body(Some(b"body"))));
        assert_eq!(reason.message(), "4 of billing/orders/3/184467");
    }

    #[test]
    fn an_answer_need_not_be_sent_to_another_thread() {
        struct Answer(std::rc::Rc<Outcome>);
        impl IntoOutcome for Answer {
            fn into_outcome(self) -> Result<Outcome, crate::handler::Failure> {
                Ok((*self.0).clone())
            }
        }
        assert_eq!(run(&*erased(|| Answer(std::rc::Rc::new(Outcome::Done))), with_body(None)), Outcome::Done);
    }

    #[tokio::test]
    async fn it_runs_on_a_thread_of_its_own() {
        let here = thread::current().id();
        let elsewhere = move || Outcome::Discard((thread::current().id() != here).to_string());
        assert_eq!(erased(elsewhere).boxed(on_threads(1)).await, Outcome::Discard("true".to_owned()));
    }

    #[tokio::test]
    async fn a_panic_goes_on_in_the_attempt() {
        let attempt = erased(|| -> Outcome { panic!("as intended") }).boxed(on_threads(1));
        let panicked = tokio::spawn(attempt).await.unwrap_err().into_panic();
        assert_eq!(panicked.downcast_ref(), Some(&"as intended"));
    }

    #[tokio::test]
    async fn a_function_that_runs_cannot_be_given_up() {
        let (started, begun) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let (started, wait) = (std::sync::Mutex::new(started), std::sync::Mutex::new(wait));
        let call = on_threads(1);
        let control = Arc::clone(&call.control);
        let handler = erased(move || {
            started.lock().unwrap().send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        });
        let attempt = tokio::spawn(handler.boxed(call));
        tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
        assert!(control.is_blocking() && !control.abandon());
        go.send(()).unwrap();
        assert_eq!(attempt.await.unwrap(), Outcome::Done);
        assert!(!control.is_blocking());
    }

    #[test]
    fn a_function_that_waits_for_a_thread_is_given_up_and_never_runs() {
        let call = on_threads(1);
        let control = Arc::clone(&call.control);
        let (go, wait) = mpsc::channel::<()>();
        control.host().threads.run(Box::new(move || wait.recv().unwrap()));
        let (ran, runs) = mpsc::channel();
        let ran = std::sync::Mutex::new(ran);
        let mut attempt = erased(move || ran.lock().unwrap().send(()).unwrap()).boxed(call);
        assert_eq!(attempt.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
        assert!(control.abandon());
        drop(attempt);
        let (done, ended) = mpsc::channel();
        control.host().threads.run(Box::new(move || done.send(()).unwrap()));
        go.send(()).unwrap();
        ended.recv().unwrap();
        assert!(runs.try_recv().is_err(), "it ran after it was given up");
    }

    #[test]
    fn a_pool_that_drops_the_work_fails_the_attempt() {
        struct Gone;
        impl crate::extract::Threads for Gone {
            fn run(&self, job: crate::extract::Job) {
                drop(job);
            }
        }
        let host = Host { group: "billing".into(), threads: Arc::new(Gone) };
        let call = Call { control: Control::new(Arc::new(host)), ..with_body(None) };
        assert!(retried(run(&*erased(|| ()), call)).is_abrupt());
    }
}
