//! Past a value that nobody asks for. It is checked like any other as far as its length goes.

use crate::avro::{
    AvroError, Plan,
    cursor::Cursor,
    plan::{At, Node, Wire},
};

pub(super) fn skip(plan: &Plan, at: At, cursor: &mut Cursor<'_>) -> Result<(), AvroError> {
    match plan.node(at) {
        Node::Null => Ok(()),
        Node::Boolean => cursor.boolean().map(drop),
        Node::Number(Wire::Int | Wire::Long, _) => cursor.long().map(drop),
        Node::Number(Wire::Float, _) => cursor.take(4).map(drop),
        Node::Number(Wire::Double, _) => cursor.take(8).map(drop),
        Node::Counted(_) => cursor.counted().map(drop),
        Node::Fixed(size, _) => cursor.take(*size).map(drop),
        Node::Enum(symbols) => cursor.index(symbols.len(), "symbol").map(drop),
        Node::Array(items) => deeper(cursor, |cursor| blocks(plan, *items, cursor, false)),
        Node::Map(values) => deeper(cursor, |cursor| blocks(plan, *values, cursor, true)),
        Node::Union(branches) => {
            let branch = &branches[cursor.index(branches.len(), "branch")?];
            deeper(cursor, |cursor| skip(plan, branch.node, cursor))
        }
        Node::Chosen(branch) => skip(plan, branch.node, cursor),
        Node::Record(record) => {
            deeper(cursor, |cursor| record.fields.iter().try_for_each(|field| skip(plan, field.node, cursor)))
        }
        Node::Unreadable(why) => Err(AvroError::new(&**why)),
    }
}

fn deeper<'de>(
    cursor: &mut Cursor<'de>,
    inside: impl FnOnce(&mut Cursor<'de>) -> Result<(), AvroError>,
) -> Result<(), AvroError> {
    cursor.enter()?;
    inside(cursor)?;
    cursor.leave();
    Ok(())
}

/// A block that says how long it is is passed over at once.
fn blocks(plan: &Plan, at: At, cursor: &mut Cursor<'_>, has_keys: bool) -> Result<(), AvroError> {
    loop {
        match cursor.block()? {
            (0, _) => return Ok(()),
            (_, Some(size)) => drop(cursor.take(size)?),
            (count, None) => {
                for _ in 0..count {
                    cursor.item()?;
                    if has_keys {
                        cursor.counted()?;
                    }
                    skip(plan, at, cursor)?;
                }
            }
        }
    }
}
