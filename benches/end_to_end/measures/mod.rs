//! How each kind of scenario is measured.

pub(crate) mod forward;
pub(crate) mod growth;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod lateness;
pub(crate) mod memory;
pub(crate) mod start;
pub(crate) mod stuck;
pub(crate) mod throughput;
pub(crate) mod warm_up;

use crate::{
    child::{Goal, Orders},
    clients::Client,
    desk::Work,
    fill::Writer,
    parent::Process,
    place::{Place, Topic},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// No scenario has fewer records: a count of fewer cannot be measured.
const LEAST: u64 = 1_000;

/// What a client is told if nothing else is said: to handle so many records of a topic.
fn orders(client: Client, place: &Place, topic: &Topic<'_>, records: u64) -> Orders {
    Orders {
        client,
        bootstrap: place.bootstrap(),
        group: place.group("bench"),
        topic: topic.name.clone(),
        records,
        concurrency: 10_000,
        by_key: false,
        work: Work::Nothing,
        tiers: vec![1],
        commit_millis: None,
        target: None,
        goal: Goal::Count { first: records / 10, last: records },
    }
}

/// Writes records that do not count until the client has seen one; when that was, in microseconds since 1970.
fn wake(process: &mut Process, writer: &Writer<'_>) -> u64 {
    let is_awake = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| writer.warm_up(|| is_awake.load(Ordering::Relaxed)));
        let at = process.awake();
        is_awake.store(true, Ordering::Relaxed);
        at
    })
}
