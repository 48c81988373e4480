//! The worker: a service as a user would write it, in a process of its own, whose handler keeps a ledger.
//!
//! It stops at SIGTERM as a user's service does. It ends with the process that started it: by the end of its standard
//! input, and on Linux by the kernel too, which also reaches a worker that is frozen.

use std::{
    env,
    io::{self, Read as _},
    path::PathBuf,
    process,
    time::Duration,
};

use retrial::{App, Attempt, BuildError, Failure, HandlerSet, Json, Kafka, OnExhausted, Record, Retry, Service};
use retrial::{State, handler, secs};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use crate::{
    ledger::{Ledger, What},
    place::{GROUP, Source, TIERS},
    work::{End, Task},
};

/// The variable that holds a worker's terms.
pub(crate) const VARIABLE: &str = "RETRIAL_CHAOS_TERMS";

/// Attempts of each topic at once.
const AT_ONCE: usize = 100;

/// What a worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) bootstrap: String,
    pub(crate) ledger: PathBuf,
    /// The group's session timeout.
    pub(crate) session: Duration,
    /// Whether finished records of tiers are deleted.
    pub(crate) trim: bool,
}

/// Runs the service until it is told to end. Returns the reason if it could not go on.
pub(crate) fn run() -> Result<(), String> {
    end_with_the_parent();
    let terms = env::var(VARIABLE).map_err(|_| format!("this is started by the run, which sets {VARIABLE}"))?;
    let terms: Terms = serde_json::from_str(&terms).map_err(|error| format!("{VARIABLE}: {error}"))?;
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("retrial=debug,librdkafka=info"))
        .with_writer(io::stderr)
        .init();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(serve(&terms))
}

async fn serve(terms: &Terms) -> Result<(), String> {
    let ledger = Ledger::open(&terms.ledger).map_err(|error| format!("{}: {error}", terms.ledger.display()))?;
    let app = app(ledger).map_err(|error| error.to_string())?;
    let session = terms.session.as_millis().to_string();
    let kafka = Kafka::bootstrap(&terms.bootstrap).property("session.timeout.ms", session).trim_tiers(terms.trim);
    let service = Service::connect(app, kafka).await.map_err(|error| error.to_string())?;
    service.run_until_signal().await.map_err(|error| error.to_string())
}

fn app(ledger: Ledger) -> Result<HandlerSet, BuildError> {
    let app = App::group(GROUP).tiers(TIERS.map(secs)).state(ledger);
    let app = Source::ALL.into_iter().fold(app, |app, source| {
        let retry = Retry::delays(source.delays().iter().copied().map(secs)).in_place(0);
        let order = match source {
            Source::Free => retrial::Order::unordered(),
            Source::Keyed => retrial::Order::by_key(OnExhausted::Overtake),
            Source::Held => retrial::Order::by_key(OnExhausted::Hold),
        };
        app.topic(source.topic(), handler(perform).retry(retry).order(order).concurrency(AT_ONCE))
    });
    app.build()
}

/// The handler of all topics: does what the task says.
async fn perform(
    Json(task): Json<Task>,
    attempt: Attempt,
    record: Record,
    State(ledger): State<Ledger>,
) -> Result<(), Failure> {
    let account = ledger.begin(task.number, &attempt, &record);
    if task.millis > 0 {
        tokio::time::sleep(Duration::from_millis(task.millis)).await;
    }
    let text = format!("number {} at attempt {}", task.number, attempt.number());
    if attempt.number() <= task.fails {
        account.end(What::Failed);
        assert!(!task.panics, "{text}");
        return Err(Failure::retry(text).kind("told-to-fail"));
    }
    if task.end == End::Refused {
        account.end(What::Refused);
        return Err(Failure::dead(text).kind("told-to-refuse"));
    }
    account.end(What::Done);
    Ok(())
}

fn end_with_the_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    std::thread::spawn(|| {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        process::exit(crate::EXIT_BROKEN_RIG);
    });
}
