//! How bytes of one schema are read by another: made once for each pair, so that nothing is resolved per value.
//!
//! Invariants: nodes refer to nodes by index, so a type that holds itself is a circle of indices and no endless tree;
//! what reader and writer do not share is a node that fails when a value reaches it, not earlier, since a union may
//! never take that branch.

mod compile;
mod promote;
mod union;

use crate::avro::{Schema, names::Names};

/// Index of a node of a plan.
pub(super) type At = u32;

/// How values of one schema are read by another.
#[derive(Debug)]
pub(crate) struct Plan {
    nodes: Vec<Node>,
    root: At,
}

/// Form of a number in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Int,
    Long,
    Float,
    Double,
}

/// What bytes or a text mean to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bytes,
    Text,
    /// Two's complement, highest byte first, of so many digits behind the point.
    Decimal(usize),
    /// The 16 bytes of a UUID.
    Uuid,
}

#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    /// A number as it was written, and as what it is read.
    Number(Wire, Wire),
    /// Bytes with their length before them.
    Counted(Form),
    Fixed(usize, Form),
    /// The reader's symbol for each of the writer's; `None` where it has none.
    Enum(Box<[Option<Box<str>>]>),
    Array(At),
    Map(At),
    /// The writer's branches, in order.
    Union(Box<[Branch]>),
    /// The reader's branch for what its writer wrote without one.
    Chosen(Branch),
    Record(Record),
    /// Fails when a value reaches it.
    Unreadable(Box<str>),
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// The reader's name of it, if the reader has a union.
    pub(super) name: Option<Box<str>>,
    pub(super) node: At,
}

#[derive(Debug, Default)]
pub(super) struct Record {
    /// In the writer's order.
    pub(super) fields: Box<[Field]>,
    /// The reader's, of which the writer knew nothing.
    pub(super) defaults: Box<[Default]>,
}

#[derive(Debug)]
pub(super) struct Field {
    /// The reader's name of it; `None` if the reader does not want it.
    pub(super) name: Option<Box<str>>,
    pub(super) node: At,
}

#[derive(Debug)]
pub(super) struct Default {
    pub(super) name: Box<str>,
    pub(super) bytes: Box<[u8]>,
    pub(super) node: At,
}

impl Plan {
    /// Reads what `writer` wrote as `reader` would have it.
    pub(crate) fn new(writer: &Schema, reader: &Schema) -> Self {
        let (writer_names, reader_names) = (Names::of(writer), Names::of(reader));
        compile::plan(writer, &writer_names, reader, &reader_names)
    }

    pub(super) fn root(&self) -> At {
        self.root
    }

    #[inline]
    pub(super) fn node(&self, at: At) -> &Node {
        &self.nodes[at as usize]
    }
}
