//! A client in a process of its own: what it is told, what it does, what it says.

use crate::{
    clients::{self, Client},
    process,
    stopwatch::{self, Lap},
    tally::Tally,
};
use serde::{Deserialize, Serialize};
use std::{
    env,
    io::{self, Read as _},
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What a client is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) client: Client,
    pub(crate) bootstrap: String,
    pub(crate) group: String,
    pub(crate) topic: String,
    /// Records in the topic, numbered from 0.
    pub(crate) records: u64,
    /// Handled at once.
    pub(crate) concurrency: usize,
    /// Whether retrial keeps the order of each key.
    pub(crate) by_key: bool,
    /// Measured is between these counts.
    pub(crate) first: u64,
    /// See `first`.
    pub(crate) last: u64,
}

/// What a client says at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) missing: u64,
    pub(crate) repeated: u64,
    pub(crate) checksum: u64,
    pub(crate) peak_bytes: u64,
    /// `None`: it did not handle enough.
    pub(crate) lap: Option<Lap>,
}

/// The client's end of it.
pub(crate) fn run(orders: &str) -> ExitCode {
    thread::spawn(|| {
        // The benchmark holds the other end: with it ends this process.
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(3);
    });
    let orders: Orders = serde_json::from_str(orders).expect("orders that the benchmark has written");
    let tally = Tally::of(orders.records);
    let stop = Arc::new(AtomicBool::new(false));
    let client = {
        let (orders, stop) = (orders.clone(), Arc::clone(&stop));
        thread::spawn(move || clients::run(&orders, tally, &stop))
    };
    let lap = stopwatch::watch(tally, orders.first, orders.last, orders.records, || client.is_finished());
    let peak_bytes = process::peak();
    stop.store(true, Ordering::Relaxed);
    if client.join().is_err() {
        return ExitCode::FAILURE;
    }
    let (missing, repeated, checksum) = (tally.missing(), tally.repeated(), tally.checksum());
    let outcome = Outcome { missing, repeated, checksum, peak_bytes, lap };
    println!("{}", serde_json::to_string(&outcome).expect("numbers"));
    ExitCode::SUCCESS
}

/// The benchmark's end: starts a client, and waits for what it says.
pub(crate) fn start(orders: &Orders) -> Outcome {
    let program = env::current_exe().expect("a program that runs");
    let text = serde_json::to_string(orders).expect("numbers and names");
    let mut child = Command::new(program)
        .args(["--client", &text])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second process");
    let input = child.stdin.take();
    let output = child.wait_with_output().expect("a child that can be waited for");
    drop(input);
    assert!(output.status.success(), "{:?} ended with {}", orders.client, output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{:?} said {text:?}: {error}", orders.client))
}
