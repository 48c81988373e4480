//! Values as bytes.

use crate::avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;

/// Appends the value's bytes. Types that have a text form for people (UUIDs, addresses) are written as text, as they
/// are read.
///
/// # Errors
/// If the schema has no place for the value.
pub(crate) fn to_bytes<T: Serialize>(schema: &Schema, value: &T, out: &mut Vec<u8>) -> Result<(), apache_avro::Error> {
    let others = schema.others().iter().chain([schema.root()]).collect();
    let writer = GenericDatumWriter::builder(schema.root()).schemata(others)?.human_readable(true).build()?;
    writer.write_ser(out, value).map(drop)
}
