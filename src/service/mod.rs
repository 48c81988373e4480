//! A service: an app's handlers, run as one member of their consumer group.

mod assembly;
#[cfg(any(feature = "cli", feature = "service"))]
mod configured;
mod error;
#[cfg_attr(not(feature = "service"), expect(dead_code, reason = "the HTTP port tells it"))]
mod health;
mod keeper;
mod observer;
#[cfg(feature = "service")]
mod port;
mod settings;
mod watch;

pub use error::ServiceError;
pub use settings::Settings;

use crate::{app::HandlerSet, broker::kafka::Kafka, runtime::turning::Stop};
use assembly::Prepared;
use keeper::{Keeper, Recipe};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{signal, sync::oneshot};

/// How long ending the client may take before it is left to the end of the process.
const CLOSING: Duration = Duration::from_secs(5);

/// An app that is connected, ready to run.
///
/// ```no_run
/// use retrial::{App, Kafka, Service, handler};
///
/// async fn greet(name: String) {
///     println!("hello {name}");
/// }
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = App::group("greeters").topic("names", handler(greet)).build()?;
/// Service::connect(app, Kafka::bootstrap("localhost:9092")).await?.run_until_signal().await?;
/// # Ok(()) }
/// ```
pub struct Service {
    recipe: Recipe,
    prepared: Prepared,
}

impl Service {
    /// Reaches the brokers, checks the topics, and makes the group's own that are missing. Nothing is read yet.
    ///
    /// # Errors
    /// Brokers that do not answer within about ten seconds, topics or rights that are missing, settings that would
    /// lose records, a new group that would begin with an old backlog: each names what is wrong and what to do.
    pub async fn connect(app: HandlerSet, kafka: Kafka) -> Result<Self, ServiceError> {
        Self::connect_with(app, kafka, Settings::default()).await
    }

    /// As [`Service::connect`], with settings.
    ///
    /// # Errors
    /// As [`Service::connect`].
    pub async fn connect_with(app: HandlerSet, kafka: Kafka, settings: Settings) -> Result<Self, ServiceError> {
        let recipe = Recipe { app, kafka, settings };
        let Recipe { app, kafka, settings } = recipe.clone();
        let prepare = move || assembly::prepare(app, kafka, settings);
        let prepared = tokio::task::spawn_blocking(prepare).await.map_err(|_| ServiceError::Stopped)??;
        Ok(Self { recipe, prepared })
    }

    /// What the service is about to do, in a few lines: topics, partitions, order, tiers, and what was found.
    pub fn summary(&self) -> impl Iterator<Item = &str> + '_ {
        self.prepared.summary.iter().map(String::as_str)
    }

    /// Runs until SIGTERM or SIGINT. Then it takes nothing new, lets what runs end within the drain time, commits and
    /// leaves the group; a second signal leaves at once.
    ///
    /// # Errors
    /// [`ServiceError::Broken`] if the client is broken for good: fenced, forbidden, or fatal.
    pub async fn run_until_signal(self) -> Result<(), ServiceError> {
        // Listened to from here on, so that no signal falls between two ears.
        let mut signals = Signals::listen();
        let mut running = self.start()?;
        tokio::select! {
            ended = running.ended() => return ended,
            () = signals.next() => {}
        }
        tracing::info!("stopping: taking nothing new, finishing what runs; signal again to leave at once");
        running.stop();
        tokio::select! {
            ended = running.ended() => ended,
            () = signals.next() => {
                running.stop_now();
                running.ended().await
            }
        }
    }

    /// Runs until a future ends, and then as after a signal.
    ///
    /// # Errors
    /// As [`Service::run_until_signal`].
    pub async fn run_until(self, end: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let mut running = self.start()?;
        tokio::select! {
            ended = running.ended() => return ended,
            () = end => {}
        }
        running.stop();
        running.ended().await
    }

    /// Starts it, and returns at once. Must be called within a tokio runtime, where the handlers run.
    ///
    /// # Errors
    /// The client or a thread that could not be made.
    pub fn start(self) -> Result<Running, ServiceError> {
        let drain = self.prepared.settings.drain;
        #[cfg(feature = "service")]
        let (group, http) = (self.recipe.app.group().to_owned(), self.prepared.settings.http);
        #[cfg(feature = "service")]
        let listener = http.map(port::bind).transpose()?;
        let (done, ended) = oneshot::channel();
        let keeper = Keeper::start(self.recipe, self.prepared, done)?;
        #[cfg(feature = "service")]
        let port = listener.map(|listener| port::open(listener, group, &keeper)).transpose()?;
        Ok(Running {
            keeper,
            ended,
            drain,
            #[cfg(feature = "service")]
            port,
        })
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("summary", &self.prepared.summary).finish_non_exhaustive()
    }
}

/// A service that runs. Dropping it stops the service at once: what runs is run again by the next owner.
pub struct Running {
    keeper: Arc<Keeper>,
    ended: oneshot::Receiver<Result<(), ServiceError>>,
    drain: Duration,
    #[cfg(feature = "service")]
    port: Option<port::Port>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("drain", &self.drain).finish_non_exhaustive()
    }
}

impl Running {
    /// Asks it to take nothing new, finish what runs within the drain time, commit, and leave the group.
    pub fn stop(&self) {
        self.keeper.tell(Stop::Drain(self.drain));
    }

    /// Asks it to leave at once.
    pub fn stop_now(&self) {
        self.keeper.tell(Stop::Now);
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// As [`Service::run_until_signal`].
    pub async fn ended(&mut self) -> Result<(), ServiceError> {
        (&mut self.ended).await.unwrap_or(Err(ServiceError::Stopped))
    }

    /// Where the HTTP port listens, if there is one: the port that was found, where any was asked for.
    #[cfg(feature = "service")]
    #[must_use]
    pub fn http_address(&self) -> Option<std::net::SocketAddr> {
        self.port.as_ref().map(|port| port.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.keeper.tell(Stop::Now);
    }
}

/// What asks the process to end: SIGTERM and SIGINT, or Ctrl-C.
#[cfg(unix)]
struct Signals(Option<(signal::unix::Signal, signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    /// A process that cannot hear signals is ended by them, which is safe: nothing that was not finished is committed.
    fn listen() -> Self {
        use signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::terminate()).ok().zip(signal(SignalKind::interrupt()).ok()))
    }

    async fn next(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
