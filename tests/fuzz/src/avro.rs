//! Avro: whatever the bytes, a value or a reason, in memory and time that the bytes bound.
//!
//! The first byte says which form, the rest is a body. Each is read by the schema that wrote it and by a later one.

use futures_util::FutureExt;
use retrial::{Avro, AvroSchemas, AvroType, Destination, Encode, FromRecord, Outcome, testkit::Message};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::LazyLock};

/// Something of each kind, and itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Tree {
    id: i64,
    weight: f64,
    name: Option<String>,
    tags: Vec<String>,
    counts: BTreeMap<String, i32>,
    branches: Vec<Tree>,
    is_leaf: bool,
}

impl AvroType for Tree {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Tree", "fields": [
        {"name": "id", "type": "long"},
        {"name": "weight", "type": "double"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "counts", "type": {"type": "map", "values": "int"}},
        {"name": "branches", "type": {"type": "array", "items": "Tree"}},
        {"name": "is_leaf", "type": "boolean"}
    ]}"#;
}

/// The same three years later.
#[derive(Debug, Deserialize)]
struct Later {
    id: f64,
    label: Option<String>,
    branches: Vec<Later>,
    colour: String,
    nothings: Vec<()>,
}

impl AvroType for Later {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Tree", "fields": [
        {"name": "colour", "type": "string", "default": "green"},
        {"name": "id", "type": "double"},
        {"name": "label", "type": ["string", "null"], "aliases": ["name"]},
        {"name": "branches", "type": {"type": "array", "items": "Tree"}},
        {"name": "nothings", "type": {"type": "array", "items": "null"}, "default": [null, null]}
    ]}"#;
}

/// A few bytes of which could stand for a billion items.
#[derive(Debug, Deserialize)]
struct Nothings(Vec<Vec<()>>);

impl AvroType for Nothings {
    const SCHEMA: &'static str = r#"{"type": "array", "items": {"type": "array", "items": "null"}}"#;
}

const FLAT: &str = r#"{"type": "array", "items": "null"}"#;

struct Ways {
    fixed: AvroSchemas,
    nothings: AvroSchemas,
    named: AvroSchemas,
}

static WAYS: LazyLock<Ways> = LazyLock::new(|| Ways {
    fixed: AvroSchemas::fixed(Tree::SCHEMA).expect("a schema"),
    nothings: AvroSchemas::fixed(FLAT).expect("a schema"),
    named: AvroSchemas::single_object_with([Tree::SCHEMA, FLAT]).expect("schemas"),
});

/// Panics if the decoder does, or what was read is not written and read as the same.
pub fn check(bytes: &[u8]) {
    let (kind, body) = bytes.split_first().map_or((0, bytes), |(kind, body)| (*kind, body));
    match kind % 3 {
        0 => {
            let tree = read::<Tree>(body, &WAYS.fixed);
            let later = read::<Later>(body, &WAYS.fixed);
            if let Some(tree) = tree {
                let later = later.expect("what the writer's own schema reads, a later one does");
                assert!(later.nothings.len() == 2 && later.colour == "green");
                assert!((later.id - tree.id as f64).abs() < 1.0 && later.label == tree.name);
                assert_eq!(later.branches.len(), tree.branches.len());
                again(&tree);
            }
        }
        1 => {
            // Of what takes no bytes there are some thousands at most.
            if let Some(nothings) = read::<Units>(body, &WAYS.nothings) {
                assert!(nothings.0.len() <= body.len() + 4096);
            }
            assert!(read::<Nothings>(body, &WAYS.nothings).is_none_or(|rows| rows.0.is_empty()));
        }
        _ => {
            if let Some(tree) = read::<Tree>(body, &WAYS.named) {
                again(&tree);
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Units(Vec<()>);

impl AvroType for Units {
    const SCHEMA: &'static str = FLAT;
}

fn read<T: AvroType + for<'de> Deserialize<'de> + 'static>(body: &[u8], schemas: &AvroSchemas) -> Option<T> {
    let call = Message::new(body.to_vec()).first_attempt("t");
    match Avro::<T>::from_record(&call, schemas).now_or_never().expect("ready at once") {
        Ok(Avro(value)) => Some(value),
        Err(rejection) => match rejection.outcome() {
            Outcome::Dead(_, reason) => {
                assert!(!reason.message().is_empty() && reason.message().len() <= 1024);
                None
            }
            other => panic!("{other:?}"),
        },
    }
}

fn again(tree: &Tree) {
    let written = Avro(tree.clone()).encode(Destination::body("t"), &WAYS.named).now_or_never().expect("ready at once");
    let bytes = written.unwrap_or_else(|error| panic!("{error}")).bytes.expect("bytes");
    let read = read::<Tree>(&bytes, &WAYS.named).expect("what was written");
    assert!(read == *tree || format!("{read:?}") == format!("{tree:?}"), "{read:?} is not {tree:?}");
}
