//! The loop around the driver on a real broker: turn while there is something to do, wait when there is not.

use super::driver::Driver;
use crate::{
    broker::{Sink, Source},
    clock,
};
use retrial_core::time::Timestamp;
use std::{sync::mpsc::TryRecvError, time::Duration};

/// The longest wait without a turn: the client library must be served, and it is the net under every lost wake-up.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How much longer than its drain a stop may take, for the last commits and for leaving the group.
const LEAVING: Duration = Duration::from_secs(10);

/// How a service is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Finish what runs within this time.
    Drain(Duration),
    /// At once: what runs is run again by the next owner.
    Now,
    /// At once, to begin anew with another client.
    Rebuild,
}

/// How the loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As it was asked to.
    Well,
    /// The client is broken for good.
    Broken(String),
    /// To begin anew.
    ToBeRebuilt,
}

/// Turns until the group was left, the client is broken, or a stop has taken too long. Gives the ports back.
pub(crate) fn run<S: Source, K: Sink>(
    mut driver: Driver<S, K>,
    mut asked: impl FnMut() -> Result<Stop, TryRecvError>,
) -> (S, K, Ended) {
    let mut give_up: Option<Timestamp> = None;
    let result = loop {
        let now = clock::now();
        match asked() {
            Ok(Stop::Drain(drain)) => {
                driver.stop(now, drain);
                give_up = Some(now.after(drain.saturating_add(LEAVING)));
            }
            Ok(Stop::Now) => break Ended::Well,
            // A stop that is under way ends by itself.
            Ok(Stop::Rebuild) if give_up.is_none() => break Ended::ToBeRebuilt,
            Err(TryRecvError::Disconnected) if give_up.is_none() => break Ended::Well,
            Ok(Stop::Rebuild) | Err(_) => {}
        }
        let turn = driver.turn(now);
        if let Some(why) = driver.fatal() {
            break Ended::Broken(why.to_owned());
        }
        if driver.has_left() || give_up.is_some_and(|at| at <= now) {
            break Ended::Well;
        }
        if !turn.busy {
            let limit = turn.wake_at.map_or(LONGEST_WAIT, |at| at.since(clock::now()).min(LONGEST_WAIT));
            if !limit.is_zero() {
                driver.wait(limit);
            }
        }
    };
    let (source, sink) = driver.into_ports();
    (source, sink, result)
}
