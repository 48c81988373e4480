//! A handler without its types: what the runtime calls.

use crate::{extract::Call, handler::Classes};
use retrial_core::outcome::Outcome;
use std::{future::Future, pin::Pin, sync::Arc};
use tokio_util::sync::ReusableBoxFuture;

/// An attempt that is on its way, without its type.
pub(crate) type BoxFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A handler as the runtime sees it. Nothing of the user's runs before the future is polled, so a panic can only
/// come out of a poll or a drop of it.
pub(crate) trait ErasedHandler: Send + Sync + 'static {
    /// Puts the future of one attempt into the box, in place of the one that was there, whose allocation is used again
    /// when the layout is the same. A box that serves one handler allocates once; a finished future holds nothing of its
    /// call.
    fn start(&self, call: Call, into: &mut Option<ReusableBoxFuture<'static, Outcome>>);

    /// The future of one attempt in a box of its own, for a layer.
    fn boxed(&self, call: Call) -> BoxFuture;

    /// The same handler for another worker. An attempt counts a reference to what its handler holds; a count that
    /// several cores change for each record costs more than the rest of the attempt.
    fn fork(&self) -> Arc<dyn ErasedHandler>;
}

/// Puts a future into the box.
pub(crate) fn refill(
    into: &mut Option<ReusableBoxFuture<'static, Outcome>>,
    future: impl Future<Output = Outcome> + Send + 'static,
) {
    match into {
        Some(held) => held.set(future),
        None => *into = Some(ReusableBoxFuture::new(future)),
    }
}

/// What a handler needs besides its function, shared by the attempts of one worker.
pub(crate) struct Binding<F, S> {
    pub(crate) function: Arc<F>,
    pub(crate) state: Arc<S>,
    pub(crate) classes: Arc<Classes>,
}

impl<F, S> Binding<F, S> {
    /// The same, with counts of its own.
    pub(crate) fn fork(&self) -> Self {
        let Self { function, state, classes } = self;
        Self { function: Arc::clone(function), state: Arc::clone(state), classes: Arc::clone(classes) }
    }
}

/// A function that can be bound to an app's state. Implemented for what [`handler`](crate::handler()) and
/// [`blocking`](crate::blocking()) make.
pub trait Callable<S>: Sealed {
    /// Binds it.
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "the trait is sealed: nobody else can call or implement it")]
    fn bind(self, state: Arc<S>, classes: Classes) -> Arc<dyn ErasedHandler>;
}

/// Closes [`Callable`].
pub trait Sealed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        extract::{
            Attempt, Cancellation, Control, FromRecord, Rejection,
            testing::{host, with_body},
        },
        handler::testing::{erased, run},
        record::Record,
    };
    use bytes::Bytes;
    use retrial_core::outcome::Cause;
    use std::task::{Context, Poll, Waker};

    fn poll(held: &mut Option<ReusableBoxFuture<'static, Outcome>>) -> Poll<Outcome> {
        held.as_mut().unwrap().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Runs a handler 1,000 times as a worker does, after a first time, and counts allocations.
    fn allocations(handler: &dyn ErasedHandler) -> u64 {
        let call = with_body(Some(b"body"));
        let (mut held, mut control) = (None, Control::new(host()));
        let mut attempt = || {
            let (record, control_lent) = (call.record.clone(), Arc::clone(&control));
            let call = Call { record, tries: 0, fence: 1, history: None, control: control_lent };
            handler.start(call, &mut held);
            assert_eq!(poll(&mut held), Poll::Ready(Outcome::Done));
            Control::reuse(&mut control);
        };
        attempt();
        allocation_counter::measure(|| (0..1_000).for_each(|_| attempt())).count_total
    }

    #[test]
    fn a_handler_that_is_ready_allocates_nothing() {
        async fn nothing() {}
        async fn bytes(_: Bytes) -> Result<(), crate::handler::Failure> {
            Ok(())
        }
        async fn many(_: Record, _: Option<Bytes>, _: Attempt, _: crate::extract::Headers) -> Outcome {
            Outcome::Done
        }
        assert_eq!(allocations(&*erased(nothing)), 0);
        assert_eq!(allocations(&*erased(bytes)), 0);
        assert_eq!(allocations(&*erased(many)), 0);
        assert_eq!(allocations(&*erased(bytes).fork()), 0);
    }

    #[test]
    fn only_a_token_that_is_asked_for_is_paid_for() {
        async fn cancellable(_: Cancellation) {}
        assert_eq!(allocations(&*erased(cancellable)), 1_000);
    }

    #[test]
    fn an_attempt_that_waits_can_be_told_and_ended() {
        async fn wait(cancellation: Cancellation) -> Outcome {
            cancellation.cancelled().await;
            Outcome::Discard("told".to_owned())
        }
        let (mut held, call) = (None, with_body(None));
        let mut control = Arc::clone(&call.control);
        erased(wait).start(call, &mut held);
        assert_eq!(poll(&mut held), Poll::Pending);
        let pending = Arc::clone(&control);
        Control::reuse(&mut control);
        assert!(pending.abandon(), "nothing of it blocks a thread");
        pending.fire();
        assert_eq!(poll(&mut held), Poll::Ready(Outcome::Discard("told".to_owned())));
    }

    /// Asks somebody who does not answer at once.
    struct Slow;

    impl<S: Sync> FromRecord<S> for Slow {
        async fn from_record(_: &Call, _: &S) -> Result<Self, Rejection> {
            tokio::task::yield_now().await;
            Ok(Self)
        }
    }

    #[test]
    fn a_token_fires_although_it_is_asked_for_after_the_first_poll() {
        async fn late(_: Slow, cancellation: Cancellation) -> Outcome {
            Outcome::Discard(cancellation.is_cancelled().to_string())
        }
        let (mut held, call) = (None, with_body(None));
        let control = Arc::clone(&call.control);
        erased(late).start(call, &mut held);
        assert_eq!(poll(&mut held), Poll::Pending);
        control.fire();
        assert_eq!(poll(&mut held), Poll::Ready(Outcome::Discard("true".to_owned())));
    }

    #[test]
    fn a_handler_does_not_run_on_what_it_cannot_take() {
        async fn never(_: Bytes) {
            panic!("there is no body");
        }
        let outcome = run(&*erased(never), with_body(None));
        assert!(matches!(outcome, Outcome::Dead(Cause::Undecodable, reason) if reason.kind() == "null"));
    }

    #[test]
    fn one_box_serves_handlers_of_different_sizes() {
        async fn small() {}
        async fn large(_: Bytes) {
            let room = [0u8; 4096];
            tokio::task::yield_now().await;
            std::hint::black_box(room);
        }
        let (small, large, mut held) = (erased(small), erased(large), None);
        for _ in 0..3 {
            small.start(with_body(None), &mut held);
            assert_eq!(poll(&mut held), Poll::Ready(Outcome::Done));
            large.start(with_body(Some(b"x")), &mut held);
            assert_eq!(poll(&mut held), Poll::Pending);
        }
    }
}
