//! Members with real handlers in a simulated cluster, on virtual time.
//!
//! Engine, driver, crews and handlers are those of a service; only the ports, and the clock of tokio (paused, so it
//! jumps to the next timer when all are idle), are simulated. Everything runs on one thread, so what handlers did is
//! put into the cluster's trace in the order in which it happened.

mod member;
mod simulation;
mod witness;

#[cfg(test)]
mod tests;

pub(crate) use self::{simulation::Simulation, witness::Witness};
