//! Memory stays within its budget, whatever the backlog, the handler's speed or the length of an outage (promise 6).
//!
//! What is compared: a service in a process of its own is let idle, with all its partitions and no record; then the load
//! comes. The most that was ever resident from there on, less what was resident when idle, is compared with the bytes
//! that the configuration grants: records held, the same again for what is fetched ahead, and where records are
//! forwarded half of it for the producer's queue. It may be a fifth more.
//!
//! Every test prints one line with its figures. Longer runs, by environment:
//! `RETRIAL_BACKLOG` records of the backlog (2,000,000), `RETRIAL_WAITING` records in tiers (100,000),
//! `RETRIAL_OUTAGE` seconds of each outage (12).

mod backlog;
mod budget;
mod keys;
mod outage;
mod process;
mod tiers;
mod worker;

/// A number from the environment, for a longer run.
fn longer(variable: &str, usual: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, not a number")),
        Err(_) => usual,
    }
}
