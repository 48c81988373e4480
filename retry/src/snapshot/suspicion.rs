//! What an owner tells the next of records that may take the process down (RULES 8). The model is in
//! [`crate::suspects`]; here is only how it is written.

use super::{
    bits::{BitReader, BitWriter, number_bits},
    change, changed,
};
use crate::time::Timestamp;

/// Records of one partition that can be under suspicion at once.
pub const MAX_MARKS: usize = 64;

/// Runs that are told of one record; of more, the last ones.
pub const MAX_RUNS: usize = 16;

/// What one owner of a partition tells the next of records under suspicion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspicion {
    /// Owners that vanished of late while no record ran alone.
    pub unexplained: u32,
    /// When the last of them was found to have vanished, in whole seconds.
    pub vanished_at: Timestamp,
    /// The owner tests a record of another partition: if it vanishes, it is for that one.
    pub elsewhere: bool,
    /// What is known of single records, by offset; at most [`MAX_MARKS`].
    pub marks: Vec<Mark>,
}

/// What is known of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its offset.
    pub offset: i64,
    /// Its leader epoch, or −1: another record may stand there one day (RULES 2).
    pub leader_epoch: i32,
    /// What it does at present.
    pub stage: Stage,
    /// It is not to run any more.
    pub condemned: bool,
    /// Another record has survived alone since its last crash.
    pub witnessed: bool,
    /// Its runs alone that ended with the process; with [`Stage::Alone`], the last one goes on.
    pub runs: Vec<Run>,
}

/// What a marked record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits, or runs as any other record.
    Waits,
    /// It runs alone.
    Alone,
    /// It is tested while attempts that would not end go on beside it.
    InCompany,
    /// A process vanished while it was tested in company: it is the first to be tested alone.
    First,
}

/// A run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it was announced, in whole seconds.
    pub at: Timestamp,
    /// Whether it was told to go on a while later: then it did not take the process down at once.
    pub lasted: bool,
}

impl Suspicion {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unexplained == 0 && !self.elsewhere && self.marks.is_empty()
    }

    /// Bits that it takes beside this offset.
    pub(super) fn bits(&self, offset: i64) -> u64 {
        let head = number_bits(self.unexplained.into()) + 1 + number_bits(seconds(self.vanished_at));
        let mut bits = head + number_bits(self.marks.len() as u64);
        let (mut at, mut epoch) = (offset, 0);
        for mark in &self.marks {
            bits += number_bits(distance(at, mark.offset)) + number_bits(change(epoch, mark.leader_epoch)) + 4;
            bits += number_bits(mark.runs.len() as u64);
            let mut before = 0;
            for run in &mark.runs {
                bits += number_bits(seconds(run.at).saturating_sub(before)) + 1;
                before = seconds(run.at);
            }
            (at, epoch) = (mark.offset, mark.leader_epoch);
        }
        bits
    }

    /// What of it makes sense beside this offset, in so many bits: marks in order, and of too many those left out that
    /// wait and stand last.
    pub(super) fn within(&self, offset: i64, bits: u64) -> Self {
        let mut kept = Self { marks: Vec::with_capacity(self.marks.len()), ..self.clone() };
        let mut reached = offset.max(0);
        for mark in &self.marks {
            if mark.offset >= reached && mark.offset < i64::MAX && offset >= 0 {
                reached = mark.offset + 1;
                let runs = mark.runs[mark.runs.len().saturating_sub(MAX_RUNS)..].to_vec();
                kept.marks.push(Mark { runs, ..mark.clone() });
            }
        }
        while kept.marks.len() > MAX_MARKS || (kept.bits(offset) > bits && !kept.marks.is_empty()) {
            let waits = kept.marks.iter().rposition(|mark| mark.stage == Stage::Waits);
            kept.marks.remove(waits.unwrap_or(kept.marks.len() - 1));
        }
        kept
    }

    pub(super) fn write(&self, offset: i64, bits: &mut BitWriter) {
        bits.number(self.unexplained.into());
        bits.put(self.elsewhere.into(), 1);
        bits.number(seconds(self.vanished_at));
        bits.number(self.marks.len() as u64);
        let (mut at, mut epoch) = (offset, 0);
        for mark in &self.marks {
            bits.number(distance(at, mark.offset));
            bits.number(change(epoch, mark.leader_epoch));
            bits.put(mark.stage as u64, 2);
            bits.put(mark.condemned.into(), 1);
            bits.put(mark.witnessed.into(), 1);
            bits.number(mark.runs.len() as u64);
            let mut before = 0;
            for run in &mark.runs {
                bits.number(seconds(run.at).saturating_sub(before));
                bits.put(run.lasted.into(), 1);
                before = seconds(run.at);
            }
            (at, epoch) = (mark.offset, mark.leader_epoch);
        }
    }

    pub(super) fn read(offset: i64, bits: &mut BitReader<'_>) -> Option<Self> {
        let unexplained = u32::try_from(bits.number()?).ok()?;
        let elsewhere = bits.flag()?;
        let vanished_at = time(bits.number()?)?;
        let count = bits.number()?;
        if count > MAX_MARKS as u64 {
            return None;
        }
        let (mut marks, mut reached, mut at, mut epoch) = (Vec::new(), offset, offset, 0);
        for _ in 0..count {
            at = at.checked_add_unsigned(bits.number()?).filter(|&at| at >= reached && at < i64::MAX)?;
            epoch = changed(epoch, bits.number()?)?;
            let stage = Stage::ALL[bits.take(2)? as usize];
            let (condemned, witnessed) = (bits.flag()?, bits.flag()?);
            marks.push(Mark { offset: at, leader_epoch: epoch, stage, condemned, witnessed, runs: runs(bits)? });
            reached = at + 1;
        }
        Some(Self { unexplained, vanished_at, elsewhere, marks })
    }
}

impl Stage {
    /// By number.
    const ALL: [Self; 4] = [Self::Waits, Self::Alone, Self::InCompany, Self::First];
}

fn runs(bits: &mut BitReader<'_>) -> Option<Vec<Run>> {
    let (count, mut at) = (bits.number()?, 0u64);
    if count > MAX_RUNS as u64 {
        return None;
    }
    let mut run = || {
        at = at.checked_add(bits.number()?)?;
        Some(Run { at: time(at)?, lasted: bits.flag()? })
    };
    (0..count).map(|_| run()).collect()
}

fn seconds(time: Timestamp) -> u64 {
    (time.as_millis() / 1000).max(0) as u64
}

fn time(seconds: u64) -> Option<Timestamp> {
    i64::try_from(seconds).ok()?.checked_mul(1000).map(Timestamp::from_millis)
}

fn distance(from: i64, to: i64) -> u64 {
    to.saturating_sub(from).max(0) as u64
}
