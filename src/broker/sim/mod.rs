//! The second adapter: a Kafka cluster in one process and one thread, with virtual time, where one seed decides
//! everything.
//!
//! [`Cluster`] holds topics, groups, clients and producers; [`SimSource`] and [`SimSink`] are a member's ports.
//! Whoever runs the members turns those that [are awake](Cluster::wakes) and advances the cluster to what comes
//! next; nothing reads a real clock. What happened is in the [`Trace`](trace::Trace), and `check` judges it.
//!
//! A fault changes latencies, loses, repeats, refuses or destroys; it never does what Kafka could not do.

mod assignor;
pub(crate) mod check;
mod client;
mod cluster;
mod commits;
mod disturb;
pub(crate) mod faults;
mod fetch;
mod group;
pub(crate) mod log;
mod membership;
mod producer;
pub(crate) mod random;
mod sink;
mod source;
mod standstill;
mod story;
mod timing;
mod topics;
pub(crate) mod trace;
mod visitor;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    cluster::Cluster, sink::SimSink, source::SimSource, standstill::Standstill, timing::Timing, topics::TopicSettings,
};
