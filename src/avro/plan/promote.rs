//! Types without parts, read as one another.

use crate::avro::{
    default::fixed_size,
    plan::{
        Node, Wire,
        compile::{form, is_counted, wire},
    },
};
use apache_avro::Schema as Parsed;
use std::mem::discriminant;

/// The node that reads `writer` as `reader`; else why not, where there is more to say than that they differ.
pub(super) fn leaf(writer: &Parsed, reader: &Parsed) -> Result<Node, Option<String>> {
    if let (Some(wrote), Some(reads)) = (wire(writer), wire(reader)) {
        units(writer, reader)?;
        return promotes(wrote, reads).then_some(Node::Number(wrote, reads)).ok_or(None);
    }
    match (writer, reader) {
        (Parsed::Null, Parsed::Null) => Ok(Node::Null),
        (Parsed::Boolean, Parsed::Boolean) => Ok(Node::Boolean),
        _ if is_counted(writer) && is_counted(reader) => {
            scales(writer, reader)?;
            Ok(Node::Counted(form(reader)))
        }
        _ => match (fixed_size(writer), fixed_size(reader)) {
            (Some(wrote), Some(reads)) if wrote == reads => {
                scales(writer, reader)?;
                Ok(Node::Fixed(wrote, form(reader)))
            }
            (Some(wrote), Some(reads)) => Err(Some(format!("{wrote} fixed bytes were written, and {reads} are read"))),
            _ => Err(None),
        },
    }
}

fn promotes(wrote: Wire, reads: Wire) -> bool {
    wrote == reads
        || matches!(
            (wrote, reads),
            (Wire::Int, _) | (Wire::Long, Wire::Float | Wire::Double) | (Wire::Float, Wire::Double)
        )
}

/// Timestamps of another unit are the same number and another time. Other readers take them as they are; a record that
/// is a thousand times as late is worse than one that is refused.
fn units(writer: &Parsed, reader: &Parsed) -> Result<(), Option<String>> {
    let plain = |schema: &Parsed| matches!(schema, Parsed::Int | Parsed::Long | Parsed::Float | Parsed::Double);
    if plain(writer) || plain(reader) || discriminant(writer) == discriminant(reader) {
        return Ok(());
    }
    Err(Some(format!("{writer:?} was written, and {reader:?} is read")))
}

/// The same for decimals of another scale.
fn scales(writer: &Parsed, reader: &Parsed) -> Result<(), Option<String>> {
    match (writer, reader) {
        (Parsed::Decimal(wrote), Parsed::Decimal(reads)) if wrote.scale != reads.scale => Err(Some(format!(
            "a decimal with {} digits behind the point was written, and one with {} is read",
            wrote.scale, reads.scale
        ))),
        _ => Ok(()),
    }
}
