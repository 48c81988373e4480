//! What a forward looks like in Kafka: key, body and headers.
//!
//! A whole one has the record's key and body and the headers of its user, byte for byte, and its history as a block
//! behind them ([`retrial_core::history`] tells whose header is whose). A record that is too large for its topic is written by reference: where it is, so that it can be fetched
//! while it is still there, and how it begins.
//!
//! The body of a reference is text up to the first empty line, then the first KiB of the record's body:
//! ```text
//! retrial reference 1
//! record: orders/3/184467
//! kept-until: 2026-12-01T00:00:00.000Z
//! key-bytes: 12
//! body-bytes: 10485760
//! body-fnv1a64: 85944171f73967e8
//! head-bytes: 1024
//! ```
//! `kept-until` is a time, `unlimited` or `unknown`; a null key or body has `null` for its bytes. Key and headers
//! that are large themselves ([`SMALL_BYTES`]) are left out: a reference must fit where the record did not.

use super::fingerprint::fnv1a;
use crate::record::Record;
use retrial_core::{
    event::Body,
    history::{History, OwnHeaders, carried},
    id::Origin,
    naming::GroupNames,
    time::Timestamp,
};
use std::{borrow::Cow, fmt::Write};

/// The header, last in our block, that marks a dead letter by reference; its value is `topic/partition/offset` of the
/// whole record, where it stood first.
pub(crate) const REFERENCE: &str = "retrial-reference";

/// How much of the body a reference shows, in bytes.
pub(crate) const HEAD_BYTES: usize = 1024;

/// The largest key, and the largest sum of a user's headers, that a reference still carries, in bytes.
pub(crate) const SMALL_BYTES: usize = 4096;

/// What librdkafka keeps of a record, and of each of its headers, beside their bytes (`rd_kafka_msg_t`, the list of
/// headers, `rd_kafka_header_t`, and what the allocator adds).
const RECORD_COST: usize = 640;
const HEADER_COST: usize = 64;

/// How long a record stays readable where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nobody knows.
    #[default]
    Unknown,
    /// For ever.
    Unlimited,
    /// Until about this time.
    Until(Timestamp),
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Unlimited => f.write_str("unlimited"),
            Self::Until(time) => time.fmt(f),
        }
    }
}

type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// The parts of one forward.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) body: Option<Cow<'a, [u8]>>,
    users: Vec<Header<'a>>,
    own: &'a OwnHeaders,
    /// The value of [`REFERENCE`].
    reference: Option<String>,
}

impl<'a> Letter<'a> {
    /// The letter for a record with this history, whose headers are written into `own`. `kept` is asked for only by a
    /// reference.
    pub(crate) fn new(
        record: &'a Record,
        history: &History,
        own: &'a mut OwnHeaders,
        names: &GroupNames,
        body: Body,
        kept: Kept,
    ) -> Self {
        // Own headers that cannot be read are evidence: they travel on as if they were the user's.
        let inside = names.parse(record.topic()).is_some() && History::decode(names.group(), record.headers()).is_ok();
        let mut users: Vec<Header<'a>> = carried(record.headers(), inside).collect();
        if body == Body::Reference && users.iter().copied().map(header_bytes).sum::<usize>() > SMALL_BYTES {
            users.clear();
        }
        history.encode_into(names.group(), own);
        match body {
            Body::Whole => {
                Self { key: record.key(), body: record.body().map(Cow::Borrowed), users, own, reference: None }
            }
            Body::Reference => {
                let key = record.key().filter(|key| key.len() <= SMALL_BYTES);
                let body = Some(Cow::Owned(reference(record, &history.origin, kept)));
                Self { key, body, users, own, reference: Some(history.origin.to_string()) }
            }
        }
    }

    /// Name and value of each header, in order.
    pub(crate) fn headers(&self) -> impl Iterator<Item = Header<'_>> + '_ {
        let own = self.own.iter().chain(self.reference.as_deref().map(|place| (REFERENCE, place)));
        self.users.iter().copied().chain(own.map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))))
    }

    /// How many headers it has, and the bytes of key, body and headers.
    pub(crate) fn size(&self) -> (usize, usize) {
        let beside = self.key.map_or(0, <[u8]>::len) + self.body.as_ref().map_or(0, |body| body.len());
        self.headers().fold((0, beside), |(headers, bytes), header| (headers + 1, bytes + header_bytes(header)))
    }
}

/// Bytes that a letter of this size takes in the client library until it is acknowledged. For a small record its
/// headers, each a piece of memory of its own, are most of it.
pub(crate) fn cost((headers, bytes): (usize, usize)) -> usize {
    bytes + RECORD_COST + headers * HEADER_COST
}

fn header_bytes((name, value): Header<'_>) -> usize {
    name.len() + value.map_or(0, <[u8]>::len)
}

/// The record is named where it stood first: where it was read may be a tier, which is trimmed behind the watermark.
fn reference(record: &Record, origin: &Origin, kept: Kept) -> Vec<u8> {
    let bytes = |part: Option<&[u8]>| part.map_or_else(|| "null".to_owned(), |part| part.len().to_string());
    let body = record.body().unwrap_or_default();
    let head = &body[..body.len().min(HEAD_BYTES)];
    let mut text = String::with_capacity(256);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "retrial reference 1\nrecord: {origin}\nkept-until: {kept}\nkey-bytes: {}\nbody-bytes: {}\nbody-fnv1a64: {:016x}\n\
         head-bytes: {}\n\n",
        bytes(record.key()),
        bytes(record.body()),
        fnv1a(body),
        head.len(),
    );
    let mut reference = text.into_bytes();
    reference.extend_from_slice(head);
    reference
}
