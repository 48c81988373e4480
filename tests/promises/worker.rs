//! The worker: a service in a process of its own.
//!
//! It is this test binary, started again with orders in its environment and told to run nothing but [`process`]. It
//! stops at SIGTERM as a user's service does, and ends at once when the test process is gone.

use std::{
    env,
    future::pending,
    io::{self, Read as _},
    path::Path,
    process,
    sync::Arc,
    thread,
    time::Duration,
};

use retrial::{Attempt, Failure, Json, Kafka, Record, Service, Settings, State};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use crate::{
    journal::{What, Writer},
    orders::{Orders, VARIABLE},
    task::{Task, Wait},
};

/// How to start it: the arguments of the test binary.
pub(crate) const ARGUMENTS: [&str; 4] = ["worker::process", "--exact", "--ignored", "--nocapture"];

/// How often a task looks for its gate.
const LOOK: Duration = Duration::from_millis(10);

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Desk {
    journal: Writer,
    gate: Arc<Path>,
}

/// Not a test: what a worker runs.
#[test]
#[ignore = "a worker process: the tests of this file's suite start it by name, with orders"]
fn process() {
    let Ok(orders) = env::var(VARIABLE) else {
        eprintln!("worker::process is no test: it is what the tests start, and has no orders");
        return;
    };
    let orders: Orders = serde_json::from_str(&orders).expect("orders that can be read");
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("retrial=debug"))
        .with_writer(io::stderr)
        .init();
    thread::spawn(end_with_the_test);
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let result = runtime.block_on(serve(&orders));
    // Handlers that block a thread would be waited for by an orderly end.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| panic!("the service ended: {error}"));
}

async fn serve(orders: &Orders) -> Result<(), retrial::ServiceError> {
    let desk = Desk { journal: Writer::open(&orders.journal), gate: orders.gate.as_path().into() };
    let connection = Kafka::bootstrap(&orders.bootstrap);
    let connection = orders.properties.iter().fold(connection, |kafka, (name, value)| kafka.property(name, value));
    let settings = Settings::default().drain(orders.drain);
    Service::connect_with(orders.app(desk), connection, settings).await?.run_until_signal().await
}

/// The test holds the other end of standard input, and its end is the end of this process.
fn end_with_the_test() {
    let _ = io::stdin().lock().read_to_end(&mut Vec::new());
    process::exit(3);
}

/// The one handler: does what the task says, and writes down when it began and how it ended.
pub(crate) async fn perform(
    Json(task): Json<Task>,
    attempt: Attempt,
    record: Record,
    State(desk): State<Desk>,
) -> Result<(), Failure> {
    desk.journal.write(What::Began, &task, &attempt, &record);
    if task.millis > 0 {
        tokio::time::sleep(Duration::from_millis(task.millis)).await;
    }
    if task.aborts {
        process::abort();
    }
    match task.waits {
        Wait::None => {}
        Wait::Gate => {
            while !desk.gate.exists() {
                tokio::time::sleep(LOOK).await;
            }
        }
        Wait::GateOnThread => {
            while !desk.gate.exists() {
                thread::sleep(LOOK);
            }
        }
        Wait::Forever => pending().await,
    }
    if task.refused || attempt.number() < task.fails_below {
        desk.journal.write(What::Failed, &task, &attempt, &record);
        let text = format!("task {} at attempt {}", task.id, attempt.number());
        return Err(if task.refused {
            Failure::dead(text).kind("refused-by-task")
        } else {
            Failure::retry(text).kind("task")
        });
    }
    desk.journal.write(What::Finished, &task, &attempt, &record);
    Ok(())
}
