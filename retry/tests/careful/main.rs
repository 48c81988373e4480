//! RULES 8 on the whole engine: records that take their process down are found, and nobody else is buried.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod alone;
mod company;
mod found;
mod innocent;
mod shown;
mod stage;
mod witness;
