//! What holds other values: arrays, maps, records.

use crate::avro::{
    AvroError, Plan,
    cursor::Cursor,
    decode::{Reader, named, skip, text},
    plan::{At, Default, Field, Record},
};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// The items of an array or the entries of a map, which come in blocks.
struct Blocks {
    /// Items of the block that are not read yet.
    open: u64,
    is_over: bool,
    /// Items read.
    read: usize,
}

impl Blocks {
    const fn new() -> Self {
        Self { open: 0, is_over: false, read: 0 }
    }

    /// Whether there is another item.
    fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, AvroError> {
        if self.open == 0 && !self.is_over {
            self.open = cursor.block()?.0;
            self.is_over = self.open == 0;
        }
        if self.is_over {
            return Ok(false);
        }
        cursor.item()?;
        self.open -= 1;
        self.read += 1;
        Ok(true)
    }

    /// What the block says of itself, and no more than the bytes can hold.
    fn hint(&self, cursor: &Cursor<'_>) -> Option<usize> {
        Some(usize::try_from(self.open).unwrap_or(usize::MAX).min(cursor.left()))
    }
}

pub(super) struct Items<'c, 'de> {
    plan: &'de Plan,
    at: At,
    cursor: &'c mut Cursor<'de>,
    blocks: Blocks,
}

impl<'c, 'de> Items<'c, 'de> {
    pub(super) fn read<V: Visitor<'de>>(
        plan: &'de Plan,
        at: At,
        cursor: &'c mut Cursor<'de>,
        visitor: V,
    ) -> Result<V::Value, AvroError> {
        let mut items = Items { plan, at, cursor, blocks: Blocks::new() };
        let value = visitor.visit_seq(&mut items)?;
        match items.blocks.next(items.cursor)? {
            false => Ok(value),
            true => Err(AvroError::new("an array with more items than are read")),
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = AvroError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, AvroError> {
        if !self.blocks.next(self.cursor)? {
            return Ok(None);
        }
        let item = Reader { plan: self.plan, at: self.at, branch: None, cursor: self.cursor };
        seed.deserialize(item).map(Some).map_err(|error| error.in_item(self.blocks.read - 1))
    }

    fn size_hint(&self) -> Option<usize> {
        self.blocks.hint(self.cursor)
    }
}

pub(super) struct Entries<'c, 'de> {
    plan: &'de Plan,
    at: At,
    cursor: &'c mut Cursor<'de>,
    blocks: Blocks,
    key: &'de str,
}

impl<'c, 'de> Entries<'c, 'de> {
    pub(super) fn read<V: Visitor<'de>>(
        plan: &'de Plan,
        at: At,
        cursor: &'c mut Cursor<'de>,
        visitor: V,
    ) -> Result<V::Value, AvroError> {
        let mut entries = Entries { plan, at, cursor, blocks: Blocks::new(), key: "" };
        let value = visitor.visit_map(&mut entries)?;
        match entries.blocks.next(entries.cursor)? {
            false => Ok(value),
            true => Err(AvroError::new("a map with more entries than are read")),
        }
    }
}

impl<'de> MapAccess<'de> for &mut Entries<'_, 'de> {
    type Error = AvroError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, AvroError> {
        if !self.blocks.next(self.cursor)? {
            return Ok(None);
        }
        self.key = text(self.cursor.counted()?)?;
        seed.deserialize(named(self.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, AvroError> {
        let value = Reader { plan: self.plan, at: self.at, branch: None, cursor: self.cursor };
        seed.deserialize(value).map_err(|error| error.in_field(self.key))
    }

    fn size_hint(&self) -> Option<usize> {
        self.blocks.hint(self.cursor)
    }
}

pub(super) struct Fields<'c, 'de> {
    plan: &'de Plan,
    /// The writer's that are not read yet.
    fields: std::slice::Iter<'de, Field>,
    defaults: std::slice::Iter<'de, Default>,
    next: Option<(&'de str, At, Option<&'de [u8]>)>,
    cursor: &'c mut Cursor<'de>,
}

impl<'c, 'de> Fields<'c, 'de> {
    pub(super) fn read<V: Visitor<'de>>(
        plan: &'de Plan,
        record: &'de Record,
        cursor: &'c mut Cursor<'de>,
        visitor: V,
    ) -> Result<V::Value, AvroError> {
        let (fields, defaults) = (record.fields.iter(), record.defaults.iter());
        let mut fields = Fields { plan, fields, defaults, next: None, cursor };
        let value = visitor.visit_map(&mut fields)?;
        // A visitor may have had enough; its fields' bytes are there all the same.
        for field in fields.fields {
            skip::skip(plan, field.node, fields.cursor).map_err(|error| within(error, field))?;
        }
        Ok(value)
    }
}

fn within(error: AvroError, field: &Field) -> AvroError {
    match &field.name {
        Some(name) => error.in_field(name),
        None => error,
    }
}

impl<'de> MapAccess<'de> for &mut Fields<'_, 'de> {
    type Error = AvroError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, AvroError> {
        for field in self.fields.by_ref() {
            let Some(name) = &field.name else {
                skip::skip(self.plan, field.node, self.cursor)?;
                continue;
            };
            self.next = Some((name, field.node, None));
            return seed.deserialize(named(name)).map(Some);
        }
        let Some(default) = self.defaults.next() else { return Ok(None) };
        self.next = Some((&default.name, default.node, Some(&default.bytes)));
        seed.deserialize(named(&default.name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, AvroError> {
        let (name, at, default) =
            self.next.take().ok_or_else(|| AvroError::new("a value was asked for before its key"))?;
        // The bytes of a default stand in for those of the record.
        let rest = default.map(|bytes| self.cursor.lend(bytes));
        let reader = Reader { plan: self.plan, at, branch: None, cursor: &mut *self.cursor };
        let value = seed.deserialize(reader).map_err(|error| error.in_field(name))?;
        if let Some(rest) = rest {
            self.cursor.go_on(rest);
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len() + self.defaults.len())
    }
}
