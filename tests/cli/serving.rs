//! A service in this process, whose handler does what a record's body says.

use retrial::{App, Attempt, Failure, Kafka as Cluster, Service, State, handler, hours, secs};
use retrial_kafka_for_tests::Kafka;
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// An attempt that ended well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handled {
    /// Where the record stood first.
    pub(crate) origin: String,
    /// The replay that brought it back.
    pub(crate) replay: Option<String>,
}

type Log = Arc<Mutex<Vec<Handled>>>;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Served {
    log: Log,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// What was handled so far, in order.
    pub(crate) fn handled(&self) -> Vec<Handled> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.expect("the service ends well");
            }
        }
    }
}

/// `dead` is refused for good, `later` comes again in an hour, `hang` never ends, and all else is done.
async fn handle(attempt: Attempt, body: String, State(log): State<Log>) -> Result<(), Failure> {
    match &*body {
        "dead" => return Err(Failure::dead("the card was refused").kind("card")),
        "later" => return Err(Failure::after(hours(1), "the bank is closed").kind("bank")),
        "hang" => std::future::pending::<()>().await,
        _ => {}
    }
    let handled = Handled { origin: attempt.origin().to_string(), replay: attempt.replay().map(str::to_owned) };
    log.lock().unwrap_or_else(PoisonError::into_inner).push(handled);
    Ok(())
}

/// Starts a service of a group for one topic; its tiers wait 5 s and an hour.
pub(crate) fn serve(kafka: &Kafka, group: &str, topic: &str) -> Served {
    serve_at(&kafka.bootstrap(), group, topic)
}

/// The same, at an address.
pub(crate) fn serve_at(bootstrap: &str, group: &str, topic: &str) -> Served {
    let log = Log::default();
    let app = App::group(group)
        .tiers([secs(5), hours(1)])
        .state(Arc::clone(&log))
        .topic(topic, handler(handle).without_timeout())
        .build()
        .expect("an app");
    let cluster = Cluster::bootstrap(bootstrap).property("session.timeout.ms", "6000");
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let settings = retrial::Settings::default().drain(secs(1));
            let service = Service::connect_with(app, cluster, settings).await.expect("a service");
            service.run_until(async { drop(stopped.await) }).await.expect("a service that ends well");
        });
    });
    Served { log, stop: Some(stop), thread: Some(thread) }
}
