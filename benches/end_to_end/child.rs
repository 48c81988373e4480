//! A client in a process of its own, as that process sees it.
//!
//! It says [`AWAKE`] when it has seen its first record, and an [`Outcome`] at its end. It ends with its input.

use crate::{
    clients::{self, Client},
    clock,
    desk::{Desk, Work},
    process,
    stopwatch::{self, Lap},
};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, Read as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The line that tells of the first record, with the time in microseconds since 1970.
pub(crate) const AWAKE: &str = "AWAKE ";

/// Memory has settled after this long, and so has a group.
const SETTLE: Duration = Duration::from_secs(2);

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
    pub(crate) work: Work,
    /// Delays of retrial's tiers, in seconds.
    pub(crate) tiers: Vec<u64>,
    /// Between two commits, where it is not the usual.
    pub(crate) commit_millis: Option<u64>,
    /// Where a client writes what it forwards: its records are counted there.
    pub(crate) target: Option<String>,
    pub(crate) goal: Goal,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Goal {
    /// From one count of handled records to another; it ends when all were handled.
    Count { first: u64, last: u64 },
    /// Rest, for so many seconds, once it has settled after its first record.
    Rest(u64),
    /// Nothing: it runs until it is killed.
    None,
}

/// What a client says at its end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) missing: u64,
    pub(crate) repeated: u64,
    pub(crate) checksum: u64,
    /// The most that it ever had resident.
    pub(crate) peak_bytes: u64,
    /// Resident after its first record.
    pub(crate) awake_bytes: u64,
    /// Resident at the end, once that has settled.
    pub(crate) settled_bytes: u64,
    /// `None`: it did not come that far.
    pub(crate) lap: Option<Lap>,
    /// What handlers measured, in microseconds.
    pub(crate) samples: Vec<u64>,
    /// Retries that came before their time.
    pub(crate) early: u64,
}

/// Does what it is told.
pub(crate) fn run(orders: &str) -> ExitCode {
    thread::spawn(|| {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(3);
    });
    let orders: Orders = serde_json::from_str(orders).expect("orders that the benchmark has written");
    let desk = Desk::of(&orders);
    let stop = Arc::new(AtomicBool::new(false));
    let client = {
        let (orders, stop) = (orders.clone(), Arc::clone(&stop));
        thread::spawn(move || clients::run(&orders, desk, &stop))
    };
    let mut outcome = watch(&orders, desk, || client.is_finished());
    stop.store(true, Ordering::Relaxed);
    // Handlers that never end would hold up an orderly stop.
    if orders.work != Work::Pends && client.join().is_err() {
        return ExitCode::FAILURE;
    }
    (outcome.missing, outcome.repeated, outcome.checksum) =
        (desk.tally.missing(), desk.tally.repeated(), desk.tally.checksum());
    (outcome.samples, outcome.early) = desk.samples();
    println!("{}", serde_json::to_string(&outcome).expect("numbers"));
    std::process::exit(0);
}

fn watch(orders: &Orders, desk: &'static Desk, is_over: impl Fn() -> bool + Copy) -> Outcome {
    let awake = thread::spawn(|| {
        while !desk.tally.is_awake() {
            thread::sleep(Duration::from_millis(1));
        }
        println!("{AWAKE}{}", clock::micros());
        process::resident()
    });
    let lap = match orders.goal {
        Goal::Count { first, last } => match &orders.target {
            None => stopwatch::watch(|| desk.tally.handled(), first, last, orders.records, is_over),
            Some(target) => {
                let written = clients::written(&orders.bootstrap, target);
                stopwatch::watch(written, first, last, orders.records, is_over)
            }
        },
        Goal::Rest(seconds) => {
            while !desk.tally.is_awake() && !is_over() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(SETTLE);
            Some(stopwatch::rest(Duration::from_secs(seconds)))
        }
        Goal::None => loop {
            thread::park();
        },
    };
    let peak_bytes = process::peak();
    let settled_bytes = settled();
    let awake_bytes = if awake.is_finished() { awake.join().unwrap_or(0) } else { 0 };
    Outcome { lap, peak_bytes, awake_bytes, settled_bytes, ..Outcome::default() }
}

/// What is resident once that has not moved by half a MiB for a while, which it may never do.
fn settled() -> u64 {
    let began = Instant::now();
    let mut before = process::resident();
    loop {
        thread::sleep(SETTLE / 8);
        let now = process::resident();
        if now.abs_diff(before) < 1 << 19 || began.elapsed() > SETTLE {
            return now;
        }
        before = now;
    }
}
