//! What a field is where its writer had none: the default of the schema, as bytes that are read like a writer's.

use crate::avro::{
    AvroError,
    names::{Names, Part},
};
use apache_avro::{
    Schema as Parsed,
    schema::{InnerDecimalSchema, UuidSchema},
};
use serde_json::Value;

/// Largest default, in bytes: a schema of strangers whose defaults hold one another could grow without end.
const MAX_BYTES: usize = 64 * 1024;

const MAX_DEPTH: u32 = 32;

pub(super) struct Writer<'n, 's> {
    pub(super) names: &'n Names<'s>,
    pub(super) bytes: Vec<u8>,
    pub(super) depth: u32,
}

impl<'s> Writer<'_, 's> {
    pub(super) fn write(&mut self, part: &Part<'s>, value: &Value) -> Result<(), AvroError> {
        if self.depth == MAX_DEPTH || self.bytes.len() > MAX_BYTES {
            return Err(AvroError::new("the default is too large"));
        }
        self.depth += 1;
        let part = self.names.find(part).ok_or_else(|| AvroError::new("a type that is nowhere defined"))?;
        let written = self.write_found(&part, value);
        self.depth -= 1;
        written
    }

    fn write_found(&mut self, part: &Part<'s>, value: &Value) -> Result<(), AvroError> {
        match (part.schema, value) {
            (Parsed::Null, Value::Null) => {}
            (Parsed::Boolean, Value::Bool(value)) => self.bytes.push((*value).into()),
            (Parsed::Float, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or_default() as f32;
                self.bytes.extend(number.to_le_bytes());
            }
            (Parsed::Double, Value::Number(number)) => {
                self.bytes.extend(number.as_f64().unwrap_or_default().to_le_bytes());
            }
            (schema, Value::Number(number)) if is_integer(schema) => {
                self.long(number.as_i64().ok_or_else(|| unfit(value))?);
            }
            (Parsed::String | Parsed::Uuid(UuidSchema::String), Value::String(text)) => self.counted(text.as_bytes()),
            (Parsed::Enum(of), Value::String(symbol)) => {
                let index = of.symbols.iter().position(|known| known == symbol).ok_or_else(|| unfit(value))?;
                self.long(index as i64);
            }
            (schema, Value::String(text)) => self.latin(schema, text)?,
            (Parsed::Array(array), Value::Array(items)) => {
                self.block(items.len());
                items.iter().try_for_each(|item| self.write(&part.inner(&array.items), item))?;
                self.end(items.len());
            }
            (Parsed::Map(map), Value::Object(entries)) => {
                self.block(entries.len());
                for (key, value) in entries {
                    self.counted(key.as_bytes());
                    self.write(&part.inner(&map.types), value)?;
                }
                self.end(entries.len());
            }
            (Parsed::Record(record), Value::Object(given)) => {
                let inside = part.inside();
                for field in &record.fields {
                    let value = given.get(&field.name).or(field.default.as_ref()).ok_or_else(|| unfit(value))?;
                    self.write(&inside.inner(&field.schema), value).map_err(|error| error.in_field(&field.name))?;
                }
            }
            (Parsed::Union(union), value) => self.branch(part, union.variants(), value)?,
            _ => return Err(unfit(value)),
        }
        Ok(())
    }

    /// The first branch that the value fits: older schemas mean the first one, and any since version 1.12.
    fn branch(&mut self, part: &Part<'s>, branches: &'s [Parsed], value: &Value) -> Result<(), AvroError> {
        let (begin, depth) = (self.bytes.len(), self.depth);
        for (index, branch) in branches.iter().enumerate() {
            self.long(index as i64);
            if self.write(&part.inner(branch), value).is_ok() {
                return Ok(());
            }
            self.bytes.truncate(begin);
            self.depth = depth;
        }
        Err(unfit(value))
    }

    /// Bytes stand in schemas as text, a character for each.
    fn latin(&mut self, schema: &Parsed, text: &str) -> Result<(), AvroError> {
        let bytes: Option<Vec<u8>> = text.chars().map(|character| u8::try_from(character).ok()).collect();
        let bytes = bytes.ok_or_else(|| AvroError::new("a default of bytes has a character above U+00FF"))?;
        match (schema, fixed_size(schema)) {
            (_, Some(size)) if size == bytes.len() => self.bytes.extend(bytes),
            (Parsed::Bytes | Parsed::BigDecimal | Parsed::Decimal(_) | Parsed::Uuid(_), None) => self.counted(&bytes),
            _ => return Err(AvroError::new("the default does not fit the type")),
        }
        Ok(())
    }

    fn long(&mut self, value: i64) {
        let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
        while zigzag >= 0x80 {
            self.bytes.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        self.bytes.push(zigzag as u8);
    }

    fn counted(&mut self, bytes: &[u8]) {
        self.long(bytes.len() as i64);
        self.bytes.extend(bytes);
    }

    fn block(&mut self, count: usize) {
        if count > 0 {
            self.long(count as i64);
        }
    }

    fn end(&mut self, _count: usize) {
        self.long(0);
    }
}

fn unfit(value: &Value) -> AvroError {
    let mut text = value.to_string();
    text.truncate(text.char_indices().nth(64).map_or(text.len(), |(at, _)| at));
    AvroError::new(format!("the default {text} does not fit the type"))
}

pub(super) fn is_integer(schema: &Parsed) -> bool {
    is_int(schema) || is_long(schema)
}

pub(super) fn is_int(schema: &Parsed) -> bool {
    matches!(schema, Parsed::Int | Parsed::Date | Parsed::TimeMillis)
}

pub(super) fn is_long(schema: &Parsed) -> bool {
    matches!(
        schema,
        Parsed::Long
            | Parsed::TimeMicros
            | Parsed::TimestampMillis
            | Parsed::TimestampMicros
            | Parsed::TimestampNanos
            | Parsed::LocalTimestampMillis
            | Parsed::LocalTimestampMicros
            | Parsed::LocalTimestampNanos
    )
}

/// How many bytes a fixed type has; `None` for other types.
pub(super) fn fixed_size(schema: &Parsed) -> Option<usize> {
    match schema {
        Parsed::Fixed(fixed) | Parsed::Duration(fixed) | Parsed::Uuid(UuidSchema::Fixed(fixed)) => Some(fixed.size),
        Parsed::Decimal(decimal) => match &decimal.inner {
            InnerDecimalSchema::Fixed(fixed) => Some(fixed.size),
            InnerDecimalSchema::Bytes => None,
        },
        _ => None,
    }
}
