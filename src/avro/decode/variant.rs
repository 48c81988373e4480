//! Enums of Rust: symbols, and branches of unions.

use crate::avro::{
    AvroError,
    decode::{Reader, named},
};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, Unexpected, VariantAccess, Visitor};

/// A variant that holds nothing.
pub(super) struct Symbol<'de>(pub(super) &'de str);

impl<'de> EnumAccess<'de> for Symbol<'de> {
    type Error = AvroError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), AvroError> {
        Ok((seed.deserialize(named(self.0))?, self))
    }
}

impl<'de> VariantAccess<'de> for Symbol<'de> {
    type Error = AvroError;

    fn unit_variant(self) -> Result<(), AvroError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, AvroError> {
        Err(Error::invalid_type(Unexpected::UnitVariant, &"a variant that holds a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, AvroError> {
        Err(Error::invalid_type(Unexpected::UnitVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, AvroError> {
        Err(Error::invalid_type(Unexpected::UnitVariant, &visitor))
    }
}

/// A branch of a union: its name, and what it holds.
pub(super) struct Content<'c, 'de> {
    pub(super) name: &'de str,
    pub(super) reader: Reader<'c, 'de>,
}

impl<'c, 'de> EnumAccess<'de> for Content<'c, 'de> {
    type Error = AvroError;
    type Variant = Reader<'c, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), AvroError> {
        Ok((seed.deserialize(named(self.name))?, self.reader))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_, 'de> {
    type Error = AvroError;

    /// Whatever it holds is not asked for.
    fn unit_variant(self) -> Result<(), AvroError> {
        self.deserialize_ignored_any(IgnoredAny).map(drop)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, AvroError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, AvroError> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, AvroError> {
        self.deserialize_any(visitor)
    }
}
