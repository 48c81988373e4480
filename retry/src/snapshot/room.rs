//! What a snapshot can cost at worst: the arithmetic of admission (RULES 10).
//!
//! A ledger asks before it takes records, because finishing one in the middle can make the snapshot longer. All sums
//! are in bits and are upper bounds of what [`super::layout`] finds, so "it fits here" implies "it fits there", in
//! every order in which the records may end:
//! - **near**: a window as one bitmap costs one bit per offset. A gap in the log, or a stretch that is finished for
//!   good, need not be spelt out: the bitmap can be closed before it and opened behind it for [`WIDE`] bits.
//! - **far**: a window with `holes` unfinished records costs at most [`sparse`], however long it is.

use super::{FinishedRun, LIMIT, bits::number_bits, layout, text};

/// Dearest number: an offset's 63 bits.
const NUMBER: u64 = number_bits(i64::MAX as u64);

/// What one interruption of a bitmap costs: a pair of which one number may be anything and the other is charged as
/// bits already (a number below n costs at most n + 3 bits), and the head of the next bitmap.
pub(crate) const WIDE: u64 = 2 + NUMBER + 3 + layout::BITMAP;

/// What to set aside for a record of which nothing is known yet: its bit, and any gap before it.
pub(crate) const RECORD: u64 = 1 + WIDE;

/// A change of the leader epoch: where, and by how much (34 bits at most).
pub(crate) const EPOCH: u64 = NUMBER + 48;

/// What to set aside for one more mark of a record under suspicion: where and which, what it does, and its runs.
pub(crate) const MARK: u64 = NUMBER + 48 + 4 + 8 + 2 * (NUMBER + 1);

/// What always stands before the elements, the bits that fill the last byte, and the head of one bitmap.
pub(crate) const FIXED: u64 = layout::FIXED + NUMBER + 48 + 20 + 8 + layout::BITMAP;

/// A pair of which both numbers may be anything.
pub(crate) const SEAM: u64 = 2 + 2 * NUMBER;

/// Bits for a body in a text of so many bytes; texts above [`LIMIT`] are neither written nor read.
pub(crate) const fn capacity(limit: usize) -> u64 {
    let limit = if limit < LIMIT { limit } else { LIMIT };
    8 * text::bytes_in(limit.saturating_sub(super::LEAD)).saturating_sub(8) as u64
}

/// Most bits that pairs need for at most `holes` holes that cover `hole_offsets` and are followed by runs that cover
/// `run_offsets`.
pub(crate) fn sparse(holes: u64, hole_offsets: u64, run_offsets: u64) -> u64 {
    // A hole longer than one costs at most five bits for each further offset (falling with the number of holes, but
    // by no more than a further pair adds), and never more than the numbers themselves.
    let long_holes = 5u64.saturating_mul(hole_offsets.saturating_sub(holes)).min(holes + numbers(holes, hole_offsets));
    holes + long_holes + numbers(holes, run_offsets)
}

/// Most bits of at most `count` numbers with this sum: no more than sum / 8^n of them have over n groups.
fn numbers(count: u64, sum: u64) -> u64 {
    let mut groups = count;
    let mut rest = sum >> 3;
    while rest > 0 {
        groups += rest.min(count);
        rest >>= 3;
    }
    4 * groups
}

/// For each run, the bits that everything behind it costs.
pub(crate) fn behind(runs: &[FinishedRun]) -> Vec<u64> {
    let mut costs = vec![0; runs.len()];
    let (mut shape, mut epochs) = (0u64, 0);
    // Where a bitmap that starts at the run under consideration had best end: offset, and the bits behind that.
    let mut close: Option<(i64, u64)> = None;
    for (index, pair) in runs.windows(2).enumerate().rev() {
        let [run, after] = pair else { continue };
        if close.is_none_or(|(to, bits)| shape <= bits.saturating_add(distance(after.to, to))) {
            close = Some((after.to, shape));
        }
        let as_pair = shape.saturating_add(layout::pair_bits(
            distance(run.to, after.from).max(1),
            distance(after.from, after.to).max(1),
        ));
        let as_bitmap = close.map_or(u64::MAX, |(to, bits)| bits.saturating_add(layout::BITMAP + distance(run.to, to)));
        shape = as_pair.min(as_bitmap);
        epochs += if run.leader_epoch == after.leader_epoch { 0 } else { EPOCH };
        costs[index] = shape + epochs;
    }
    costs
}

fn distance(from: i64, to: i64) -> u64 {
    to.saturating_sub(from).max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand: dearer would leave room unused, cheaper would be no upper bound.
    #[test]
    fn so_much_is_set_aside_for_each_part() {
        assert_eq!(NUMBER, 84, "63 bits are 21 groups of three, each with its lead");
        assert_eq!((layout::BITMAP, layout::FIXED), (17, 14));
        assert_eq!(WIDE, 106, "a pair's 2, a number, 3 for the other one's share, and the head of a bitmap");
        assert_eq!(RECORD, 107, "a bit, and any gap");
        assert_eq!(EPOCH, 132, "a number, and 34 bits in 12 groups");
        assert_eq!(MARK, 314, "where and which; what it does; a count of two groups; two times and a bit for each");
        assert_eq!(FIXED, 191, "started below, its epoch, counts, the last byte, and the head of a bitmap");
        assert_eq!(SEAM, 170, "a pair of two numbers");
    }

    #[test]
    fn pairs_are_charged_for_their_groups_of_three_bits() {
        // One group for each of two numbers, and one more for the one of them that may be eight or above.
        assert_eq!(
            [(2, 7), (2, 10), (2, 63), (2, 64), (1, 0)].map(|(count, sum)| numbers(count, sum)),
            [8, 12, 16, 20, 4]
        );
        // A bit for each hole, the runs, and the holes that are longer than one at five bits an offset at most.
        assert_eq!(sparse(1, 1, 1), 1 + 4);
        assert_eq!(sparse(2, 3, 20), 2 + 5 + 16);
        assert_eq!(sparse(2, 10, 20), 2 + (2 + 12) + 16);
    }
}
