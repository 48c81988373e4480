//! From bytes to a value, by a plan.

mod access;
mod skip;
mod variant;

use self::{
    access::{Entries, Fields, Items},
    variant::{Content, Symbol},
};
use crate::avro::{
    AvroError, Plan,
    cursor::Cursor,
    plan::{At, Branch, Form, Node, Wire},
};
use serde::{
    Deserialize,
    de::{Deserializer, Unexpected, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

/// A value that may borrow from its bytes and from the plan.
///
/// # Errors
/// If the bytes are not exactly one value of the schema that wrote them, or the value is not a `T`.
pub(crate) fn from_bytes<'de, T: Deserialize<'de>>(plan: &'de Plan, bytes: &'de [u8]) -> Result<T, AvroError> {
    let mut cursor = Cursor::new(bytes);
    let value = T::deserialize(Reader { plan, at: plan.root(), branch: None, cursor: &mut cursor })?;
    match cursor.left() {
        0 => Ok(value),
        left => Err(AvroError::new(format!("{left} bytes behind the value"))),
    }
}

/// Reads one node.
struct Reader<'c, 'de> {
    plan: &'de Plan,
    at: At,
    /// The reader's name of the branch that this is, if a union was read to get here.
    branch: Option<&'de str>,
    cursor: &'c mut Cursor<'de>,
}

impl<'c, 'de> Reader<'c, 'de> {
    fn node(&self) -> &'de Node {
        self.plan.node(self.at)
    }

    /// The branch that was written, if this is a union; else this.
    fn into_branch(self) -> Result<Self, AvroError> {
        let branch: &'de Branch = match self.node() {
            Node::Union(branches) => &branches[self.cursor.index(branches.len(), "branch")?],
            Node::Chosen(branch) => branch,
            _ => return Ok(self),
        };
        // A union holds no union, but a chosen branch may be one of the writer's.
        let name = branch.name.as_deref().or(self.branch);
        Self { plan: self.plan, at: branch.node, branch: name, cursor: self.cursor }.into_branch()
    }

    fn number<V: Visitor<'de>>(self, wire: Wire, shown: Wire, visitor: V) -> Result<V::Value, AvroError> {
        let whole = match wire {
            Wire::Int => i64::from(self.cursor.int()?),
            Wire::Long => self.cursor.long()?,
            Wire::Float => {
                let float = f32::from_le_bytes(self.cursor.array()?);
                return if shown == Wire::Float { visitor.visit_f32(float) } else { visitor.visit_f64(float.into()) };
            }
            Wire::Double => return visitor.visit_f64(f64::from_le_bytes(self.cursor.array()?)),
        };
        match shown {
            Wire::Int => visitor.visit_i32(whole as i32),
            Wire::Long => visitor.visit_i64(whole),
            Wire::Float => visitor.visit_f32(whole as f32),
            Wire::Double => visitor.visit_f64(whole as f64),
        }
    }

    /// Bytes and texts, as what they are for the reader.
    fn bytes(&mut self) -> Result<Option<(&'de [u8], Form)>, AvroError> {
        match self.node() {
            Node::Counted(form) => Ok(Some((self.cursor.counted()?, *form))),
            Node::Fixed(size, form) => Ok(Some((self.cursor.take(*size)?, *form))),
            _ => Ok(None),
        }
    }

    fn symbol(&mut self, symbols: &'de [Option<Box<str>>]) -> Result<&'de str, AvroError> {
        let index = self.cursor.index(symbols.len(), "symbol")?;
        symbols[index].as_deref().ok_or_else(|| AvroError::new("a symbol that the reader's enum does not have"))
    }
}

fn text(bytes: &[u8]) -> Result<&str, AvroError> {
    std::str::from_utf8(bytes).map_err(|error| AvroError::new(format!("a text that is no UTF-8: {error}")))
}

/// Most bytes of a decimal that are shown as text: 38 digits. Longer ones are read as bytes.
const DECIMAL_BYTES: usize = 16;

fn decimal(bytes: &[u8], scale: usize) -> Result<String, AvroError> {
    if bytes.len() > DECIMAL_BYTES || scale > 64 {
        return Err(AvroError::new(format!("a decimal of {} bytes is read as bytes only", bytes.len())));
    }
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let mut whole = if is_negative { [0xff; DECIMAL_BYTES] } else { [0; DECIMAL_BYTES] };
    whole[DECIMAL_BYTES - bytes.len()..].copy_from_slice(bytes);
    let whole = i128::from_be_bytes(whole);
    let mut digits = format!("{:0width$}", whole.unsigned_abs(), width = scale + 1);
    if scale > 0 {
        digits.insert(digits.len() - scale, '.');
    }
    if whole < 0 {
        digits.insert(0, '-');
    }
    Ok(digits)
}

fn uuid(bytes: &[u8]) -> Result<String, AvroError> {
    let uuid = apache_avro::Uuid::from_slice(bytes);
    uuid.map(|uuid| uuid.to_string()).map_err(|_| AvroError::new(format!("a UUID of {} bytes", bytes.len())))
}

fn visit_bytes<'de, V: Visitor<'de>>(bytes: &'de [u8], form: Form, visitor: V) -> Result<V::Value, AvroError> {
    match form {
        Form::Bytes => visitor.visit_borrowed_bytes(bytes),
        Form::Text => visitor.visit_borrowed_str(text(bytes)?),
        Form::Decimal(scale) => visitor.visit_string(decimal(bytes, scale)?),
        Form::Uuid => visitor.visit_string(uuid(bytes)?),
    }
}

impl<'de> Deserializer<'de> for Reader<'_, 'de> {
    type Error = AvroError;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, AvroError> {
        match self.node() {
            Node::Null => visitor.visit_unit(),
            Node::Boolean => visitor.visit_bool(self.cursor.boolean()?),
            Node::Number(wire, shown) => self.number(*wire, *shown, visitor),
            Node::Counted(form) => visit_bytes(self.cursor.counted()?, *form, visitor),
            Node::Fixed(size, form) => visit_bytes(self.cursor.take(*size)?, *form, visitor),
            Node::Enum(symbols) => visitor.visit_borrowed_str(self.symbol(symbols)?),
            Node::Array(items) => {
                self.cursor.enter()?;
                let value = Items::read(self.plan, *items, self.cursor, visitor)?;
                self.cursor.leave();
                Ok(value)
            }
            Node::Map(values) => {
                self.cursor.enter()?;
                let value = Entries::read(self.plan, *values, self.cursor, visitor)?;
                self.cursor.leave();
                Ok(value)
            }
            Node::Record(record) => {
                self.cursor.enter()?;
                let value = Fields::read(self.plan, record, self.cursor, visitor)?;
                self.cursor.leave();
                Ok(value)
            }
            Node::Union(_) | Node::Chosen(_) => self.into_branch()?.deserialize_any(visitor),
            Node::Unreadable(why) => Err(AvroError::new(&**why)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, AvroError> {
        let inner = self.into_branch()?;
        match inner.node() {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(inner),
        }
    }

    /// As they were written, whatever they mean: a decimal's digits, the 16 bytes of a UUID.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, AvroError> {
        let mut inner = self.into_branch()?;
        match inner.bytes()? {
            Some((bytes, _)) => visitor.visit_borrowed_bytes(bytes),
            None => inner.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, AvroError> {
        self.deserialize_bytes(visitor)
    }

    /// Bytes are a sequence, too: of a `Vec<u8>`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, AvroError> {
        let mut inner = self.into_branch()?;
        match inner.bytes()? {
            Some((bytes, Form::Text)) => Err(serde::de::Error::invalid_type(Unexpected::Str(text(bytes)?), &visitor)),
            Some((bytes, _)) => serde::de::value::SeqDeserializer::new(bytes.iter().copied()).deserialize_seq(visitor),
            None => inner.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, AvroError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, AvroError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, AvroError> {
        visitor.visit_newtype_struct(self)
    }

    /// A branch of a union by its name, with what it holds; a symbol or a text, with nothing in it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, AvroError> {
        let mut inner = self.into_branch()?;
        match inner.node() {
            Node::Enum(symbols) => visitor.visit_enum(Symbol(inner.symbol(symbols)?)),
            Node::Counted(Form::Text) => visitor.visit_enum(Symbol(text(inner.cursor.counted()?)?)),
            _ => match inner.branch.take() {
                Some(name) => visitor.visit_enum(Content { name, reader: inner }),
                None => inner.deserialize_any(visitor),
            },
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, AvroError> {
        skip::skip(self.plan, self.at, self.cursor)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string unit unit_struct map struct identifier
    }
}

/// A name of the plan, as the key of a map.
fn named(name: &str) -> BorrowedStrDeserializer<'_, AvroError> {
    BorrowedStrDeserializer::new(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_shown_with_their_point() {
        let shown = |number: i128, scale| decimal(&number.to_be_bytes(), scale).unwrap();
        assert_eq!(shown(1234, 2), "12.34");
        assert_eq!(shown(-5, 2), "-0.05");
        assert_eq!(shown(0, 0), "0");
        assert_eq!(shown(i128::MIN, 0), i128::MIN.to_string());
        assert_eq!(decimal(&[0xff], 1).unwrap(), "-0.1");
        assert_eq!(decimal(&[], 1).unwrap(), "0.0");
        assert!(decimal(&[0; 17], 1).is_err());
    }
}
