//! The C interface of librdkafka where the safe one cannot serve: batch reads, queues of one's own, commit results,
//! commit metadata and header names as bytes, a partitioner that sees the forward, admin requests with the broker's
//! own words.
//!
//! The only place of this crate with `unsafe`. What leaves here is safe to use in any order: handles destroy
//! themselves, keep the client alive, and borrow what they point into.

pub(super) mod admin;
pub(super) mod authorized;
mod code;
pub(super) mod configs;
mod groups;
mod messages;
pub(super) mod mock;
mod offsets;
pub(super) mod produce;
mod queue;
#[cfg(test)]
pub(super) mod raw_headers;
mod replies;
mod requests;
pub(super) mod topics;

#[cfg(test)]
pub(super) use code::code_for_tests;
pub(super) use code::{Code, Refusal};
pub(super) use groups::{Described, alter_offsets, describe_group, list_offsets};
pub(super) use messages::{Message, Reader, Slice};
pub(super) use offsets::{Listed, OffsetList};
pub(super) use queue::Queue;
pub(super) use replies::{Failed, Reply};
pub(super) use requests::{assign, commit, committed, delete_records, log_ends, log_offsets, seek, unassign};
