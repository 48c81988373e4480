//! Formats of bodies: whatever the bytes, a value or a reason, in memory and time that the bytes bound.
//!
//! The first byte says which format, the rest is the body; for CloudEvents in binary mode, headers come before it, a line
//! each, up to an empty line.

use futures_util::FutureExt;
use prost::Message as _;
use retrial::{
    Bytes, Call, CloudEvent, Destination, Encode, Encoded, FromRecord, Json, Key, Limited, Outcome, Protobuf,
    ProtobufFrame, StrictJson, testkit::Message,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message with something of each kind.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Tree {
    /// A number.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// A text.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub data: Vec<u8>,
    /// Numbers, packed.
    #[prost(sint64, repeated, tag = "4")]
    pub numbers: Vec<i64>,
    /// Messages within.
    #[prost(message, repeated, tag = "5")]
    pub branches: Vec<Tree>,
    /// By name.
    #[prost(btree_map = "string, int32", tag = "6")]
    pub leaves: BTreeMap<String, i32>,
}

/// Panics if a format does.
pub fn check(bytes: &[u8]) {
    let (kind, body) = bytes.split_first().map_or((0, bytes), |(kind, body)| (*kind, body));
    match kind % 4 {
        0 => json(body),
        1 => protobuf(body),
        2 => structured(body),
        _ => binary(body),
    }
}

fn read<T: FromRecord<()>>(call: &Call) -> Option<T> {
    match T::from_record(call, &()).now_or_never().expect("ready at once") {
        Ok(value) => Some(value),
        Err(rejection) => {
            // Never a retry, and never without words.
            match rejection.outcome() {
                Outcome::Dead(_, reason) => assert!(!reason.message().is_empty() && reason.message().len() <= 1024),
                other => panic!("{other:?}"),
            }
            None
        }
    }
}

fn write<E: Encode>(value: &E) -> Encoded {
    let written = value.encode(Destination::body("t"), &()).now_or_never().expect("ready at once");
    written.unwrap_or_else(|error| panic!("{error}"))
}

fn first(body: &[u8]) -> Call {
    Message::new(body.to_vec()).key(body.to_vec()).first_attempt("t")
}

fn json(body: &[u8]) {
    let call = first(body);
    let (loose, strict) = (read::<Json<Tree>>(&call), read::<StrictJson<Tree>>(&call));
    if let Some(strict) = strict {
        assert_eq!(Some(&strict.0), loose.as_ref().map(|loose| &loose.0));
    }
    if let Some(tree) = loose {
        let again = Message::from(write(&tree)).first_attempt("t");
        assert_eq!(read::<StrictJson<Tree>>(&again).map(|tree| tree.0), Some(tree.0));
    }
    let value = read::<Json<serde_json::Value>>(&call);
    assert!(read::<Limited<Json<serde_json::Value>, 64>>(&call).is_some() == (value.is_some() && body.len() <= 64));
}

fn protobuf(body: &[u8]) {
    let call = first(body);
    let read_body = read::<Protobuf<Tree>>(&call).map(|tree| tree.0);
    assert_eq!(read::<Key<Protobuf<Tree>>>(&call).map(|key| key.0.0), read_body);
    if let Some(tree) = read_body {
        let again = Message::from(write(&Protobuf(tree.clone()))).first_attempt("t");
        assert_eq!(read::<Protobuf<Tree>>(&again).map(|tree| tree.0), Some(tree));
    }
    if let Ok((Some(frame), message)) = ProtobufFrame::split(body) {
        assert!(frame.indexes.len() <= body.len() && message.len() + 6 <= body.len());
        let written = frame.encode(&Tree::default()).bytes.expect("bytes");
        assert_eq!(ProtobufFrame::split(&written), Ok((Some(frame), &*Tree::default().encode_to_vec())));
    }
}

fn structured(body: &[u8]) {
    let message = Message::new(body.to_vec()).header("content-type", "application/cloudevents+json");
    let call = message.first_attempt("t");
    let _ = read::<CloudEvent<Json<Tree>>>(&call);
    event(&call);
}

fn binary(body: &[u8]) {
    let mut lines = body.split(|byte| *byte == b'\n');
    let mut message = Message::tombstone();
    let mut left = body.len();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        left -= line.len() + usize::from(left > line.len());
        let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
        let (name, value) = line.split_at(at);
        message = message.header(name.to_vec(), value.get(1..).unwrap_or_default().to_vec());
    }
    event(&message.first_attempt("t"));
    let mut message = Message::new(body[body.len() - left..].to_vec());
    for name in ["ce_id", "ce_source", "ce_type"] {
        message = message.header(name, body.get(..8).unwrap_or(b"x").to_vec());
    }
    event(&message.header("ce_specversion", "1.0").first_attempt("t"));
}

/// An event that was read is written in both modes, and read as the same.
fn event(call: &Call) {
    let Some(Some(event)) = read::<Option<CloudEvent<Option<Bytes>>>>(call) else { return };
    let again = read::<CloudEvent<Option<Bytes>>>(&Message::from(write(&event)).first_attempt("t"));
    assert_eq!(again.as_ref(), Some(&event), "in binary mode");
    let document = event.to_structured(Destination::body("t"), &()).now_or_never().expect("ready at once");
    // Data that is said to be JSON need not be.
    let Ok(document) = document else { return };
    let again = read::<CloudEvent<Option<Bytes>>>(&Message::from(document).first_attempt("t")).expect("an event");
    assert_eq!((&again.id, &again.extensions), (&event.id, &event.extensions));
}
