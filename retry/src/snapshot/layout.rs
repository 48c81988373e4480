//! The cheapest way to write a set of offsets, found in one pass.
//!
//! A set is written as elements, each covering one or more *spans* (maximal stretches of finished offsets) and the
//! holes before them. Sparse spans are cheapest as pairs of numbers, crowded ones as a bitmap, and a window may have
//! both: one record stuck far back, and a dense front. The cheapest end of span `j` is either the cheapest end of the
//! span before it and a pair, or the cheapest end of some earlier span and a bitmap from there; since a bitmap costs
//! its length, the best place to open one does not depend on where it will be closed, and one candidate is enough.

use super::bits::{BitWriter, number_bits};

/// Width of the number of elements. An element has five bits at least, so a text has fewer than 2^13.
pub(super) const COUNT_WIDTH: u32 = 13;

/// Width of a bitmap's length. A text has fewer than 2^15 bits.
pub(super) const LENGTH_WIDTH: u32 = 15;

/// Head of a bitmap: two bits that say what it is, and its length.
pub(super) const BITMAP: u64 = 2 + LENGTH_WIDTH as u64;

/// Bits that have a fixed width: departure and number of elements.
pub(super) const FIXED: u64 = 1 + COUNT_WIDTH as u64;

/// Bits of a pair. A hole of one offset, the usual one, is not spelt out.
pub(super) const fn pair_bits(hole: u64, run: u64) -> u64 {
    match hole {
        1 => 1 + number_bits(run - 1),
        _ => 2 + number_bits(hole - 2) + number_bits(run - 1),
    }
}

/// A maximal stretch of finished offsets. Positions count from 0 for the offset before the committed one, so that a
/// hole is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first position.
    pub(super) from: u64,
    /// One past the last.
    pub(super) to: u64,
    /// Bits of all epochs up to its end.
    pub(super) epoch_bits: u64,
}

/// How the first spans of a set are written.
#[derive(Debug)]
pub(super) struct Layout {
    /// First span and one past the last span of each element; `true` for a bitmap.
    elements: Vec<(usize, usize, bool)>,
}

impl Layout {
    /// The cheapest layout of the longest prefix of `spans` that needs no more than `capacity` bits with its epochs.
    pub(super) fn cheapest(spans: &[Span], capacity: u64) -> Self {
        let mut costs = vec![0u64];
        let mut opened: Vec<Option<usize>> = Vec::new();
        let mut open = 0;
        for (index, span) in spans.iter().enumerate() {
            let pair = costs[index] + pair_bits(span.from - end(spans, index), span.to - span.from);
            let bitmap = costs[open] + BITMAP + (span.to - end(spans, open));
            let cost = pair.min(bitmap);
            if cost + span.epoch_bits > capacity {
                break;
            }
            opened.push((bitmap < pair).then_some(open));
            costs.push(cost);
            if cost <= costs[open] + (span.to - end(spans, open)) {
                open = index + 1;
            }
        }
        Self { elements: elements(&opened) }
    }

    /// How many spans it covers.
    pub(super) fn covered(&self) -> usize {
        self.elements.last().map_or(0, |&(_, to, _)| to)
    }

    /// Writes the number of elements and the elements.
    pub(super) fn write(&self, spans: &[Span], bits: &mut BitWriter) {
        bits.put(self.elements.len() as u64, COUNT_WIDTH);
        for &(first, to, bitmap) in &self.elements {
            if bitmap {
                write_bitmap(end(spans, first), &spans[first..to], bits);
            } else {
                write_pair(spans[first].from - end(spans, first), spans[first].to - spans[first].from, bits);
            }
        }
    }
}

/// Where the span before this one ends.
fn end(spans: &[Span], index: usize) -> u64 {
    index.checked_sub(1).map_or(0, |before| spans[before].to)
}

/// Follows the choices back from the last span.
fn elements(opened: &[Option<usize>]) -> Vec<(usize, usize, bool)> {
    let mut elements = Vec::new();
    let mut to = opened.len();
    while to > 0 {
        let first = opened[to - 1].unwrap_or(to - 1);
        elements.push((first, to, opened[to - 1].is_some()));
        to = first;
    }
    elements.reverse();
    elements
}

fn write_pair(hole: u64, run: u64, bits: &mut BitWriter) {
    if hole == 1 {
        bits.put(0b0, 1);
    } else {
        bits.put(0b10, 2);
        bits.number(hole - 2);
    }
    bits.number(run - 1);
}

fn write_bitmap(start: u64, spans: &[Span], bits: &mut BitWriter) {
    let Some(last) = spans.last() else { return };
    bits.put(0b11, 2);
    bits.put(last.to - start, LENGTH_WIDTH);
    let mut at = start;
    for span in spans {
        bits.fill(false, span.from - at);
        bits.fill(true, span.to - span.from);
        at = span.to;
    }
}
