//! The decisions of retrial, as pure state machines.
//!
//! Nothing in this crate knows a runtime, a Kafka client, a clock or a random source: events and the time go in,
//! decisions come out. So every bug is a script that replays, and every promise can be tested without a broker.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod budget;
pub mod control;
pub mod engine;
pub mod event;
pub mod gate;
pub mod history;
pub mod id;
pub mod ladder;
pub mod lane;
pub mod ledger;
pub mod naming;
pub mod order;
pub mod outcome;
pub mod pace;
pub mod planner;
pub mod redrive;
#[doc(hidden)]
pub mod saboteur;
pub mod schedule;
pub mod shares;
pub mod snapshot;
pub mod start;
pub mod suspects;
pub mod time;
