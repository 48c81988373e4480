//! When the engine does what it does: to the millisecond, to the byte, and not once too often.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod arrivals;
mod commits;
mod departures;
mod desk;
mod limits;
mod turns;
mod waits;
