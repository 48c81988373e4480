//! What is measured, by name: each takes so many records.

use crate::{parts, world::World};

/// A row: its name, and what takes so many records.
pub(crate) type Row = (&'static str, fn(u64));

/// All rows: first the engine as a whole, then parts of it.
pub(crate) const ALL: &[Row] = &[
    ("unordered", |records| World::of("unordered").carry(records)),
    ("by-key", |records| World::of("by-key").carry(records)),
    ("stuck", |records| World::of("stuck").carry(records)),
    ("forwarded", |records| World::of("forwarded").carry(records)),
    ("ledger", parts::ledger_in_order),
    ("ledger-scattered", parts::ledger_scattered),
    ("snapshot-write", parts::snapshot_write),
    ("snapshot-read", parts::snapshot_read),
    ("lanes", parts::lanes),
    ("gates", parts::gates),
    ("headers", parts::headers),
];
