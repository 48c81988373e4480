//! Kafka as plain Java processes.

mod archive;
mod jars;
mod node;
mod process;

pub(crate) use node::start;
pub(crate) use process::JavaNode;
