//! HTTP around it.

use crate::{
    answer::Answer,
    routes,
    store::{Held, Options, Store, guid},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Runtime,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

struct Desk {
    options: Options,
    store: Mutex<Store>,
    asked: Mutex<Vec<String>>,
    /// Status and body of what is answered instead, question by question.
    scripted: Mutex<VecDeque<(u16, String)>>,
}

/// What listens, and how its end is seen without a runtime: tests call from within theirs.
struct Serving {
    task: JoinHandle<()>,
    ended: Receiver<Infallible>,
}

/// A registry that runs until it is dropped.
pub struct Registry {
    runtime: Option<Runtime>,
    desk: Arc<Desk>,
    address: SocketAddr,
    serving: Option<Serving>,
}

impl Registry {
    /// A registry without anything in it.
    ///
    /// # Panics
    /// If no port can be had.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// The same, behaving otherwise.
    ///
    /// # Panics
    /// If no port can be had.
    #[must_use]
    pub fn start_with(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let desk = Desk { options, store: Mutex::default(), asked: Mutex::default(), scripted: Mutex::default() };
        let mut registry = Self {
            runtime: Some(runtime.expect("a runtime")),
            desk: Arc::new(desk),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            serving: None,
        };
        registry.start_again();
        registry
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken when it is dropped")
    }

    /// Listens again where it listened before.
    ///
    /// # Panics
    /// If somebody else has the port.
    pub fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).expect("the port is free");
        self.address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("a socket");
        let (alive, ended) = channel();
        let desk = Arc::clone(&self.desk);
        let task = self.runtime().spawn(async move {
            let _alive: Sender<Infallible> = alive;
            serve(tokio::net::TcpListener::from_std(listener).expect("a socket"), desk).await;
        });
        self.serving = Some(Serving { task, ended });
    }

    /// Ends every connection and takes no more.
    pub fn stop(&mut self) {
        if let Some(Serving { task, ended }) = self.serving.take() {
            task.abort();
            // It never says anything: it is dropped.
            let _ = ended.recv();
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.desk.options.tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}{}", self.address.port(), self.desk.options.prefix)
    }

    /// The authority that signed its certificate, in PEM.
    #[must_use]
    pub fn ca() -> &'static str {
        include_str!("../tls/ca.pem")
    }

    /// Puts an Avro schema under a subject, whatever the rules say, and returns its id.
    pub fn put(&self, subject: &str, schema: &str) -> u32 {
        self.put_as(subject, schema, "AVRO", serde_json::json!([]))
    }

    /// The same with a kind and references.
    pub fn put_as(&self, subject: &str, schema: &str, kind: &str, references: serde_json::Value) -> u32 {
        let held = Held { schema: schema.to_owned(), kind: kind.to_owned(), references };
        self.desk.store.lock().expect("no panic").put(subject, held)
    }

    /// The GUID of the schema with this id.
    #[must_use]
    pub fn guid(id: u32) -> [u8; 16] {
        guid(id)
    }

    /// Answers the next question with this status and body.
    pub fn answer_next(&self, status: u16, body: &str) {
        self.desk.scripted.lock().expect("no panic").push_back((status, body.to_owned()));
    }

    /// The questions so far: method and path of each.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.desk.asked.lock().expect("no panic").clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped within another runtime, where waiting for this one would panic.
            runtime.shutdown_background();
        }
    }
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../tls/server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tls/server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.expect("they belong together")))
}

async fn serve(listener: tokio::net::TcpListener, desk: Arc<Desk>) {
    let tls = desk.options.tls.then(acceptor);
    // Dropped with this future, and all connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (desk, tls) = (Arc::clone(&desk), tls.clone());
        connections.spawn(async move {
            match tls {
                None => talk(stream, desk).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, desk).await;
                    }
                }
            }
        });
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(reply(&desk, request).await) }
    });
    // How a client leaves is its own matter.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn reply(desk: &Desk, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    desk.asked.lock().expect("no panic").push(format!("{} {path}", parts.method));
    let scripted = desk.scripted.lock().expect("no panic").pop_front();
    let given = parts.headers.get("authorization").and_then(|given| given.to_str().ok());
    let (status, body) = if let Some(scripted) = scripted {
        scripted
    } else if desk.options.authorization.is_some() && desk.options.authorization.as_deref() != given {
        let Answer { status, body } = Answer::error(401, "Unauthorized");
        (status, body.to_string())
    } else {
        let store = &mut desk.store.lock().expect("no panic");
        let Answer { status, body } = routes::answer(store, &desk.options, parts.method.as_str(), path, &body);
        (status, body.to_string())
    };
    let answer = Response::builder().status(status).header("content-type", "application/vnd.schemaregistry.v1+json");
    answer.body(Full::from(body)).expect("a status and a header")
}
