//! Which branch of the reader's union takes what was written.

use crate::avro::{
    names::{Names, Part},
    plan::{
        compile::{Compiler, is_counted, wire},
        promote,
    },
};
use apache_avro::Schema as Parsed;

/// The best branch: the same type by its full name or an alias; else by its last name; else one of the same kind
/// without a name; else one that it promotes to, in the union's order.
pub(super) fn choose<'s>(
    compiler: &Compiler<'s>,
    writer: &Part<'s>,
    reader: &Part<'s>,
    branches: &'s [Parsed],
) -> Option<usize> {
    let found: Vec<_> = branches.iter().map(|branch| compiler.reader.find(&reader.inner(branch))).collect();
    let first = |takes: &dyn Fn(&Part<'s>) -> bool| {
        found
            .iter()
            .position(|branch| branch.as_ref().is_some_and(|branch| is_same_kind(writer, branch) && takes(branch)))
    };
    if let Some(name) = writer.full_name() {
        let last = name.rsplit('.').next().unwrap_or_default();
        return first(&|branch| branch.full_name().as_ref() == Some(&name) || branch.aliases().contains(&name))
            .or_else(|| first(&|branch| branch.full_name().is_some_and(|other| other.rsplit('.').next() == Some(last))))
            .or_else(|| promotion(writer, &found));
    }
    first(&|branch| branch.full_name().is_none() && promote_or_part(writer, branch))
        .or_else(|| promotion(writer, &found))
}

fn promotion<'s>(writer: &Part<'s>, found: &[Option<Part<'s>>]) -> Option<usize> {
    found
        .iter()
        .position(|branch| branch.as_ref().is_some_and(|branch| promote::leaf(writer.schema, branch.schema).is_ok()))
}

/// Of the same kind and, if they have no parts, of the same meaning.
fn promote_or_part(writer: &Part<'_>, branch: &Part<'_>) -> bool {
    matches!(writer.schema, Parsed::Array(_) | Parsed::Map(_)) || promote::leaf(writer.schema, branch.schema).is_ok()
}

fn is_same_kind(one: &Part<'_>, other: &Part<'_>) -> bool {
    kind(one.schema) == kind(other.schema)
}

/// The kind of type, as the specification calls it.
pub(super) fn kind(schema: &Parsed) -> &'static str {
    match schema {
        Parsed::Null => "null",
        Parsed::Boolean => "boolean",
        Parsed::Float => "float",
        Parsed::Double => "double",
        Parsed::Array(_) => "array",
        Parsed::Map(_) => "map",
        Parsed::Union(_) => "union",
        Parsed::Record(_) => "record",
        Parsed::Enum(_) => "enum",
        Parsed::String | Parsed::Uuid(apache_avro::schema::UuidSchema::String) => "string",
        schema if is_counted(schema) => "bytes",
        schema if crate::avro::default::is_int(schema) => "int",
        schema if wire(schema).is_some() => "long",
        _ => "fixed",
    }
}

/// A branch and what it is called: the last part of its name, or the whole where two branches share the last part;
/// for a type without a name, its kind.
pub(super) fn branch<'s>(
    names: &Names<'s>,
    union: &Part<'s>,
    branches: &'s [Parsed],
    index: usize,
) -> (Box<str>, Part<'s>) {
    let find = |branch: &'s Parsed| {
        let part = union.inner(branch);
        names.find(&part).unwrap_or(part)
    };
    let chosen = find(&branches[index]);
    let last = |part: &Part<'s>| part.full_name().map(|name| name.rsplit('.').next().unwrap_or_default().to_owned());
    let name = match last(&chosen) {
        Some(short) if branches.iter().filter(|other| last(&find(other)).as_ref() == Some(&short)).count() > 1 => {
            chosen.full_name().unwrap_or(short)
        }
        Some(short) => short,
        None => kind(chosen.schema).to_owned(),
    };
    (name.into(), chosen)
}
