//! Which of 65,536 neighbouring dead letters are settled, and how.
//!
//! # Format
//! One byte of version; 0, or 1 and the topic's identity; then the redriven and the discarded as a section each: 1 and
//! runs, or 2 and a bit for each letter, whichever is shorter. Runs are their number, then for each the gap before
//! it and its length, as LEB128.

use super::{ControlError, TopicId};

/// Offsets of a page.
pub const PAGE: i64 = 65_536;

const BYTES: usize = 8192;
const VERSION: u8 = 1;
const RUNS: u8 = 1;
const BITS: u8 = 2;

/// How a dead letter was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Settlement {
    /// It went back to work, or another letter of the same record did.
    Redriven,
    /// An operator discarded it.
    Discarded,
}

impl Settlement {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }
}

impl std::fmt::Display for Settlement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Marks of [`PAGE`] dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which topic of its name they are in.
    pub topic_id: TopicId,
    redriven: Box<[u8; BYTES]>,
    discarded: Box<[u8; BYTES]>,
}

impl Page {
    /// A page of unsettled letters.
    #[must_use]
    pub fn new(topic_id: TopicId) -> Self {
        Self { topic_id, redriven: Box::new([0; BYTES]), discarded: Box::new([0; BYTES]) }
    }

    /// Marks a letter by its place in the page; what it was settled as first stays.
    pub fn settle(&mut self, place: u16, settlement: Settlement) {
        if self.settlement(place).is_some() {
            return;
        }
        let bits = match settlement {
            Settlement::Redriven => &mut self.redriven,
            Settlement::Discarded => &mut self.discarded,
        };
        bits[usize::from(place / 8)] |= 1 << (place % 8);
    }

    /// How a letter was settled, by its place in the page.
    #[must_use]
    pub fn settlement(&self, place: u16) -> Option<Settlement> {
        if is_set(&self.redriven, place) {
            return Some(Settlement::Redriven);
        }
        is_set(&self.discarded, place).then_some(Settlement::Discarded)
    }

    /// As the control topic holds it: at most some 16 KiB, and a few bytes where letters are settled in runs.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self.topic_id {
            None => out.push(0),
            Some(id) => {
                out.push(1);
                out.extend(id);
            }
        }
        write_section(&self.redriven, &mut out);
        write_section(&self.discarded, &mut out);
        out
    }

    /// Reads what [`Page::encode`] writes, and nothing else.
    ///
    /// # Errors
    /// It is of a later version, or something else.
    pub fn decode(value: &[u8]) -> Result<Self, ControlError> {
        match value.first() {
            Some(&VERSION) => {}
            Some(&version) if version > VERSION => return Err(ControlError::TooNew(version.into())),
            _ => return Err(ControlError::Damaged),
        }
        let page = Self::read(&value[1..]).ok_or(ControlError::Damaged)?;
        if page.encode() == value { Ok(page) } else { Err(ControlError::Damaged) }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&flag, mut rest) = bytes.split_first()?;
        let topic_id = match flag {
            0 => None,
            _ => {
                let (id, behind) = rest.split_first_chunk::<16>()?;
                rest = behind;
                Some(*id)
            }
        };
        let (redriven, rest) = read_section(rest)?;
        let (discarded, rest) = read_section(rest)?;
        let disjoint = redriven.iter().zip(&discarded[..]).all(|(one, other)| one & other == 0);
        (rest.is_empty() && disjoint).then_some(Self { topic_id, redriven, discarded })
    }
}

fn is_set(bits: &[u8; BYTES], place: u16) -> bool {
    bits[usize::from(place / 8)] & 1 << (place % 8) != 0
}

fn write_section(bits: &[u8; BYTES], out: &mut Vec<u8>) {
    let runs = runs(bits);
    let mut short = vec![RUNS];
    write_number(runs.len() as u32, &mut short);
    let mut end = 0;
    for (from, to) in runs {
        write_number(from - end, &mut short);
        write_number(to - from, &mut short);
        end = to;
    }
    if short.len() <= BYTES {
        out.extend(short);
    } else {
        out.push(BITS);
        out.extend(&bits[..]);
    }
}

/// From and, exclusively, to of each run of set bits.
fn runs(bits: &[u8; BYTES]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for (index, &byte) in (0u32..).zip(bits.iter()) {
        if byte == 0 {
            continue;
        }
        for bit in (0..8).filter(|bit| byte & 1 << bit != 0) {
            let place = index * 8 + bit;
            match runs.last_mut() {
                Some((_, to)) if *to == place => *to += 1,
                _ => runs.push((place, place + 1)),
            }
        }
    }
    runs
}

fn read_section(bytes: &[u8]) -> Option<(Box<[u8; BYTES]>, &[u8])> {
    let (&kind, mut rest) = bytes.split_first()?;
    if kind == BITS {
        let (bits, rest) = rest.split_first_chunk::<BYTES>()?;
        return Some((Box::new(*bits), rest));
    }
    if kind != RUNS {
        return None;
    }
    let mut bits = Box::new([0; BYTES]);
    let count = read_number(&mut rest)?;
    let mut end = 0u32;
    for _ in 0..count {
        let from = end.checked_add(read_number(&mut rest)?)?;
        let to = from.checked_add(read_number(&mut rest)?).filter(|to| *to <= PAGE as u32)?;
        (from..to).for_each(|place| bits[place as usize / 8] |= 1 << (place % 8));
        // Empty runs would make long work of few bytes.
        (to > from).then_some(())?;
        end = to;
    }
    Some((bits, rest))
}

fn write_number(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0u32;
    for shift in [0, 7, 14] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
