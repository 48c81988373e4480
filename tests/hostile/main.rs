//! Records and starts that are odd or hostile, on a real Kafka: each has a clear outcome, and nothing is lost.
//!
//! What is written somewhere, and what must come of it, is a row of the [`table`]. Tests of their own are what needs
//! another stage: other topics, other settings, another process.

mod bytes;
mod counters;
mod fenced;
mod formats;
mod forward;
mod gaps;
mod letters;
mod memory;
mod metadata;
mod raw;
mod sights;
mod stage;
mod starts;
mod status;
mod table;
mod tiers;
