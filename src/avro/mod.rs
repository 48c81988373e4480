//! Avro: schemas, and values from bytes and back.
//!
//! Model: a [`Schema`] is parsed once; the schema that wrote a value and the one that reads it make a [`Plan`], once
//! for each pair; a plan turns bytes into any `Deserialize` type without a value in between.
//!
//! Schemas are parsed and values written by apache-avro 0.22 (Apache-2.0, the project's own). Its readers are not used,
//! because bytes of strangers would harm: they read the missing end of a cut record as null or as an empty union, have
//! no limit on nesting (a stack overflow ends the process), take a collection's count for its size, know no aliases of
//! fields, and the one that reads without intermediate values panics when reader and writer differ. serde_avro_fast
//! 2.1 is under the MPL, which the list of licences does not have. Where apache-avro is right, a test of properties compares.

mod cursor;
mod decode;
mod default;
mod encode;
mod error;
mod names;
mod plan;
mod schema;

pub(crate) use self::{
    decode::from_bytes,
    encode::to_bytes,
    error::AvroError,
    plan::Plan,
    schema::{Schema, SchemaError},
};
#[cfg(test)]
mod tests;
