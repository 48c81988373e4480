//! Ports that stay free while a broker is down.
//!
//! A port that the system hands out (bind to 0) lies in the range of outgoing connections: while the broker is dead, any
//! client may be given it, and one that reconnects to it can even meet itself. So ports come from below that range.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::SystemTime,
};

// Linux hands out 32768 and above, macOS and the IANA range 49152 and above.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(start()));

/// Processes that start together begin at different places.
fn start() -> u32 {
    let nanos = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.subsec_nanos());
    std::process::id().wrapping_mul(2_654_435_761).wrapping_add(nanos)
}

/// `count` loopback ports that nobody listens on, each given once per process. Another process may still be quicker:
/// whoever cannot bind one asks for others.
pub(crate) fn free(count: usize) -> Option<Vec<u16>> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let candidates = (0..COUNT).map(|_| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT);
    let free = candidates
        .filter_map(|port| u16::try_from(port).ok())
        .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok() && taken.insert(*port));
    let ports: Vec<u16> = free.take(count).collect();
    (ports.len() == count).then_some(ports)
}
