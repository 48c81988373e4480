mod exact;
mod golden;
mod hostile;
mod suspicion;

use super::*;
use bits::BitWriter;
use layout::{Layout, Span};
use proptest::prelude::*;

const SUBJECT: Subject<'_> =
    Subject { group: "billing", topic: "orders", topic_id: Some([9; 16]), partition: 3, offset: 1100 };

fn run(from: i64, to: i64, leader_epoch: i32) -> FinishedRun {
    FinishedRun { from, to, leader_epoch }
}

/// Runs above the subject's offset, in order, of which no two that touch have the same epoch.
fn runs() -> impl Strategy<Value = Vec<FinishedRun>> {
    let length = || prop_oneof![6 => 1u64..4, 2 => 1u64..200, 1 => (0u32..55).prop_map(|width| 1 << width)];
    let epoch = prop_oneof![9 => Just(0i32), 1 => any::<i32>()];
    prop::collection::vec((length(), length(), any::<bool>(), epoch), 0..200).prop_map(|parts| {
        let mut runs: Vec<FinishedRun> = Vec::new();
        let (mut at, mut leader_epoch) = (SUBJECT.offset, 7);
        for (hole, length, touches, change) in parts {
            leader_epoch = if change == 0 { leader_epoch } else { change };
            let touches = touches && runs.last().is_none_or(|last| last.leader_epoch != leader_epoch);
            let from = at + if touches { 0 } else { hole as i64 };
            at = from + length as i64;
            runs.push(run(from, at, leader_epoch));
        }
        runs
    })
}

fn departure() -> impl Strategy<Value = Departure> {
    prop_oneof![Just(Departure::StillHere), Just(Departure::LeftWell)]
}

fn read(encoded: &Encoded) -> Snapshot {
    decode(encoded.text.as_bytes(), &SUBJECT).unwrap().unwrap()
}

proptest! {
    #[test]
    fn a_snapshot_reads_back(runs in runs(), departure in departure(), started in 0..=i64::MAX - SUBJECT.offset) {
        let started_below = SUBJECT.offset + started;
        let encoded = encode(departure, started_below, runs.iter().copied(), &SUBJECT, LIMIT);
        prop_assert!(encoded.complete);
        prop_assert!(encoded.text.is_ascii());
        prop_assert_eq!(read(&encoded), Snapshot { departure, started_below, finished: runs, suspicion: Suspicion::default() });
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end(runs in runs(), limit in 0usize..300) {
        let encoded = encode(Departure::StillHere, 1200, runs.iter().copied(), &SUBJECT, limit);
        prop_assert!(encoded.text.len() <= limit);
        let kept = if encoded.text.is_empty() { Vec::new() } else { read(&encoded).finished };
        prop_assert!(runs.starts_with(&kept));
        prop_assert!(!encoded.text.is_empty() || limit < 29);
        if encoded.complete {
            prop_assert_eq!(kept, runs);
        } else if limit > 29 {
            // One more run (with those that touch it) would not have fitted either.
            let mut more = kept.len() + 1;
            while more < runs.len() && runs[more].from == runs[more - 1].to {
                more += 1;
            }
            let with_it = encode(Departure::StillHere, 1200, runs[..more].iter().copied(), &SUBJECT, LIMIT);
            prop_assert!(with_it.text.len() > limit);
        }
    }

    /// The layout is found in one pass; this tries all of them.
    #[test]
    fn no_layout_is_cheaper(parts in prop::collection::vec(
        (prop_oneof![8 => 1u64..3, 1 => 1u64..500], prop_oneof![8 => 1u64..3, 1 => 1u64..5000]), 1..14)) {
        let mut at = 0;
        let spans: Vec<Span> = parts
            .iter()
            .map(|(hole, length)| {
                let from = at + hole;
                at = from + length;
                Span { from, to: at, epoch_bits: 0 }
            })
            .collect();
        let layout = Layout::cheapest(&spans, u64::MAX / 2);
        prop_assert_eq!(layout.covered(), spans.len());
        let mut writer = BitWriter::default();
        layout.write(&spans, &mut writer);
        let least = cheapest_from(&spans, 0) + u64::from(layout::COUNT_WIDTH);
        prop_assert_eq!(writer.finish().len() as u64, least.div_ceil(8));
        let runs: Vec<FinishedRun> = spans.iter().map(|span| run(span.from as i64, span.to as i64, 0)).collect();
        prop_assert_eq!(room::behind(&runs)[0], cheapest_from(&spans, 1));
    }

    /// What the ledger charges for runs ahead is never less than what they cost.
    #[test]
    fn the_charge_for_what_lies_behind_a_run_is_an_upper_bound(runs in runs()) {
        let behind = room::behind(&runs);
        for (index, &bits) in behind.iter().enumerate() {
            let subject = Subject { offset: runs[index].to, ..SUBJECT };
            let rest = &runs[index + 1..];
            let encoded = encode(Departure::StillHere, 0, rest.iter().copied(), &subject, LIMIT);
            prop_assert!(encoded.complete);
            let taken = text::bytes_in(encoded.text.len() - LEAD) as u64 * 8;
            prop_assert!(taken <= bits + room::FIXED + 64 + 8, "{taken} for {bits}");
        }
    }

    /// Every set of holes and runs within the sums costs at most what is said.
    #[test]
    fn sparse_is_an_upper_bound(parts in prop::collection::vec(
        (prop_oneof![Just(1u64), 1u64..40, 1u64..1 << 40], prop_oneof![1u64..40, 1u64..1 << 40]), 0..60),
        (holes, hole_offsets, run_offsets) in (0u64..5, 0u64..100, 0u64..1000),
    ) {
        let bits: u64 = parts.iter().map(|&(hole, run)| layout::pair_bits(hole, run)).sum();
        let (hole_sum, run_sum) = parts.iter().fold((0, 0), |(holes, runs), (hole, run)| (holes + hole, runs + run));
        let bound = room::sparse(parts.len() as u64 + holes, hole_sum + holes + hole_offsets, run_sum + run_offsets);
        prop_assert!(bits <= bound, "{bits} > {bound}");
    }
}

fn cheapest_from(spans: &[Span], first: usize) -> u64 {
    let start = if first == 0 { 0 } else { spans[first - 1].to };
    let Some(span) = spans.get(first) else { return 0 };
    let pair = layout::pair_bits(span.from - start, span.to - span.from) + cheapest_from(spans, first + 1);
    let bitmap = |last: usize| layout::BITMAP + spans[last].to - start + cheapest_from(spans, last + 1);
    (first..spans.len()).map(bitmap).fold(pair, u64::min)
}

#[test]
fn runs_that_are_out_of_order_are_left_out() {
    let nonsense = [run(1000, 1110, 1), run(1120, 1130, 1), run(1125, 1140, 1), run(1150, 1150, 1), run(1160, 1170, 1)];
    let encoded = encode(Departure::StillHere, 0, nonsense, &SUBJECT, LIMIT);
    assert!(!encoded.complete);
    let snapshot = read(&encoded);
    assert_eq!(snapshot.finished, [run(1120, 1130, 1), run(1160, 1170, 1)]);
    assert_eq!(snapshot.started_below, SUBJECT.offset);
}

#[test]
fn a_run_may_begin_at_the_committed_offset_and_end_at_the_last() {
    let runs = [run(1100, 1101, -1), run(1101, 1102, 4), run(1103, i64::MAX, i32::MAX)];
    let encoded = encode(Departure::LeftWell, i64::MAX, runs, &SUBJECT, LIMIT);
    assert!(encoded.complete);
    assert_eq!(read(&encoded).finished, runs);
}

#[test]
fn an_offset_that_does_not_exist_has_no_runs() {
    let subject = Subject { offset: -1001, ..SUBJECT };
    let encoded = encode(Departure::StillHere, 5, [run(-7, 3, 1)], &subject, LIMIT);
    assert!(!encoded.complete);
    assert_eq!(decode(encoded.text.as_bytes(), &subject).unwrap().unwrap().finished, []);
}
