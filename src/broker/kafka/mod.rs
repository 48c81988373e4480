//! Kafka, through librdkafka.
//!
//! The consumer is read as its measured traps demand (`design` in the docs): one thread polls it for events
//! only; every partition has a queue of its own, read in batches; holding a partition is leaving its queue alone.
//! The producer never waits: what it cannot take stands in line, and its reports ring the driver's bell.
//!
//! | room | does |
//! |---|---|
//! | [`connect`] | what the user says about the cluster |
//! | [`properties`], [`missing`] | checks what the client is configured with |
//! | [`rights`] | which right is missing, in words |
//! | [`consumer`] | the source port: one turn after the other |
//! | [`serving`], [`answering`] | what a turn does with events; answers to rebalances |
//! | [`client`], [`closing`] | the client, and its end within a time |
//! | [`ready`] | which queues may have something, wake-ups |
//! | [`rebalance`], [`slots`], [`commits`], [`committing`] | events in order, partitions held, commits under way and sent |
//! | [`intake`] | from a queue into batches |
//! | [`truncation`] | how far a log was cut |
//! | [`asker`] | what takes a round trip, on a thread of its own |
//! | [`context`] | notes what librdkafka tells |
//! | [`producer`], [`wire`], [`letter`] | the sink port; one producer and its successor; what a forward looks like |
//! | [`topics`], [`cluster`] | start-up: sources there, own topics made and verified; real and embedded |
//! | [`marks`], [`marker`] | partitions the group has read before, in the control topic: read and written |
//! | [`pasts`] | what those marks, and what was seen since, say of a partition's past |
//! | [`operator`], [`scan`], [`outbox`] | what an operator asks and changes; ranges of partitions, read in batches; records written |
//! | [`inspector`] | what an operator sees of a cluster, and changes of its topics |
//! | [`control`], [`transactor`] | the control topic as operators read it; what they write, all or nothing |
//! | [`reading`], [`connection`] | short readings and questions outside of any group |
//! | [`embedded`], `dev` | a broker inside the process; on a port, for other processes |
//! | [`ffi`] | the C interface: all unsafe code of this crate |

mod answering;
mod asker;
mod client;
mod closing;
mod cluster;
mod commits;
mod committed;
mod committing;
mod connect;
mod connection;
mod consumer;
mod context;
mod control;
#[cfg(feature = "cli")]
mod dev;
mod embedded;
#[expect(unsafe_code, reason = "the safe interface has no batch reads, commit results or metadata as bytes")]
mod ffi;
mod fingerprint;
mod inspector;
#[cfg(test)]
mod inspector_tests;
mod intake;
mod letter;
mod marker;
mod marks;
mod missing;
mod operator;
#[cfg(test)]
mod operator_tests;
mod outbox;
mod pasts;
mod producer;
mod properties;
mod reading;
#[cfg(test)]
mod reading_tests;
mod ready;
mod rebalance;
mod rights;
mod scan;
mod serving;
#[cfg(test)]
mod sink_tests;
mod slots;
#[cfg(test)]
mod tests;
mod topics;
mod transactor;
mod truncation;
mod wire;

pub(crate) use cluster::{Cluster, NotMade, Observed, Survey};
pub use committed::PositionsError;
pub(crate) use committed::has_committed;
pub use connect::Kafka;
pub use connection::Unreachable;
pub use consumer::SourceError;
pub(crate) use consumer::{KafkaSource, SourceSetup};
pub(crate) use control::{ControlReader, request};
#[cfg(feature = "cli")]
pub(crate) use dev::{DevBroker, DevError};
pub use embedded::{EMBEDDED_LIMITS, EmbeddedError};
pub(crate) use fingerprint::{fnv1a, spread};
pub(crate) use inspector::{Alteration, Health, Inspector, Operations};
pub(crate) use letter::REFERENCE;
pub(crate) use marker::Marker;
pub(crate) use marks::Marks;
pub use missing::Feature;
pub use operator::OperatorError;
pub(crate) use operator::{MemberSeen, NewOffset, Operator, Place};
pub(crate) use outbox::Outbox;
pub(crate) use pasts::Pasts;
pub(crate) use producer::{KafkaSink, SinkSetup};
#[cfg(test)]
pub(crate) use properties::ClientProperties;
pub use properties::PropertyError;
#[cfg(any(feature = "cli", feature = "service"))]
pub(crate) use properties::is_secret;
pub(crate) use reading::{backlog, read_marks, vanishes};
pub(crate) use rights::Operation;
pub(crate) use scan::{Ends, Found, Next, Range, Visitor};
pub(crate) use topics::{
    Order as TopicsOrder, Prepared, prepare,
    verify::{Deviation, Kind, deviations},
    wanted::{Basis, Wanted},
};
pub use topics::{TopicsError, verify::Unusable};
pub(crate) use transactor::{Broken, OutRecord, Transactor};
