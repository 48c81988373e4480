//! What is said of one topic: its handler, and how the handler runs.

use crate::{
    handler::{Async, Asynchronous, Blocking, Callable, Classes, ErasedHandler, Function, IntoOutcome, Verdict},
    layer::{Around, SharedLayer, layered},
    retry::{Retry, mins},
};
use retrial_core::order::{OnCrash, Order, RetryPolicy};
use std::{error::Error, fmt, marker::PhantomData, sync::Arc, time::Duration};

/// Attempts of one topic that run at once in one process, unless it is told otherwise.
pub(crate) const DEFAULT_CONCURRENCY: usize = 100;

/// How long an attempt may take, unless it is told otherwise.
pub(crate) const DEFAULT_TIMEOUT: Duration = mins(1);

/// A handler and how it runs; made by [`handler`] and [`blocking`], given to [`App::topic`](crate::App::topic).
///
/// Nothing is checked here: [`App::build`](crate::App::build) reports every wrong setting of every topic together.
pub struct Handler<C> {
    callable: C,
    classes: Classes,
    layers: Vec<SharedLayer>,
    settings: Settings,
}

/// How a topic's attempts run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) concurrency: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) order: Order,
    pub(crate) retry: RetryPolicy,
    pub(crate) threads: Option<usize>,
}

/// An async function as a handler.
///
/// ```
/// use retrial::{Failure, Json, Order, OnExhausted, Retry, handler, mins, secs};
///
/// # #[derive(serde::Deserialize)] struct Charge;
/// async fn charge(Json(charge): Json<Charge>) -> Result<(), Failure> {
///     # let _ = charge;
///     Ok(())
/// }
///
/// let charge = handler(charge)
///     .retry(Retry::delays([secs(30), mins(5)]))
///     .order(Order::by_key(OnExhausted::Hold))
///     .concurrency(2_000)
///     .timeout(secs(20));
/// # let _ = charge;
/// ```
pub fn handler<F, A>(function: F) -> Handler<Async<F, A>>
where
    F: Function<A>,
    F::Output: Asynchronous + Send,
    <F::Output as Asynchronous>::Answer: IntoOutcome,
{
    Handler::new(Async { function, arguments: PhantomData })
}

/// A function that blocks its thread, as a handler: for code that computes for long, or waits without `await`.
///
/// It takes the same arguments and gives the same answers as an async one, and runs on the service's blocking threads
/// (32, or the topic's own, see [`Handler::threads`]).
///
/// Nothing can stop such a function. At the timeout its [`Cancellation`](crate::Cancellation) fires and it is shown as
/// overdue; its record is neither retried nor forwarded before it returned. When its partition goes to another
/// process that process starts the record anew while the old function may still run:
/// [`Attempt::fence`](crate::Attempt::fence) tells the two apart.
///
/// ```
/// use retrial::{Json, blocking};
///
/// fn render(Json(page): Json<String>) -> Result<(), std::io::Error> {
///     std::fs::write("page.html", page)
/// }
///
/// let render = blocking(render).concurrency(8);
/// # let _ = render;
/// ```
pub fn blocking<F, A>(function: F) -> Handler<Blocking<F, A>>
where
    F: Function<A>,
    F::Output: IntoOutcome,
{
    Handler::new(Blocking { function, arguments: PhantomData })
}

impl<C> Handler<C> {
    fn new(callable: C) -> Self {
        let settings = Settings {
            concurrency: DEFAULT_CONCURRENCY,
            timeout: Some(DEFAULT_TIMEOUT),
            order: Order::unordered(),
            retry: RetryPolicy::default(),
            threads: None,
        };
        Self { callable, classes: Classes::default(), layers: Vec::new(), settings }
    }

    /// How often and when records are tried again. Default: see [`Retry`].
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        let on_crash = self.settings.retry.on_crash;
        self.settings.retry = RetryPolicy { on_crash, ..retry.into_policy() };
        self
    }

    /// What becomes of a record that takes the whole process down (abort, stack overflow, killed for its memory) again
    /// and again, also while nothing else runs in it. Default [`OnCrash::Bury`]: the dead letters.
    ///
    /// ```
    /// use retrial::{OnCrash, handler};
    ///
    /// # async fn resize() {}
    /// let resize = handler(resize).on_crash(OnCrash::Hold);
    /// # let _ = resize;
    /// ```
    #[must_use]
    pub fn on_crash(mut self, on_crash: OnCrash) -> Self {
        self.settings.retry.on_crash = on_crash;
        self
    }

    /// Whether records of one key, or of one partition, run one after another. Default [`Order::unordered`].
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.settings.order = order;
        self
    }

    /// How many attempts of this topic run at once in this process. Default 100, at least 1.
    #[must_use]
    pub fn concurrency(mut self, attempts: usize) -> Self {
        self.settings.concurrency = attempts;
        self
    }

    /// How long an attempt may take. An async one is dropped then, and the attempt has failed. Default 60 s; more than
    /// zero.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.settings.timeout = Some(limit);
        self
    }

    /// Lets attempts take as long as they like. One that never ends keeps its slot for ever, and its partition
    /// takes new records only as long as the bounded list of what is finished behind it has room.
    #[must_use]
    pub fn without_timeout(mut self) -> Self {
        self.settings.timeout = None;
        self
    }

    /// Gives this topic's handler so many threads of its own, at least 1, in place of those that all topics share.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = Some(threads);
        self
    }

    /// Says what becomes of records whose handler failed with an error of one type, also when that error is the cause
    /// of another one ([`Error::source`]) or was carried by `anyhow`.
    ///
    /// May be given for several types. The outermost error that some class knows decides, and of the classes the first
    /// that was given. What a [`Failure`](crate::Failure) says explicitly wins over all of them.
    ///
    /// ```
    /// use retrial::{Verdict, handler};
    /// use std::time::Duration;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// enum BankError {
    ///     #[error("the card was refused")]
    ///     Refused,
    ///     #[error("too many requests")]
    ///     RateLimited(Duration),
    ///     #[error("the bank does not answer")]
    ///     Down,
    /// }
    ///
    /// async fn charge() -> Result<(), BankError> {
    ///     Err(BankError::Refused)
    /// }
    ///
    /// let charge = handler(charge).classify(|error: &BankError| match error {
    ///     BankError::Refused => Verdict::dead().kind("refused"),
    ///     BankError::RateLimited(delay) => Verdict::after(*delay),
    ///     BankError::Down => Verdict::retry(),
    /// });
    /// # let _ = charge;
    /// ```
    #[must_use]
    pub fn classify<E: Error + 'static>(mut self, judge: impl Fn(&E) -> Verdict + Send + Sync + 'static) -> Self {
        self.classes.add(judge);
        self
    }

    /// Puts an async function around the handler; the first one given is the outermost.
    ///
    /// ```
    /// use retrial::{Next, Outcome, Record, handler};
    ///
    /// async fn timed(record: Record, next: Next) -> Outcome {
    ///     let started = std::time::Instant::now();
    ///     let outcome = next.run(record).await;
    ///     println!("{outcome:?} after {:?}", started.elapsed());
    ///     outcome
    /// }
    /// # async fn charge() {}
    ///
    /// let charge = handler(charge).layer(timed);
    /// # let _ = charge;
    /// ```
    #[must_use]
    pub fn layer(mut self, layer: impl Around) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Binds the handler to an app's state.
    pub(crate) fn bind<S>(self, topic: Arc<str>, state: Arc<S>) -> Bound
    where
        C: Callable<S>,
    {
        let Self { callable, classes, layers, settings } = self;
        Bound { topic, handler: callable.bind(state, classes), layers, settings }
    }
}

impl<C: fmt::Debug> fmt::Debug for Handler<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handler({:?}, {:?})", self.callable, self.settings)
    }
}

/// A topic whose handler has its state, and not yet the app's layers.
pub(crate) struct Bound {
    pub(crate) topic: Arc<str>,
    pub(crate) handler: Arc<dyn ErasedHandler>,
    pub(crate) layers: Vec<SharedLayer>,
    pub(crate) settings: Settings,
}

impl Bound {
    /// Puts the app's layers around the topic's.
    pub(crate) fn register(self, outer: &[SharedLayer]) -> Registered {
        let Self { topic, handler, layers, settings } = self;
        let layers = outer.iter().cloned().chain(layers).collect();
        Registered { topic, handler: layered(layers, handler), settings }
    }
}

/// A topic as the runtime reads it.
#[derive(Clone)]
pub(crate) struct Registered {
    /// Its name.
    pub(crate) topic: Arc<str>,
    /// Its handler, with all layers around it.
    pub(crate) handler: Arc<dyn ErasedHandler>,
    /// How attempts run; checked.
    pub(crate) settings: Settings,
}
