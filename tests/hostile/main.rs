//! Records and starts that are odd or hostile, on a real Kafka: each has a clear outcome, and nothing is lost.

mod bytes;
mod fenced;
mod gaps;
mod memory;
mod metadata;
mod raw;
mod stage;
mod starts;
mod status;
mod tiers;
