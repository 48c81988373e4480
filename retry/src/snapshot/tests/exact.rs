//! To the bit: what fits is written, and nothing is written that does not.

use super::*;
use crate::time::Timestamp;

/// Single offsets with one offset between them, of which the first `epochs` have an epoch each.
fn every_other(count: usize, epochs: usize) -> Vec<FinishedRun> {
    let of = |index: usize| SUBJECT.offset + 1 + 2 * index as i64;
    (0..count).map(|index| run(of(index), of(index) + 1, index.min(epochs) as i32)).collect()
}

/// The lengths leave every number of bits free in the last byte, and the numbers of epochs are those at which their
/// count takes one group of bits more.
#[test]
fn a_text_that_is_as_long_as_its_limit_is_complete_and_a_shorter_limit_never_leaves_it_empty() {
    for epochs in [0, 1, 6, 7, 8] {
        for count in epochs + 1..epochs + 34 {
            let encoded = |limit: usize| {
                encode(Departure::StillHere, SUBJECT.offset, every_other(count, epochs), &SUBJECT, limit)
            };
            let whole = encoded(LIMIT);
            assert!(whole.complete);
            let least = whole.text.len();
            assert_eq!(encoded(least), whole, "{count} runs of {epochs} epochs and one");
            for limit in 29..least {
                let part = encoded(limit);
                assert!(
                    !part.complete && !part.text.is_empty() && part.text.len() <= limit,
                    "{count} {epochs} {limit}"
                );
            }
        }
    }
}

fn laid_out(parts: impl IntoIterator<Item = (u64, u64)>) -> usize {
    let mut at = 0;
    let mut span = |(hole, length)| {
        let from = at + hole;
        at = from + length;
        Span { from, to: at, epoch_bits: 0 }
    };
    let spans: Vec<Span> = parts.into_iter().map(&mut span).collect();
    let mut writer = BitWriter::default();
    Layout::cheapest(&spans, 1 << 15).write(&spans, &mut writer);
    writer.finish().len()
}

/// What comes before the crowd is a pair, and a bitmap opens behind it.
#[test]
fn a_bitmap_opens_where_the_crowd_begins() {
    let before_a_crowd = |first, crowd| laid_out([first].into_iter().chain((0..crowd).map(|_| (1, 1))));
    // The number of elements, four groups for a hole of a thousand offsets and one for a run of one, and the bitmap.
    assert_eq!(before_a_crowd((1000, 1), 100), 32);
    // A run of six is five bits as a pair and seven in the bitmap.
    // That is 79 bits; with it in the bitmap they were 81.
    assert_eq!(before_a_crowd((1, 6), 22), 10);
}

fn suspicion(marks: i64) -> Suspicion {
    let mark = |index: i64| Mark {
        offset: SUBJECT.offset + index,
        leader_epoch: 7,
        stage: Stage::Waits,
        condemned: false,
        witnessed: false,
        runs: Vec::new(),
    };
    let vanished_at = Timestamp::from_millis(1_795_342_860_000);
    Suspicion { unexplained: 2, vanished_at, elsewhere: false, marks: (0..marks).map(mark).collect() }
}

#[test]
fn of_marks_that_take_more_than_half_of_the_room_the_first_are_told() {
    let told = suspicion(60);
    let half = room::capacity(200) / 2;
    assert!(told.bits(SUBJECT.offset) > half && told.bits(SUBJECT.offset) < 4 * half);
    let encoded = encode_suspecting(&told, Departure::StillHere, SUBJECT.offset, every_other(20, 0), &SUBJECT, 200);
    let kept = read(&encoded).suspicion;
    // As many as fit.
    let next = suspicion(kept.marks.len() as i64 + 1);
    assert!(kept.bits(SUBJECT.offset) <= half && next.bits(SUBJECT.offset) > half);
    assert_eq!(kept, suspicion(kept.marks.len() as i64));
}

/// 53 bits are told without any mark.
#[test]
fn suspicion_that_has_more_than_half_of_the_room_without_a_mark_is_not_told() {
    assert_eq!(suspicion(0).bits(SUBJECT.offset), 53);
    let told = |limit: usize| {
        let encoded = encode_suspecting(&suspicion(0), Departure::StillHere, SUBJECT.offset, [], &SUBJECT, limit);
        !read(&encoded).suspicion.is_empty()
    };
    assert_eq!([31, 33].map(|limit| room::capacity(limit) / 2), [52, 56]);
    assert_eq!([31, 33].map(told), [false, true]);
}
