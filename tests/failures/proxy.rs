//! A TCP proxy before a broker, which can fall silent.
//!
//! Silence is that of a firewall that forgot a connection, or of a cable that was pulled: nothing is refused and nothing
//! is closed. What either side sends is swallowed. A connection that lost bytes never works again, and nobody is told.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// It serves until the process ends.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    port: u16,
    silent: Arc<AtomicBool>,
    target: Arc<Mutex<Option<String>>>,
}

impl Proxy {
    /// Listens on a loopback port, and swallows everything until it is told where to pass it on to.
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Self { port, silent: Arc::new(AtomicBool::new(true)), target: Arc::default() };
        let serving = proxy.clone();
        thread::spawn(move || listener.incoming().flatten().for_each(|client| serving.serve(client)));
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Passes everything on to this address from now on.
    pub(crate) fn pass_on_to(&self, target: String) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        self.speak();
    }

    /// Swallows everything from now on.
    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// Serves new connections again. Those that lost bytes stay dead.
    pub(crate) fn speak(&self) {
        self.silent.store(false, Ordering::SeqCst);
    }

    fn serve(&self, client: TcpStream) {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let server = target.filter(|_| !self.silent.load(Ordering::SeqCst)).map(TcpStream::connect);
        match server {
            // Accepted, and never answered.
            None => drop(thread::spawn(move || swallow(client))),
            Some(Err(_)) => drop(client.shutdown(Shutdown::Both)),
            Some(Ok(server)) => {
                let dead = Arc::new(AtomicBool::new(false));
                let copy = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                let ways = [(copy(&client), copy(&server)), (server, client)];
                for (from, to) in ways {
                    let (silent, dead) = (Arc::clone(&self.silent), Arc::clone(&dead));
                    thread::spawn(move || pass(from, to, &silent, &dead));
                }
            }
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool, dead: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if silent.load(Ordering::SeqCst) {
            dead.store(true, Ordering::SeqCst);
        }
        if !dead.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // A silent network does not tell of an end either.
    if !silent.load(Ordering::SeqCst) && !dead.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Both);
    }
}

fn swallow(mut client: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(1..) = client.read(&mut buffer) {}
}
