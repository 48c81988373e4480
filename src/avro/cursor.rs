//! Bytes being read, and how much work they may cause.
//!
//! Three limits make hostile bytes harmless. Depth: what nests deeper than [`MAX_DEPTH`] is refused, since every level
//! is a stack frame. Items: an item of a collection may take no bytes at all (a null, an empty record), so that a few
//! bytes could stand for a billion of them; there may be no more items than bytes, and some more ([`FREE_ITEMS`]).
//! Levels: records of records may double with each type that a schema of strangers defines, and take no bytes either.
//! What a default holds is not counted: it comes from the reader's own schema.

use crate::avro::AvroError;

/// Deepest nesting of records, collections and unions. A build without optimisation takes most of a thread's usual 2 MiB
/// for 128 levels.
pub(super) const MAX_DEPTH: u32 = 64;

/// Items that may take no bytes, in all of a value.
pub(super) const FREE_ITEMS: usize = 4096;

/// Records, collections and unions that may be entered for each item that may be read.
const LEVELS_PER_ITEM: usize = 8;

pub(super) struct Cursor<'de> {
    bytes: &'de [u8],
    /// Levels that may still be entered.
    depth: u32,
    /// Items that may still be read.
    items: usize,
    /// Levels that may be entered in all.
    levels: usize,
    is_default: bool,
}

impl<'de> Cursor<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        let items = bytes.len().saturating_add(FREE_ITEMS);
        Self { bytes, depth: MAX_DEPTH, items, levels: items.saturating_mul(LEVELS_PER_ITEM), is_default: false }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Reads a default instead, and returns the bytes that were being read.
    pub(super) fn lend(&mut self, default: &'de [u8]) -> &'de [u8] {
        self.is_default = true;
        std::mem::replace(&mut self.bytes, default)
    }

    /// Goes on with the bytes that [`lend`](Self::lend) returned.
    pub(super) fn go_on(&mut self, bytes: &'de [u8]) {
        self.is_default = false;
        self.bytes = bytes;
    }

    pub(super) fn enter(&mut self) -> Result<(), AvroError> {
        self.depth = self.depth.checked_sub(1).ok_or_else(too_deep)?;
        if !self.is_default {
            self.levels = self.levels.checked_sub(1).ok_or_else(too_many)?;
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth += 1;
    }

    /// One item of a collection.
    pub(super) fn item(&mut self) -> Result<(), AvroError> {
        if !self.is_default {
            self.items = self.items.checked_sub(1).ok_or_else(too_many)?;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'de [u8], AvroError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(cut)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], AvroError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or_else(cut)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// A number of any size, in zigzag and seven bits to a byte.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, AvroError> {
        let mut value = 0_u64;
        for (at, &byte) in self.bytes.iter().enumerate().take(10) {
            // The tenth byte has room for one bit.
            if at == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.bytes = &self.bytes[at + 1..];
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(if self.bytes.len() < 10 { cut() } else { AvroError::new("a number has more than 64 bits") })
    }

    pub(super) fn int(&mut self) -> Result<i32, AvroError> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| AvroError::new(format!("{long} is more than an int holds")))
    }

    pub(super) fn boolean(&mut self) -> Result<bool, AvroError> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(AvroError::new(format!("{other} is no boolean"))),
        }
    }

    /// Bytes with their length before them.
    #[inline]
    pub(super) fn counted(&mut self) -> Result<&'de [u8], AvroError> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| AvroError::new(format!("a length of {length}")))?;
        self.take(length)
    }

    /// The head of a block of a collection: how many items, and how many bytes if it says so. Zero items end it.
    pub(super) fn block(&mut self) -> Result<(u64, Option<usize>), AvroError> {
        let count = self.long()?;
        if count >= 0 {
            return Ok((count.unsigned_abs(), None));
        }
        let size = self.long()?;
        let is_there = usize::try_from(size).ok().filter(|size| *size <= self.left());
        let size = is_there.ok_or_else(|| AvroError::new(format!("a block of {size} bytes")))?;
        Ok((count.unsigned_abs(), Some(size)))
    }

    /// The place of a branch or symbol among so many.
    pub(super) fn index(&mut self, count: usize, what: &str) -> Result<usize, AvroError> {
        let index = self.long()?;
        let is_there = usize::try_from(index).ok().filter(|index| *index < count);
        is_there.ok_or_else(|| AvroError::new(format!("{what} {index} of {count}")))
    }
}

#[cold]
fn cut() -> AvroError {
    AvroError::new("the bytes end too early")
}

#[cold]
fn too_deep() -> AvroError {
    AvroError::new(format!("nested deeper than {MAX_DEPTH}"))
}

#[cold]
fn too_many() -> AvroError {
    AvroError::new("more items than bytes")
}
