//! Code around handlers.
//!
//! Layers run from the outside in: the app's before the topic's, and of each the first given outermost. A topic
//! without layers pays nothing for them; one with layers pays one box per layer and record.

use crate::{
    extract::{Attempt, Call},
    handler::{Asynchronous, BoxFuture, ErasedHandler, refill},
    record::Record,
};
use retrial_core::outcome::Outcome;
use std::{fmt, sync::Arc};
use tokio_util::sync::ReusableBoxFuture;

/// A layer without its type.
pub(crate) type SharedLayer = Arc<dyn Layer>;

/// An async function around handlers: `async fn(Record, Next) -> Outcome`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "this is not an `async fn(Record, Next) -> Outcome`",
    note = "a layer looks like `async fn timed(record: Record, next: Next) -> Outcome {{ next.run(record).await }}`"
)]
pub trait Around: Send + Sync + 'static {
    /// Runs it.
    #[doc(hidden)]
    fn around(&self, record: Record, next: Next) -> impl Future<Output = Outcome> + Send + 'static;
}

#[diagnostic::do_not_recommend]
impl<F, R> Around for F
where
    F: Fn(Record, Next) -> R + Send + Sync + 'static,
    R: Asynchronous<Answer = Outcome> + Send,
{
    fn around(&self, record: Record, next: Next) -> impl Future<Output = Outcome> + Send + 'static {
        self(record, next)
    }
}

/// Erases an [`Around`].
pub(crate) trait Layer: Send + Sync {
    fn run(&self, record: Record, next: Next) -> BoxFuture;
}

impl<A: Around> Layer for A {
    fn run(&self, record: Record, next: Next) -> BoxFuture {
        Box::pin(self.around(record, next))
    }
}

/// What comes after a layer: the layers further in, and the handler.
pub struct Next {
    layers: Arc<[SharedLayer]>,
    depth: usize,
    handler: Arc<dyn ErasedHandler>,
    call: Call,
}

impl Next {
    /// Goes on: runs the layers further in and the handler, and says what they came to.
    pub async fn run(mut self, record: Record) -> Outcome {
        match self.layers.get(self.depth).map(Arc::clone) {
            Some(layer) => {
                self.depth += 1;
                layer.run(record, self).await
            }
            None => {
                self.call.record = record;
                self.handler.boxed(self.call).await
            }
        }
    }

    /// Which attempt this is.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        Attempt::of(&self.call)
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} layers, then the handler of {:?})", self.layers.len() - self.depth, self.call)
    }
}

/// A handler with layers around it.
struct Layered {
    layers: Arc<[SharedLayer]>,
    handler: Arc<dyn ErasedHandler>,
}

/// Puts layers around a handler; with none of them the handler stays as it is.
pub(crate) fn layered(layers: Vec<SharedLayer>, handler: Arc<dyn ErasedHandler>) -> Arc<dyn ErasedHandler> {
    if layers.is_empty() {
        return handler;
    }
    Arc::new(Layered { layers: layers.into(), handler })
}

impl Layered {
    fn attempt(&self, call: Call) -> impl Future<Output = Outcome> + Send + 'static {
        let record = call.record.clone();
        let (layers, handler) = (Arc::clone(&self.layers), Arc::clone(&self.handler));
        Next { layers, depth: 0, handler, call }.run(record)
    }
}

impl ErasedHandler for Layered {
    fn start(&self, call: Call, into: &mut Option<ReusableBoxFuture<'static, Outcome>>) {
        refill(into, self.attempt(call));
    }

    fn boxed(&self, call: Call) -> BoxFuture {
        Box::pin(self.attempt(call))
    }

    fn fork(&self) -> Arc<dyn ErasedHandler> {
        Arc::new(Self { layers: self.layers.iter().cloned().collect(), handler: self.handler.fork() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        extract::testing::{retried, with_body},
        handler::testing::{erased, run},
    };
    use bytes::Bytes;
    use std::{
        future::ready,
        sync::{Mutex, PoisonError},
    };

    type Log = Arc<Mutex<Vec<&'static str>>>;

    fn note(log: &Log, what: &'static str) {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    fn noting(log: &Log, before: &'static str, after: &'static str) -> SharedLayer {
        let log = Arc::clone(log);
        Arc::new(move |record: Record, next: Next| {
            let log = Arc::clone(&log);
            async move {
                note(&log, before);
                let outcome = next.run(record).await;
                note(&log, after);
                outcome
            }
        })
    }

    #[test]
    fn layers_run_from_the_outside_in_and_back() {
        let log = Log::default();
        let inner = Arc::clone(&log);
        let handler = erased(move || {
            note(&inner, "handler");
            ready(())
        });
        let around = layered(vec![noting(&log, "outer", "/outer"), noting(&log, "inner", "/inner")], handler);
        for handler in [Arc::clone(&around), around.fork()] {
            assert_eq!(run(&*handler, with_body(None)), Outcome::Done);
            let steps = std::mem::take(&mut *log.lock().unwrap());
            assert_eq!(steps, ["outer", "inner", "handler", "/inner", "/outer"]);
        }
    }

    #[test]
    fn without_layers_the_handler_stays_as_it_is() {
        let handler = erased(async || ());
        assert!(Arc::ptr_eq(&layered(Vec::new(), Arc::clone(&handler)), &handler));
    }

    #[test]
    fn a_layer_sees_rejections_and_may_answer_for_the_handler() {
        let forgiving: SharedLayer = Arc::new(async |record: Record, next: Next| match next.run(record).await {
            Outcome::Dead(_, reason) => Outcome::Discard(reason.kind().to_owned()),
            other => other,
        });
        let handler = layered(vec![forgiving], erased(async |_: Bytes| ()));
        assert_eq!(run(&*handler, with_body(None)), Outcome::Discard("null".to_owned()));
        assert_eq!(run(&*handler, with_body(Some(b"x"))), Outcome::Done);
    }

    #[test]
    fn a_layer_may_keep_the_handler_from_running() {
        let closed: SharedLayer = Arc::new(async |_: Record, _: Next| Outcome::Discard("closed".to_owned()));
        let handler = erased(async || -> Outcome { panic!("the layer does not go on") });
        assert_eq!(run(&*layered(vec![closed], handler), with_body(None)), Outcome::Discard("closed".to_owned()));
    }

    #[test]
    fn a_layer_knows_the_attempt() {
        let third: SharedLayer =
            Arc::new(async |_: Record, next: Next| Outcome::Discard(next.attempt().number().to_string()));
        let handler = layered(vec![third], erased(async || ()));
        assert_eq!(run(&*handler, retried(with_body(None), 2)), Outcome::Discard("3".to_owned()));
    }

    #[tokio::test]
    async fn a_layer_may_move_the_attempt_to_another_task_and_its_token_still_fires() {
        let elsewhere: SharedLayer = Arc::new(async |record: Record, next: Next| {
            tokio::spawn(next.run(record)).await.unwrap_or_else(|_| Outcome::Discard("panicked".to_owned()))
        });
        let handler = erased(async |cancellation: crate::extract::Cancellation| cancellation.cancelled().await);
        let call = with_body(None);
        let worker = Arc::clone(&call.control);
        let attempt = tokio::spawn(layered(vec![elsewhere], handler).boxed(call));
        tokio::task::yield_now().await;
        worker.fire();
        assert_eq!(attempt.await.unwrap(), Outcome::Done);
    }
}
