//! Apache Kafka as a job queue.

mod broker;
mod record;

pub use record::Record;
