//! How a record says which schema wrote it.
//!
//! A schema registry's serializers write a zero byte and the schema's id, four bytes with the highest first, before the
//! value; newer ones write a header instead: the same five bytes, or a one and the 16 bytes of the schema's GUID.
//! (As `SchemaId` and `dual_schema_id_deserializer` of confluent-kafka-python.) Single-object encoding is the
//! specification's: C3 01 and the fingerprint, lowest byte first.

#[cfg(feature = "schema-registry")]
use crate::extract::Part;
use crate::extract::{Raw, Rejection, avro::undecodable};

/// Which schema wrote a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    /// The one that all were written with.
    Fixed,
    /// A fingerprint.
    Fingerprint([u8; 8]),
    /// The registry's number.
    #[cfg(feature = "schema-registry")]
    Id(u32),
    /// The registry's GUID.
    #[cfg(feature = "schema-registry")]
    Guid([u8; 16]),
}

const SINGLE_OBJECT: [u8; 2] = [0xc3, 0x01];

pub(super) fn single_object<'a>(raw: &Raw<'a>) -> Result<(Writer, &'a [u8]), Rejection> {
    let (fingerprint, value) =
        raw.bytes().strip_prefix(&SINGLE_OBJECT).and_then(<[u8]>::split_first_chunk).ok_or_else(|| {
            undecodable("no single-object encoding: it begins with C3 01 and eight bytes of fingerprint")
        })?;
    Ok((Writer::Fingerprint(*fingerprint), value))
}

/// What stands before a value that a schema with this fingerprint wrote.
pub(super) fn single_object_head(fingerprint: [u8; 8]) -> Vec<u8> {
    [&SINGLE_OBJECT[..], &fingerprint].concat()
}

#[cfg(feature = "schema-registry")]
pub(super) fn registry<'a>(raw: &Raw<'a>) -> Result<(Writer, &'a [u8]), Rejection> {
    let name = match raw.part() {
        Part::Key => "__key_schema_id",
        Part::Body => "__value_schema_id",
    };
    if let Some(header) = raw.headers().get(name) {
        return match named(header) {
            Some((writer, [])) => Ok((writer, raw.bytes())),
            _ => Err(undecodable(format!("the header `{name}` holds neither an id nor a GUID of a schema"))),
        };
    }
    match named(raw.bytes()) {
        Some((writer, value)) => Ok((writer, value)),
        None => Err(undecodable("no schema is named: the bytes begin with no id, and there is no header")),
    }
}

#[cfg(feature = "schema-registry")]
fn named(bytes: &[u8]) -> Option<(Writer, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => rest.split_first_chunk().map(|(id, rest)| (Writer::Id(u32::from_be_bytes(*id)), rest)),
        (1, rest) => rest.split_first_chunk().map(|(guid, rest)| (Writer::Guid(*guid), rest)),
        _ => None,
    }
}

/// What stands before a value whose schema has this id.
#[cfg(feature = "schema-registry")]
pub(super) fn registry_head(id: u32) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes()].concat()
}
