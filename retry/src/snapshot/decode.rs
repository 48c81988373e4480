//! From commit metadata to runs, whatever was written there.
//!
//! No loop runs longer than the text has bits, and a run takes two of them at least: 4 KiB give 12,244 runs at most.

use super::{
    Departure, FinishedRun, LEAD, LIMIT, Parts, Snapshot, SnapshotError, Subject, Suspicion, VERSION,
    bits::BitReader,
    changed,
    checksum::checksum,
    layout::{COUNT_WIDTH, LENGTH_WIDTH},
    text,
};

/// Reads commit metadata that stood beside `subject.offset`. Empty metadata is `None`: nothing is known.
///
/// # Errors
/// See [`SnapshotError`]; with each of them nothing may be skipped, as with empty metadata.
pub fn decode(metadata: &[u8], subject: &Subject<'_>) -> Result<Option<Snapshot>, SnapshotError> {
    if metadata.is_empty() {
        return Ok(None);
    }
    match version(metadata).ok_or(SnapshotError::Foreign)? {
        VERSION => {}
        newer => return Err(SnapshotError::TooNew(newer)),
    }
    let (lead, rest) = metadata.split_at_checked(LEAD).ok_or(SnapshotError::Damaged)?;
    let parts = Parts::of(lead).filter(|_| metadata.len() <= LIMIT).ok_or(SnapshotError::Damaged)?;
    let bytes = text::read(rest).ok_or(SnapshotError::Damaged)?;
    let (body, sum) = bytes.split_last_chunk().ok_or(SnapshotError::Damaged)?;
    if checksum(subject, lead, body) != u64::from_be_bytes(*sum) {
        return Err(SnapshotError::Unbound);
    }
    read(body, parts, subject.offset).map(Some).ok_or(SnapshotError::Damaged)
}

/// The version of a snapshot: `r`, a number from 1 on without leading zeros, and a small letter.
fn version(metadata: &[u8]) -> Option<u32> {
    let rest = metadata.strip_prefix(b"r")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=4).contains(&digits) || rest[0] == b'0' || !rest.get(digits)?.is_ascii_lowercase() {
        return None;
    }
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Reads a body whose checksum is right. It is checked all the same: a mistake of a writer must not skip a record.
pub(super) fn read(body: &[u8], parts: Parts, offset: i64) -> Option<Snapshot> {
    let mut bits = BitReader::new(body);
    let departure = if bits.flag()? { Departure::LeftWell } else { Departure::StillHere };
    let started_below = offset.checked_add_unsigned(bits.number()?)?;
    let mut finished = Vec::new();
    if parts.runs {
        let epochs = read_epochs(&mut bits)?;
        finished = Runs { offset, at: 0, epochs: &epochs, runs: Vec::new() }.read(&mut bits)?;
    }
    let suspicion = if parts.suspicion { Suspicion::read(offset, &mut bits)? } else { Suspicion::default() };
    bits.is_spent().then_some(Snapshot { departure, started_below, finished, suspicion })
}

/// Positions from which on an epoch holds.
fn read_epochs(bits: &mut BitReader<'_>) -> Option<Vec<(u64, i32)>> {
    let first = changed(0, bits.number()?)?;
    let mut epochs = vec![(0, first)];
    let (mut at, mut epoch) = (0u64, first);
    for _ in 0..bits.number()? {
        at = at.checked_add(bits.number()?)?;
        epoch = changed(epoch, bits.number()?)?;
        epochs.push((at, epoch));
    }
    Some(epochs)
}

/// Reads elements and splits what they hold where the epoch changes.
struct Runs<'a> {
    offset: i64,
    at: u64,
    epochs: &'a [(u64, i32)],
    runs: Vec<FinishedRun>,
}

impl Runs<'_> {
    fn read(mut self, bits: &mut BitReader<'_>) -> Option<Vec<FinishedRun>> {
        for _ in 0..bits.take(COUNT_WIDTH)? {
            if !bits.flag()? {
                self.pair(1, bits)?;
            } else if !bits.flag()? {
                let hole = bits.number()? + 2;
                self.pair(hole, bits)?;
            } else {
                self.bitmap(bits)?;
            }
        }
        Some(self.runs)
    }

    fn pair(&mut self, hole: u64, bits: &mut BitReader<'_>) -> Option<()> {
        let from = self.at.checked_add(hole)?;
        let to = from.checked_add(bits.number()? + 1)?;
        self.push(from, to)
    }

    fn bitmap(&mut self, bits: &mut BitReader<'_>) -> Option<()> {
        let end = self.at.checked_add(bits.take(LENGTH_WIDTH)?)?;
        let mut from = None;
        for position in self.at..end {
            match (bits.flag()?, from) {
                (true, None) => from = Some(position),
                (false, Some(start)) => {
                    self.push(start, position)?;
                    from = None;
                }
                _ => {}
            }
        }
        if let Some(start) = from {
            self.push(start, end)?;
        }
        self.at = end;
        Some(())
    }

    /// Adds positions `from..to`, which lie above all before them.
    fn push(&mut self, mut from: u64, to: u64) -> Option<()> {
        self.at = to;
        while let [(_, epoch), rest @ ..] = self.epochs {
            let end = rest.first().map_or(to, |&(at, _)| at.min(to));
            if end > from {
                self.runs.push(FinishedRun { from: self.offset(from)?, to: self.offset(end)?, leader_epoch: *epoch });
                from = end;
            }
            if from >= to {
                return Some(());
            }
            self.epochs = rest;
        }
        None
    }

    /// Position 0 is the offset before the committed one, and can be in no run.
    fn offset(&self, position: u64) -> Option<i64> {
        self.offset.checked_add_unsigned(position.checked_sub(1)?)
    }
}
