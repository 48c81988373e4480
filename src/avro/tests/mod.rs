//! Plans and the decoder: what the specification says of resolution, hostile bytes, and apache-avro as a judge.

mod hostile;
mod judged;
mod resolution;

use crate::avro::{AvroError, Plan, Schema, from_bytes};
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

pub(super) fn schema(text: &str) -> Schema {
    Schema::parse(text, &[] as &[&str]).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What `writer` wrote, read by `reader`.
pub(super) fn read<T: DeserializeOwned>(writer: &str, reader: &str, bytes: &[u8]) -> Result<T, AvroError> {
    from_bytes(&Plan::new(&schema(writer), &schema(reader)), bytes)
}

/// Any value, in a form that two decoders can be compared by.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Nothing,
    Bool(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Named(BTreeMap<String, Tree>),
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Whole(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Real(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Tree, E> {
        Ok(Tree::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut named = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry()? {
            named.insert(name, value);
        }
        Ok(Tree::Named(named))
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyTree)
    }
}
