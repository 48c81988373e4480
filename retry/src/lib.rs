//! The decisions of retrial, as pure state machines.
//!
//! Nothing in this crate knows a runtime, a Kafka client, a clock or a random source: events and the time go in,
//! decisions come out. So every bug is a script that replays, and every promise can be tested without a broker.

#![forbid(unsafe_code)]

pub mod event;
pub mod history;
pub mod id;
pub mod outcome;
pub mod time;
