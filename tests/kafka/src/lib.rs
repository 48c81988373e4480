//! A real Apache Kafka for the tests of retrial.
//!
//! [`Kafka::shared`] is one broker for all tests of a process; [`Kafka::start`] is a cluster of one's own, whose brokers
//! may be killed, stopped, frozen and started again. The way is the first that works:
//!
//! 1. the address in `RETRIAL_TEST_BOOTSTRAP` (shared only: nobody kills a broker that is not his);
//! 2. Docker, image `apache/kafka`;
//! 3. Java 17+ with Maven: the jars come from Maven Central once, into `target/kafka/<version>`.
//!
//! Which one was taken is said on standard error. With none, [`Unavailable`] carries every reason; [`available!`] turns
//! it into a loud note that the test did not run, or into a failure with `RETRIAL_REQUIRE_KAFKA=1`.
//!
//! Whatever was started ends with the test process, also when that is killed: see the `guard` module. Everything here
//! blocks its thread and may be called inside a tokio runtime. Past the start, a helper that fails panics with the
//! reason: the test has failed.

#![forbid(unsafe_code)]

mod block_on;
mod broker;
mod cluster;
mod docker;
mod groups;
mod guard;
mod java;
mod log;
mod options;
mod ports;
mod produce;
mod read;
mod ready;
mod record;
mod topics;
mod unavailable;
mod unsettled;
mod wire;

pub use broker::Broker;
pub use cluster::Kafka;
pub use groups::Commit;
pub use log::Log;
pub use options::{Guests, Options};
pub use record::{Position, TestRecord};
pub use unavailable::Unavailable;
pub use wire::{RawRecord, Right};

/// The version of Apache Kafka that the tests run on.
pub const VERSION: &str = "4.4.0";
