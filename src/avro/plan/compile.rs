//! From two schemas to a plan.

use crate::avro::{
    Plan, Schema,
    default::{Writer as DefaultWriter, fixed_size},
    names::{Names, Part},
    plan::{At, Branch, Default, Field, Form, Node, Record, Wire, promote, union},
};
use apache_avro::{
    Schema as Parsed,
    schema::{EnumSchema, RecordField, RecordSchema, UuidSchema},
};
use std::collections::HashMap;

/// Nodes that a plan may have. Schemas are kilobytes; one of strangers could grow without end.
const MAX_NODES: usize = 100_000;

/// A record that is being read as another, or as itself.
type Pair = (String, String);

pub(super) struct Compiler<'s> {
    pub(super) writer: &'s Names<'s>,
    pub(super) reader: &'s Names<'s>,
    nodes: Vec<Node>,
    /// Records met before, also those that are not finished yet. What is of the reader on both sides (its defaults)
    /// or of the writer (what is skipped) has an empty name on the other.
    records: HashMap<Pair, At>,
}

pub(super) fn plan<'s>(writer: &'s Schema, writers: &'s Names<'s>, reader: &'s Schema, readers: &'s Names<'s>) -> Plan {
    let mut compiler = Compiler { writer: writers, reader: readers, nodes: Vec::new(), records: HashMap::new() };
    let part = |schema: &'s Schema| Part { schema: schema.root(), namespace: None };
    let root = compiler.pair(&part(writer), &part(reader));
    Plan { nodes: compiler.nodes, root }
}

/// On whose side a part is that is read as itself.
#[derive(Clone, Copy)]
enum Side {
    Writer,
    Reader,
}

impl<'s> Compiler<'s> {
    pub(super) fn add(&mut self, node: Node) -> At {
        let at = self.nodes.len() as At;
        self.nodes.push(if self.nodes.len() < MAX_NODES { node } else { unreadable("a schema of this size") });
        at
    }

    fn fails(&mut self, why: &str) -> At {
        self.add(unreadable(why))
    }

    /// What `writer` wrote, as `reader` would have it.
    pub(super) fn pair(&mut self, writer: &Part<'s>, reader: &Part<'s>) -> At {
        let (Some(writer), Some(reader)) = (self.writer.find(writer), self.reader.find(reader)) else {
            return self.fails("a type that is nowhere defined");
        };
        if self.nodes.len() >= MAX_NODES {
            return self.fails("a schema of this size");
        }
        match (writer.schema, reader.schema) {
            (Parsed::Union(union), _) => self.union(&writer, union.variants(), &reader),
            (_, Parsed::Union(union)) => match union::choose(self, &writer, &reader, union.variants()) {
                Some(index) => {
                    let (name, chosen) = union::branch(self.reader, &reader, union.variants(), index);
                    let node = self.pair(&writer, &chosen);
                    self.add(Node::Chosen(Branch { name: Some(name), node }))
                }
                None => self.fails(&format!("{} was written, and no branch of the union takes it", shown(&writer))),
            },
            (Parsed::Record(wrote), Parsed::Record(reads)) => self.record(&writer, wrote, &reader, reads),
            (Parsed::Enum(wrote), Parsed::Enum(reads)) => self.add(symbols(wrote, reads)),
            (Parsed::Array(wrote), Parsed::Array(reads)) => {
                let items = self.pair(&writer.inner(&wrote.items), &reader.inner(&reads.items));
                self.add(Node::Array(items))
            }
            (Parsed::Map(wrote), Parsed::Map(reads)) => {
                let values = self.pair(&writer.inner(&wrote.types), &reader.inner(&reads.types));
                self.add(Node::Map(values))
            }
            (wrote, reads) => match promote::leaf(wrote, reads) {
                Ok(node) => self.add(node),
                Err(Some(why)) => self.fails(&why),
                Err(None) => self.fails(&format!("{} was written, and {} is read", shown(&writer), shown(&reader))),
            },
        }
    }

    fn union(&mut self, writer: &Part<'s>, branches: &'s [Parsed], reader: &Part<'s>) -> At {
        let mut read = Vec::with_capacity(branches.len());
        for wrote in branches {
            let wrote = writer.inner(wrote);
            let Parsed::Union(union) = reader.schema else {
                read.push(Branch { name: None, node: self.pair(&wrote, reader) });
                continue;
            };
            let Some(found) = self.writer.find(&wrote) else {
                let node = self.fails("a type that is nowhere defined");
                read.push(Branch { name: None, node });
                continue;
            };
            read.push(match union::choose(self, &found, reader, union.variants()) {
                Some(index) => {
                    let (name, chosen) = union::branch(self.reader, reader, union.variants(), index);
                    Branch { name: Some(name), node: self.pair(&wrote, &chosen) }
                }
                None => {
                    let why = format!("{} was written, and no branch of the union takes it", shown(&found));
                    Branch { name: None, node: self.fails(&why) }
                }
            });
        }
        self.add(Node::Union(read.into()))
    }

    fn record(&mut self, writer: &Part<'s>, wrote: &'s RecordSchema, reader: &Part<'s>, reads: &'s RecordSchema) -> At {
        let name = |part: &Part<'s>| part.full_name().unwrap_or_default();
        let pair = (name(writer), name(reader));
        if let Some(at) = self.records.get(&pair) {
            return *at;
        }
        let at = self.add(Node::Record(Record::default()));
        self.records.insert(pair, at);
        let (inside, outside) = (writer.inside(), reader.inside());
        let matched = matches(&wrote.fields, &reads.fields);
        let mut fields = Vec::with_capacity(wrote.fields.len());
        for (field, wanted) in wrote.fields.iter().zip(&matched) {
            let part = inside.inner(&field.schema);
            fields.push(match wanted.map(|index| &reads.fields[index]) {
                Some(wanted) => {
                    let node = self.pair(&part, &outside.inner(&wanted.schema));
                    Field { name: Some(wanted.name.as_str().into()), node }
                }
                None => Field { name: None, node: self.same(&part, Side::Writer) },
            });
        }
        let mut defaults = Vec::new();
        for (index, field) in reads.fields.iter().enumerate() {
            if matched.contains(&Some(index)) {
                continue;
            }
            defaults.push(match self.default(&outside, field) {
                Ok(default) => default,
                Err(why) => {
                    self.nodes[at as usize] = unreadable(&why);
                    return at;
                }
            });
        }
        self.set(at, Node::Record(Record { fields: fields.into(), defaults: defaults.into() }));
        at
    }

    fn set(&mut self, at: At, node: Node) {
        if matches!(self.nodes[at as usize], Node::Record(_)) {
            self.nodes[at as usize] = node;
        }
    }

    fn default(&mut self, record: &Part<'s>, field: &'s RecordField) -> Result<Default, String> {
        let name = &field.name;
        let Some(value) = &field.default else {
            return Err(format!("field `{name}` is not in the writer's schema and has no default"));
        };
        let part = record.inner(&field.schema);
        let mut writer = DefaultWriter { names: self.reader, bytes: Vec::new(), depth: 0 };
        writer.write(&part, value).map_err(|error| error.in_field(name).to_string())?;
        let node = self.same(&part, Side::Reader);
        Ok(Default { name: name.as_str().into(), bytes: writer.bytes.into(), node })
    }

    /// A part that is read as it was written.
    fn same(&mut self, part: &Part<'s>, side: Side) -> At {
        let names = match side {
            Side::Writer => self.writer,
            Side::Reader => self.reader,
        };
        let Some(part) = names.find(part) else { return self.fails("a type that is nowhere defined") };
        match part.schema {
            Parsed::Array(array) => {
                let items = self.same(&part.inner(&array.items), side);
                self.add(Node::Array(items))
            }
            Parsed::Map(map) => {
                let values = self.same(&part.inner(&map.types), side);
                self.add(Node::Map(values))
            }
            Parsed::Union(union) => {
                let branches = (0..union.variants().len()).map(|index| {
                    let (name, branch) = union::branch(names, &part, union.variants(), index);
                    Branch { name: Some(name), node: self.same(&branch, side) }
                });
                let branches: Vec<_> = branches.collect();
                self.add(Node::Union(branches.into()))
            }
            Parsed::Record(record) => self.same_record(&part, record, side),
            Parsed::Enum(of) => self.add(symbols(of, of)),
            leaf => match promote::leaf(leaf, leaf) {
                Ok(node) => self.add(node),
                Err(_) => self.fails("a type that cannot be read"),
            },
        }
    }

    fn same_record(&mut self, part: &Part<'s>, record: &'s RecordSchema, side: Side) -> At {
        let name = part.full_name().unwrap_or_default();
        let pair = match side {
            Side::Writer => (name, String::new()),
            Side::Reader => (String::new(), name),
        };
        if let Some(at) = self.records.get(&pair) {
            return *at;
        }
        let at = self.add(Node::Record(Record::default()));
        self.records.insert(pair, at);
        let inside = part.inside();
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let node = self.same(&inside.inner(&field.schema), side);
            fields.push(Field { name: Some(field.name.as_str().into()), node });
        }
        self.set(at, Node::Record(Record { fields: fields.into(), defaults: Box::default() }));
        at
    }
}

/// The reader's field for each of the writer's: that of the same name, else the one that had this name before.
fn matches(wrote: &[RecordField], reads: &[RecordField]) -> Vec<Option<usize>> {
    let same = |field: &RecordField| reads.iter().position(|other| other.name == field.name);
    let mut matched: Vec<_> = wrote.iter().map(same).collect();
    for (index, field) in wrote.iter().enumerate() {
        if matched[index].is_none() {
            let renamed = |(at, other): (usize, &RecordField)| {
                (other.aliases.contains(&field.name) && !matched.contains(&Some(at))).then_some(at)
            };
            matched[index] = reads.iter().enumerate().find_map(renamed);
        }
    }
    matched
}

fn symbols(wrote: &EnumSchema, reads: &EnumSchema) -> Node {
    let known = |symbol: &String| reads.symbols.contains(symbol).then(|| symbol.as_str().into());
    let fallback = || reads.default.as_deref().map(Into::into);
    Node::Enum(wrote.symbols.iter().map(|symbol| known(symbol).or_else(fallback)).collect())
}

fn unreadable(why: &str) -> Node {
    Node::Unreadable(why.into())
}

/// A type as people call it.
pub(super) fn shown(part: &Part<'_>) -> String {
    let kind = union::kind(part.schema);
    part.full_name().map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"))
}

/// What the reader takes bytes for.
pub(super) fn form(schema: &Parsed) -> Form {
    match schema {
        Parsed::String | Parsed::Uuid(UuidSchema::String) => Form::Text,
        Parsed::Decimal(decimal) => Form::Decimal(decimal.scale),
        Parsed::Uuid(_) => Form::Uuid,
        _ => Form::Bytes,
    }
}

pub(super) fn wire(schema: &Parsed) -> Option<Wire> {
    use crate::avro::default::{is_int, is_long};
    match schema {
        schema if is_int(schema) => Some(Wire::Int),
        schema if is_long(schema) => Some(Wire::Long),
        Parsed::Float => Some(Wire::Float),
        Parsed::Double => Some(Wire::Double),
        _ => None,
    }
}

/// Whether it is bytes or a text with the length before it.
pub(super) fn is_counted(schema: &Parsed) -> bool {
    let may_be =
        matches!(schema, Parsed::Bytes | Parsed::String | Parsed::Decimal(_) | Parsed::BigDecimal | Parsed::Uuid(_));
    may_be && fixed_size(schema).is_none()
}
