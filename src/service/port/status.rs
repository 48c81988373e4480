//! What `/status` shows: the words of `retrial status`, as far as one process knows them, and what it runs now.

use super::super::health::{Facts, lifeless, unready};
use crate::{
    metrics::tier_label,
    runtime::board::{Board, Running, ShownPartition},
};
use retrial_core::time::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// So many running attempts are shown, the longest first.
const SHOWN: usize = 100;

#[derive(Serialize)]
pub(super) struct Status {
    group: String,
    version: &'static str,
    /// When the levels were taken, at most about a second ago.
    at: String,
    alive: bool,
    ready: bool,
    /// Why it is not ready.
    why: Vec<String>,
    stopping: bool,
    client_restarts: u32,
    buffer_bytes: usize,
    topics: Vec<Topic>,
    partitions: Vec<Partition>,
    tiers: Vec<Tier>,
    /// Attempts that run, the longest first; of more than a hundred the longest hundred.
    running: Vec<Attempt>,
    /// How many run.
    running_count: usize,
    /// Workers that gave no answer: a handler blocks their thread, and what they run is not shown.
    silent_workers: usize,
}

#[derive(Serialize)]
struct Topic {
    topic: String,
    in_flight: usize,
    in_flight_limit: usize,
    ready: usize,
    held_seconds: Option<f64>,
}

#[derive(Serialize)]
struct Partition {
    topic: String,
    partition: i32,
    role: &'static str,
    stage: &'static str,
    watermark: i64,
    /// The next offset to be received.
    next: i64,
    /// Received and not finished.
    pending: usize,
    in_flight: usize,
    forwarding: usize,
    /// Where the log ended when that was last asked, some 15 s ago at most.
    log_end: Option<i64>,
    /// Not finished, up to that end.
    unfinished: Option<u64>,
    oldest: Option<String>,
    held: Vec<&'static str>,
}

#[derive(Serialize)]
struct Tier {
    tier: String,
    delay_seconds: u64,
    waiting: Option<u64>,
    next_due: Option<String>,
}

#[derive(Serialize)]
struct Attempt {
    topic: String,
    partition: i32,
    offset: i64,
    attempt: u32,
    seconds: f64,
}

impl Status {
    pub(super) fn new(group: &str, board: &Board, facts: &Facts, running: &[Running], silent: usize) -> Self {
        let (shown, why) = (board.shown(), unready(facts, board));
        let partitions: Vec<Partition> = shown.partitions.iter().map(|one| partition(board, one)).collect();
        Self {
            group: group.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            at: shown.at.to_string(),
            alive: lifeless(facts, board.since_turn()).is_none(),
            ready: why.is_empty(),
            why,
            stopping: shown.stopping,
            client_restarts: facts.rebuilt,
            buffer_bytes: shown.buffer,
            topics: shown
                .topics
                .iter()
                .map(|(name, standing)| Topic {
                    topic: name.to_string(),
                    in_flight: standing.in_flight,
                    in_flight_limit: standing.limit,
                    ready: standing.ready,
                    held_seconds: standing.held_for.map(|held| held.as_secs_f64()),
                })
                .collect(),
            tiers: tiers(&shown.partitions, &partitions),
            partitions,
            running: running.iter().take(SHOWN).map(attempt).collect(),
            running_count: running.len(),
            silent_workers: silent,
        }
    }
}

fn partition(board: &Board, shown: &ShownPartition) -> Partition {
    let standing = &shown.standing;
    let log_end = board.log_end(&shown.topic, shown.partition);
    let unread = |end: i64| (end - standing.next).max(0).unsigned_abs();
    Partition {
        topic: shown.topic.to_string(),
        partition: shown.partition,
        role: if standing.tier.is_some() { "tier" } else { "source" },
        stage: standing.stage.as_str(),
        watermark: standing.watermark,
        next: standing.next,
        pending: standing.unfinished,
        in_flight: standing.in_flight,
        forwarding: standing.forwarding,
        log_end,
        unfinished: log_end.map(|end| unread(end) + standing.unfinished as u64),
        oldest: shown.oldest.map(|at| at.to_string()),
        held: shown.held.iter().map(|why| why.as_str()).collect(),
    }
}

fn tiers(shown: &[ShownPartition], partitions: &[Partition]) -> Vec<Tier> {
    let mut delays: Vec<Duration> = shown.iter().filter_map(|one| one.standing.tier).collect();
    delays.sort();
    delays.dedup();
    let tier = |delay: Duration| {
        let of_tier = || shown.iter().zip(partitions).filter(|(one, _)| one.standing.tier == Some(delay));
        let next: Option<Timestamp> = of_tier().filter_map(|(one, _)| one.standing.opens).min();
        Tier {
            tier: tier_label(delay),
            delay_seconds: delay.as_secs(),
            waiting: of_tier().map(|(_, partition)| partition.unfinished).sum(),
            next_due: next.map(|at| at.to_string()),
        }
    };
    delays.into_iter().map(tier).collect()
}

fn attempt(running: &Running) -> Attempt {
    let Running { topic, partition, offset, attempt, for_ } = running;
    Attempt {
        topic: topic.to_string(),
        partition: *partition,
        offset: *offset,
        attempt: *attempt,
        seconds: for_.as_secs_f64(),
    }
}
