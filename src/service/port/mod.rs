//! The HTTP port: health, metrics and status of a running service. It changes nothing, and shows no secret.
//!
//! It has a thread and a runtime of its own, so that handlers that block every thread of the user's cost no answer.

mod connections;
mod status;

use super::{
    ServiceError,
    health::{lifeless, unready},
    keeper::Keeper,
};
use crate::metrics::exposition;
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use connections::Connections;
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::spawn_blocking,
};

/// How long workers may take to say what they run.
const TELLING: Duration = Duration::from_millis(500);

/// Listens, and makes the recorder behind `/metrics` that of the process, unless there is another. Before the first
/// handle is made: one that is older leads nowhere.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    let _ = exposition::install();
    let bound = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|why| ServiceError::Http { address, why })
}

/// An open port. Dropping it closes it.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    _end: oneshot::Sender<()>,
}

/// What answers are made of.
#[derive(Clone)]
struct Shown {
    group: Arc<str>,
    keeper: Arc<Keeper>,
}

/// Answers from now on.
pub(super) fn open(listener: TcpListener, group: String, keeper: &Arc<Keeper>) -> Result<Port, ServiceError> {
    let address = listener.local_addr().map_err(ServiceError::Thread)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(ServiceError::Thread)?;
    let shown = Shown { group: group.into(), keeper: Arc::clone(keeper) };
    let (end, ended) = oneshot::channel();
    let serve = move || serve(&runtime, listener, shown, ended);
    thread::Builder::new().name("retrial-http".into()).spawn(serve).map_err(ServiceError::Thread)?;
    tracing::info!(%address, "HTTP port: /livez /readyz /metrics /status");
    Ok(Port { address, _end: end })
}

fn serve(runtime: &Runtime, listener: TcpListener, shown: Shown, ended: oneshot::Receiver<()>) {
    runtime.block_on(async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => Connections::new(listener),
            Err(error) => return tracing::error!(%error, "the HTTP port cannot be served"),
        };
        let routes = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/status", get(status))
            .with_state(shown);
        tokio::select! {
            // It has no end of its own.
            _ = axum::serve(listener, routes) => {}
            _ = ended => {}
        }
    });
}

async fn livez(State(shown): State<Shown>) -> Response {
    let Keeper { health, board, .. } = &*shown.keeper;
    told(lifeless(&health.facts(), board.since_turn()).into_iter().collect())
}

async fn readyz(State(shown): State<Shown>) -> Response {
    let Keeper { health, board, .. } = &*shown.keeper;
    told(unready(&health.facts(), board))
}

fn told(why: Vec<String>) -> Response {
    match why.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, why.join("\n") + "\n").into_response(),
    }
}

async fn metrics() -> Response {
    match exposition::install() {
        Some(exposition) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], exposition.text()).into_response(),
        None => (StatusCode::NOT_FOUND, "this program has a recorder of its own for its metrics\n").into_response(),
    }
}

async fn status(State(shown): State<Shown>) -> Response {
    // Workers are asked, and one whose thread is blocked does not answer.
    let made = spawn_blocking(move || {
        let Keeper { health, board, .. } = &*shown.keeper;
        let (running, silent) = board.running(TELLING);
        status::Status::new(&shown.group, board, &health.facts(), &running, silent)
    });
    match made.await {
        Ok(status) => Json(status).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
