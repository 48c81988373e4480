//! A service with an HTTP port, in this process.

use crate::{
    http::{self, Answer},
    page::Scrape,
};
use retrial::{App, Failure, HandlerSet, Running, Service, Settings, handler};
use retrial_kafka_for_tests::Kafka;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// What must come comes within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(400);

/// What the handler has done, and what opens for those that wait.
#[derive(Clone)]
pub(crate) struct Desk {
    done: Arc<AtomicU64>,
    pub(crate) gate: Arc<Semaphore>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { done: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

impl Desk {
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }
}

/// `retry` fails once, `wait` waits for the gate, `die …` dies of what follows, and all else is done at once.
async fn handle(
    body: String,
    attempt: retrial::Attempt,
    retrial::State(desk): retrial::State<Desk>,
) -> Result<(), Failure> {
    match body.split_once(' ').map_or(&*body, |(word, _)| word) {
        "retry" if attempt.number() == 1 => return Err(Failure::retry("not at once").kind("not-yet")),
        "die" => return Err(Failure::dead(body.clone()).kind(&body)),
        "wait" => drop(desk.gate.acquire().await.expect("a gate that is never closed")),
        _ => {}
    }
    desk.done.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// A group with a topic, its service, and where that listens.
pub(crate) struct Scene {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) desk: Desk,
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
}

fn app(group: &str, topic: &str, desk: &Desk) -> HandlerSet {
    let retry = retrial::Retry::delays([retrial::secs(1); 3]).in_place(0);
    let app = App::group(group).tiers([retrial::secs(1)]).state(desk.clone());
    app.topic(topic, handler(handle).retry(retry)).build().expect("an app")
}

impl Scene {
    pub(crate) async fn start(kafka: &Kafka, name: &str, partitions: i32) -> Self {
        let (group, topic) = (kafka.unique_group(name), kafka.unique_topic(name));
        kafka.create_topic(&topic, partitions, &[]);
        let connection = retrial::Kafka::bootstrap(kafka.bootstrap()).property("session.timeout.ms", "6000");
        Self::start_on(connection, group, topic).await
    }

    pub(crate) async fn start_on(connection: retrial::Kafka, group: String, topic: String) -> Self {
        let desk = Desk::default();
        let settings = Settings::default().commit_interval(Duration::from_millis(100)).http_port(0);
        let service = Service::connect_with(app(&group, &topic, &desk), connection, settings).await;
        let running = service.unwrap_or_else(|error| panic!("{error}")).start().expect("a service that starts");
        let address = running.http_address().expect("a port");
        Self { group, topic, desk, running, address }
    }

    /// Another member of the group.
    pub(crate) async fn another(&self, kafka: &Kafka) -> Self {
        let connection = retrial::Kafka::bootstrap(kafka.bootstrap()).property("session.timeout.ms", "6000");
        Self::start_on(connection, self.group.clone(), self.topic.clone()).await
    }

    pub(crate) async fn get(&self, path: &'static str) -> Answer {
        let address = self.address;
        tokio::task::spawn_blocking(move || http::get(address, path)).await.expect("an answer")
    }

    pub(crate) async fn scrape(&self) -> Scrape {
        Scrape::parse(&self.get("/metrics").await.body)
    }

    pub(crate) async fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/status").await.body).expect("JSON")
    }

    /// Waits until a path is answered by this status.
    pub(crate) async fn until(&self, path: &'static str, status: u16) -> Answer {
        until(&format!("{path} answers {status}"), async || Some(self.get(path).await).filter(|is| is.status == status))
            .await
    }

    pub(crate) async fn until_done(&self, count: u64) {
        until(&format!("{count} records are done"), async || (self.desk.done() >= count).then_some(())).await;
    }

    pub(crate) async fn stop(mut self) {
        self.running.stop();
        tokio::time::timeout(PATIENCE, self.running.ended()).await.expect("an end").expect("a good end");
    }
}

/// Waits until a question has an answer.
pub(crate) async fn until<T>(what: &str, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(Instant::now() < limit, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
