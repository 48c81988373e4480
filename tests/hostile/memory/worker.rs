//! The worker: a service in a process of its own, whose memory is measured from outside.
//!
//! It is this test binary, started again with orders in its environment. It obeys lines of its standard input, and ends
//! with it, so with the test, however that ends.

use retrial::{
    App, Failure, HandlerSet, Key, OnExhausted, Order, Origin, Retry, Service, Settings, State, handler, secs,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::BufRead as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The variable that holds its orders, as JSON.
pub(super) const ORDERS: &str = "RETRIAL_HOSTILE_WORKER";

/// How it is started: arguments of this binary.
pub(super) const ARGUMENTS: [&str; 5] =
    ["--exact", "memory::worker::process", "--ignored", "--nocapture", "--test-threads=1"];

/// The line that lets blocked records through.
pub(super) const OPEN: &str = "open";

/// What its last line begins with; behind it is a [`Report`], as JSON.
pub(super) const REPORT: &str = "REPORT ";

/// What a worker is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) bootstrap: String,
    pub(super) group: String,
    pub(super) topic: String,
    /// `Settings::memory`, in bytes.
    pub(super) memory: u64,
    pub(super) concurrency: usize,
    /// Delays of the group's tiers, in seconds.
    pub(super) tiers: Vec<u64>,
    pub(super) work: Work,
}

/// What its handler does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Work {
    /// It takes this many milliseconds.
    Takes(u64),
    /// It is refused at once.
    Refused,
    /// Its key is blocked until the gate opens: it fails, and rests in memory.
    Blocked,
}

/// What it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Attempts that succeeded.
    pub(super) done: u64,
    /// Those of them that came after a later record of their key.
    pub(super) out_of_order: u64,
}

#[derive(Clone)]
struct Desk {
    work: Work,
    open: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    out_of_order: Arc<AtomicU64>,
    /// The last offset done of each key.
    last: Arc<Mutex<HashMap<(i32, u64), i64>>>,
}

impl Desk {
    fn new(work: Work) -> Self {
        let (open, done, out_of_order, last) = Default::default();
        Self { work, open, done, out_of_order, last }
    }

    fn did(&self, key: Option<&[u8]>, origin: &Origin) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if self.work == Work::Blocked {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            let place = (origin.partition, hasher.finish());
            let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(place, origin.offset);
            self.out_of_order
                .fetch_add(u64::from(before.is_some_and(|before| before >= origin.offset)), Ordering::Relaxed);
        }
    }
}

async fn work(key: Option<Key>, origin: Origin, State(desk): State<Desk>) -> Result<(), Failure> {
    match desk.work {
        Work::Takes(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Work::Refused => return Err(Failure::dead("refused")),
        Work::Blocked if !desk.open.load(Ordering::Relaxed) => return Err(Failure::retry("the gate is shut")),
        Work::Blocked => {}
    }
    desk.did(key.as_deref(), &origin);
    Ok(())
}

impl Orders {
    fn app(&self, desk: &Desk) -> HandlerSet {
        let handling = handler(work).concurrency(self.concurrency);
        let handling = match self.work {
            // No tries in place, and no end of attempts before the gate opens.
            Work::Blocked => {
                let retry = Retry::delays([secs(2)]).then(secs(2), 10_000).in_place(0);
                handling.order(Order::by_key(OnExhausted::Hold)).retry(retry)
            }
            _ => handling.retry(Retry::delays(self.tiers.iter().copied().map(secs)).in_place(0)),
        };
        let app = App::group(&self.group).tiers(self.tiers.iter().copied().map(secs)).state(desk.clone());
        app.topic(&self.topic, handling).build().expect("an app")
    }

    async fn serve(&self, desk: &Desk) {
        let settings = Settings::default().memory(usize::try_from(self.memory).expect("a size")).drain(secs(2));
        let kafka = retrial::Kafka::bootstrap(&self.bootstrap);
        let service = Service::connect_with(self.app(desk), kafka, settings).await;
        let service = service.unwrap_or_else(|error| panic!("{error}"));
        let open = Arc::clone(&desk.open);
        let end = tokio::task::spawn_blocking(move || obey(&open));
        let ended = service.run_until(async { end.await.expect("an input that ends") }).await;
        ended.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Reads the standard input to its end.
fn obey(open: &AtomicBool) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        assert_eq!(line, OPEN, "there is no other order");
        open.store(true, Ordering::Relaxed);
    }
}

/// Not a test: what a worker runs.
#[test]
#[ignore = "the worker process of the memory tests, which start it by name"]
fn process() {
    let orders = std::env::var(ORDERS).expect("orders");
    let orders: Orders = serde_json::from_str(&orders).expect("orders that can be read");
    let desk = Desk::new(orders.work);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(orders.serve(&desk));
    let report =
        Report { done: desk.done.load(Ordering::Relaxed), out_of_order: desk.out_of_order.load(Ordering::Relaxed) };
    println!("\n{REPORT}{}", serde_json::to_string(&report).expect("numbers"));
}
