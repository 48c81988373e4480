mod model;
mod room;

use super::{FinishedRun, Ledger, Receipt};
use crate::snapshot::{Departure, Encoded, LIMIT, Subject, decode, encode};
use model::Model;
use proptest::prelude::*;

/// A small generator, so that a script is a few numbers and shrinks well.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn subject(ledger: &Ledger) -> Subject<'static> {
    Subject { group: "billing", topic: "orders", topic_id: Some([7; 16]), partition: 3, offset: ledger.watermark() }
}

fn snapshot(ledger: &Ledger, limit: usize) -> Encoded {
    encode(Departure::StillHere, ledger.next(), ledger.finished_runs(), &subject(ledger), limit)
}

/// The ledger of the next owner.
fn resumed(ledger: &Ledger, limit: usize) -> (Ledger, bool) {
    let encoded = snapshot(ledger, limit);
    assert!(encoded.text.len() <= limit);
    let finished =
        decode(encoded.text.as_bytes(), &subject(ledger)).unwrap().map_or(Vec::new(), |snapshot| snapshot.finished);
    (Ledger::resume(ledger.watermark(), ledger.watermark_epoch(), finished), encoded.complete)
}

/// One step of a script; what is random in it comes from the dice.
#[derive(Clone, Debug)]
enum Step {
    /// So many records, with gaps of up to `gap` offsets before one in four.
    Receive { count: u64, gap: u64 },
    /// The leader epoch changes by this much.
    Epoch(i32),
    /// Each unfinished record ends with this probability, in per cent.
    FinishSome(u64),
    /// The lowest ones end, in any order.
    FinishOldest(usize),
    /// The next owner takes over.
    Resume,
}

fn step(epochs: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..20, 0u64..8).prop_map(|(count, gap)| Step::Receive { count, gap }),
        2 => (1u64..1500, prop_oneof![3 => Just(0u64), 1 => 1u64..40])
            .prop_map(|(count, gap)| Step::Receive { count, gap }),
        1 => epochs.prop_map(Step::Epoch),
        3 => prop_oneof![Just(100u64), 0u64..100, 95u64..100].prop_map(Step::FinishSome),
        3 => prop_oneof![1usize..8, 1usize..1500].prop_map(Step::FinishOldest),
        1 => Just(Step::Resume),
    ]
}

/// A ledger beside its model.
struct Pair {
    ledger: Ledger,
    model: Model,
    epoch: i32,
    dice: Dice,
}

impl Pair {
    fn new(position: i64, epoch: i32, finished: Vec<FinishedRun>, seed: u64) -> Self {
        let ledger = Ledger::resume(position, epoch, finished.clone());
        Self { ledger, model: Model::new(position, epoch, finished), epoch, dice: Dice(seed) }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Receive { count, gap } => (0..count).for_each(|_| {
                self.receive(gap);
                if count < 20 {
                    self.check();
                }
            }),
            Step::Epoch(change) => self.epoch = (self.epoch + change).max(-1),
            Step::FinishSome(share) => {
                let mut sequences = self.model.unfinished();
                sequences.retain(|_| self.dice.below(100) < share);
                self.finish(sequences);
            }
            Step::FinishOldest(count) => {
                let mut sequences = self.model.unfinished();
                sequences.truncate(count);
                self.finish(sequences);
            }
            Step::Resume => {
                let (ledger, complete) = resumed(&self.ledger, LIMIT);
                if complete {
                    self.model.hand_over();
                    self.ledger = ledger;
                }
            }
        }
    }

    fn receive(&mut self, gap: u64) {
        let skipped = if gap > 0 && self.dice.below(4) == 0 { self.dice.below(gap + 1) } else { 0 };
        let offset = self.ledger.next() + skipped as i64;
        assert_eq!(self.ledger.receive(offset, self.epoch), self.model.receive(offset, self.epoch));
        let repeated = offset - self.dice.below(3) as i64;
        assert_eq!(self.ledger.receive(repeated, self.epoch), Receipt::Repeated);
    }

    fn finish(&mut self, mut sequences: Vec<u64>) {
        for last in (1..sequences.len()).rev() {
            sequences.swap(last, self.dice.below(last as u64 + 1) as usize);
        }
        for sequence in sequences {
            let watermark = self.ledger.watermark();
            assert!(self.ledger.is_unfinished(sequence));
            assert_eq!(self.ledger.offset(sequence), self.model.offset(sequence));
            assert!(self.ledger.finish(sequence));
            assert!(!self.ledger.finish(sequence));
            assert!(!self.ledger.is_unfinished(sequence));
            self.model.finish(sequence);
            assert!(self.ledger.watermark() >= watermark);
        }
        assert!(!self.ledger.finish(self.model.sequences));
    }

    fn check(&self) {
        let (ledger, model) = (&self.ledger, &self.model);
        assert_eq!(ledger.watermark(), model.watermark());
        assert_eq!(ledger.watermark_epoch(), model.watermark_epoch());
        assert_eq!(ledger.next(), model.next);
        let unfinished = model.unfinished();
        assert_eq!(ledger.unfinished(), unfinished.len());
        for from in [model.sequences / 2, model.sequences.saturating_sub(2)] {
            let first = unfinished.iter().find(|&&sequence| sequence >= from).and_then(|&first| model.offset(first));
            assert_eq!(ledger.unfinished_from(from), first.unwrap_or(model.next));
        }
        assert_eq!(ledger.finished_beyond(), model.finished_beyond());
        assert_eq!(ledger.restored_runs(), model.restored.len());
        assert_eq!(ledger.finished_runs().collect::<Vec<_>>(), model.finished_runs());
    }
}

/// Runs in order with some nonsense among them.
fn runs() -> impl Strategy<Value = Vec<FinishedRun>> {
    let run = (0i64..12, 0i64..40, prop_oneof![4 => Just(5), 1 => -1i32..9]);
    prop::collection::vec((run, prop::bool::weighted(0.05)), 0..20).prop_map(|runs| {
        let mut at = 1000;
        let place = |((hole, length, leader_epoch), nonsense)| {
            let from = if nonsense { at - 30 } else { at + hole };
            let run = FinishedRun { from, to: from + length, leader_epoch };
            at = at.max(run.to);
            run
        };
        runs.into_iter().map(place).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Promise 1, 2; RULES 2: whatever the gaps, epochs, restored runs and order of ends.
    #[test]
    fn the_ledger_does_what_the_naive_model_does(
        epoch in -1i32..7,
        finished in runs(),
        steps in prop::collection::vec(step(-1..=2), 1..25),
        seed in any::<u64>(),
    ) {
        let mut pair = Pair::new(1000, epoch, finished, seed);
        pair.check();
        for step in &steps {
            pair.play(step);
            pair.check();
        }
    }

    /// Promise 2: the next owner is given the finished records again by Kafka, and skips exactly them.
    #[test]
    fn the_next_owner_skips_exactly_what_was_finished(
        finished in runs(),
        steps in prop::collection::vec(step(0..=2), 1..15),
        seed in any::<u64>(),
        limit in prop_oneof![Just(LIMIT), 0usize..400],
    ) {
        let mut pair = Pair::new(1000, 5, finished, seed);
        steps.iter().for_each(|step| pair.play(step));
        let (mut next_owner, complete) = resumed(&pair.ledger, limit);
        prop_assert_eq!(next_owner.watermark(), pair.ledger.watermark());
        let mut left_out = false;
        for (offset, epoch, unfinished) in pair.model.beyond_watermark() {
            let skipped = next_owner.receive(offset, epoch) == Receipt::AlreadyFinished;
            prop_assert!(!(skipped && unfinished), "{offset} would be lost");
            prop_assert!(!(skipped && left_out), "{offset} is not part of a prefix");
            left_out |= !skipped && !unfinished;
        }
        prop_assert!(!(complete && left_out), "said to be complete");
    }

    /// RULES 2: the log was cut and grew again under another epoch.
    #[test]
    fn a_record_of_another_epoch_is_never_skipped(cut in 1000i64..1400, epoch in -1i32..9) {
        let mut ledger = Ledger::resume(1000, 5, vec![FinishedRun { from: 1100, to: 1400, leader_epoch: 5 }]);
        for offset in 1000..1400 {
            let epoch = if offset < cut { 5 } else { epoch };
            let skipped = ledger.receive(offset, epoch) == Receipt::AlreadyFinished;
            prop_assert_eq!(skipped, offset >= 1100 && epoch == 5);
        }
    }
}

#[test]
fn one_stuck_record_with_ten_million_finished_behind_it_takes_little() {
    let mut ledger = Ledger::resume(0, 3, Vec::new());
    ledger.receive(0, 3);
    for offset in 1..10_000_000i64 {
        if offset % 100_000 == 0 {
            assert_eq!(ledger.has_room(200, LIMIT), 200);
        }
        assert_eq!(ledger.receive(offset, 3), Receipt::Admitted(offset as u64));
        assert!(ledger.finish(offset as u64));
    }
    assert_eq!(ledger.watermark(), 0);
    assert_eq!(ledger.finished_beyond(), 9_999_999);
    assert!(ledger.blocks.iter().flatten().count() <= 2);
    assert!(ledger.blocks.capacity() * size_of::<usize>() <= 300 * 1024);
    assert_eq!(snapshot(&ledger, LIMIT).text.len(), 30);
    assert!(ledger.finish(0));
    assert_eq!(ledger.watermark(), 10_000_000);
    assert!(ledger.blocks.len() <= 1);
}

#[test]
fn numbers_that_no_offset_has_do_no_harm() {
    let run = |from, to| FinishedRun { from, to, leader_epoch: 1 };
    let mut ledger = Ledger::resume(i64::MIN, -1, vec![run(i64::MIN, i64::MAX), run(5, 5), run(9, 7), run(9, 10)]);
    assert_eq!((ledger.watermark(), ledger.restored_runs()), (0, 1));
    assert_eq!(ledger.receive(-1, 1), Receipt::Repeated);
    assert_eq!(ledger.receive(i64::MAX, 1), Receipt::Repeated);
    assert_eq!(ledger.receive(i64::MAX - 1, 1), Receipt::Admitted(0));
    assert_eq!(ledger.receive(i64::MAX - 1, 1), Receipt::Repeated);
    assert!(!ledger.finish(1) && !ledger.finish(u64::MAX));
    assert!(!ledger.is_unfinished(u64::MAX) && ledger.offset(u64::MAX).is_none());
    assert!(snapshot(&ledger, LIMIT).complete);
    assert!(ledger.has_room(100, LIMIT) > 0);
    assert!(ledger.finish(0));
    assert_eq!(ledger.watermark(), i64::MAX);
    assert!(snapshot(&ledger, LIMIT).complete);
}

#[test]
fn the_first_unfinished_record_is_found_beyond_whole_blocks_that_are_finished() {
    let mut ledger = Ledger::resume(1_000, -1, Vec::new());
    (0..2_000).for_each(|offset| assert_eq!(ledger.receive(1_000 + 2 * offset, 0), Receipt::Admitted(offset as u64)));
    (500..1_700).for_each(|sequence| assert!(ledger.finish(sequence)));
    for (from, first) in
        [(0, 0), (499, 499), (500, 1_700), (600, 1_700), (1_024, 1_700), (1_699, 1_700), (1_701, 1_701)]
    {
        assert_eq!(ledger.unfinished_from(from), 1_000 + 2 * first, "from {from}");
    }
    (1_700..2_000).for_each(|sequence| assert!(ledger.finish(sequence)));
    assert_eq!([500, 1_999, 2_000, 9_000].map(|from| ledger.unfinished_from(from)), [ledger.next(); 4]);
}

/// Elections of leaders long ago take neither memory nor room in the snapshot.
#[test]
fn epochs_below_the_watermark_are_forgotten() {
    let mut ledger = Ledger::resume(0, -1, Vec::new());
    for offset in 0..3_000 {
        ledger.receive(offset, offset as i32);
        ledger.finish(offset as u64);
    }
    assert!(ledger.epochs.changes() <= 512, "{} changes", ledger.epochs.changes());
}

/// What an earlier owner finished ahead continues a run that ends where records are still to come only if it begins
/// there and is of the same epoch.
#[test]
fn a_run_ahead_is_not_joined_over_a_hole_or_over_a_change_of_the_epoch() {
    let run = |from, to, leader_epoch| FinishedRun { from, to, leader_epoch };
    for (ahead, joined) in [(run(10, 20, 5), false), (run(5, 20, 6), false), (run(5, 20, 5), true)] {
        let mut ledger = Ledger::resume(0, 5, vec![ahead]);
        for offset in 0..5 {
            assert_eq!(ledger.receive(offset, 5), Receipt::Admitted(offset as u64));
        }
        (1..5).for_each(|sequence| assert!(ledger.finish(sequence)));
        let finished: Vec<FinishedRun> = ledger.finished_runs().collect();
        let expected = if joined { vec![run(1, 20, 5)] } else { vec![run(1, 5, 5), ahead] };
        assert_eq!(finished, expected);
    }
}

/// What was read again of it lies below the watermark.
#[test]
fn of_a_restored_run_that_is_half_read_the_rest_is_told() {
    let run = |from, to| FinishedRun { from, to, leader_epoch: 3 };
    let mut ledger = Ledger::resume(0, 3, vec![run(1, 10)]);
    let Receipt::Admitted(first) = ledger.receive(0, 3) else { panic!("nobody has finished it") };
    assert_eq!([1, 2].map(|offset| ledger.receive(offset, 3)), [Receipt::AlreadyFinished; 2]);
    assert_eq!(ledger.finished_runs().collect::<Vec<_>>(), [run(1, 10)]);
    assert!(ledger.finish(first));
    assert_eq!((ledger.watermark(), ledger.finished_runs().collect::<Vec<_>>()), (3, vec![run(3, 10)]));
}
