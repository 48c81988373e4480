//! Named types of a schema, found by their full names.

use crate::avro::Schema;
use apache_avro::Schema as Parsed;
use std::collections::HashMap;

/// Part of a schema, and the namespace in which names without one are meant there.
#[derive(Clone, Debug)]
pub(super) struct Part<'s> {
    pub(super) schema: &'s Parsed,
    pub(super) namespace: Option<String>,
}

pub(super) struct Names<'s>(HashMap<String, Part<'s>>);

impl<'s> Names<'s> {
    pub(super) fn of(schema: &'s Schema) -> Self {
        let mut names = Self(HashMap::new());
        for one in schema.others().iter().chain([schema.root()]) {
            names.add(&Part { schema: one, namespace: None });
        }
        names
    }

    fn add(&mut self, part: &Part<'s>) {
        match part.schema {
            Parsed::Array(array) => self.add(&part.inner(&array.items)),
            Parsed::Map(map) => self.add(&part.inner(&map.types)),
            Parsed::Union(union) => union.variants().iter().for_each(|branch| self.add(&part.inner(branch))),
            Parsed::Record(record) => {
                self.0.insert(record.name.fullname(part.namespace.as_deref()), part.clone());
                let inside = part.inside();
                record.fields.iter().for_each(|field| self.add(&inside.inner(&field.schema)));
            }
            Parsed::Ref { .. } => {}
            schema => {
                if let Some(name) = schema.name() {
                    self.0.insert(name.fullname(part.namespace.as_deref()), part.clone());
                }
            }
        }
    }

    /// The part itself, or what it stands for. `None` for a name that nothing has.
    pub(super) fn find(&self, part: &Part<'s>) -> Option<Part<'s>> {
        match part.schema {
            Parsed::Ref { name } => self.0.get(&name.fullname(part.namespace.as_deref())).cloned(),
            _ => Some(part.clone()),
        }
    }
}

impl<'s> Part<'s> {
    /// A part of this one in the same namespace.
    pub(super) fn inner(&self, schema: &'s Parsed) -> Self {
        Part { schema, namespace: self.namespace.clone() }
    }

    /// The same part, in the namespace that what is inside it has.
    pub(super) fn inside(&self) -> Self {
        let namespace = match (self.full_name(), &self.namespace) {
            (Some(name), _) => name.rsplit_once('.').map(|(namespace, _)| namespace.to_owned()),
            (None, namespace) => namespace.clone(),
        };
        Part { schema: self.schema, namespace }
    }

    pub(super) fn full_name(&self) -> Option<String> {
        self.schema.name().map(|name| name.fullname(self.namespace.as_deref()))
    }

    /// The full names that it had before.
    pub(super) fn aliases(&self) -> Vec<String> {
        let aliases = match self.schema {
            Parsed::Record(record) => &record.aliases,
            Parsed::Enum(symbols) => &symbols.aliases,
            Parsed::Fixed(fixed) => &fixed.aliases,
            _ => &None,
        };
        let namespace = self.inside().namespace;
        aliases.iter().flatten().map(|alias| alias.fullname(namespace.as_deref())).collect()
    }
}
