//! A schema registry within the test's own process, that answers as the Confluent Schema Registry's API reference says:
//! the same paths, status codes and error codes. It can be stopped and started again at the same address, and counts
//! what it is asked.

mod answer;
mod routes;
mod server;
mod store;

pub use self::{server::Registry, store::Options};
