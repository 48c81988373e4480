//! RULES 10: what was admitted always fits, whatever comes and in whatever order it ends.

use super::{Dice, FinishedRun, Ledger, Receipt, resumed, snapshot};
use crate::snapshot::LIMIT;
use proptest::prelude::*;

/// Which offsets the adversary's log has.
#[derive(Clone, Copy, Debug)]
enum Log {
    Dense,
    /// Gaps of up to so many offsets before every record.
    Gaps(u64),
    /// Mostly dense, with a gap of any length before one in so many.
    Wide(u64),
    /// Dense for so many records, then a gap of up to 2^50 offsets.
    Patches(u64),
}

/// Which records the adversary lets end.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Never,
    EveryOther,
    Share(u64),
    /// All but one in so many.
    AllBut(u64),
}

#[derive(Clone, Debug)]
struct Phase {
    log: Log,
    batch: usize,
    batches: usize,
    ends: Ends,
    restart: bool,
}

fn phase() -> impl Strategy<Value = Phase> {
    let log = prop_oneof![
        3 => Just(Log::Dense),
        2 => (1u64..300).prop_map(Log::Gaps),
        2 => (1u64..200).prop_map(Log::Wide),
        2 => (1u64..100).prop_map(Log::Patches),
    ];
    let ends = prop_oneof![
        1 => Just(Ends::Never),
        2 => Just(Ends::EveryOther),
        2 => (0u64..100).prop_map(Ends::Share),
        3 => prop_oneof![2u64..20, 2u64..2000].prop_map(Ends::AllBut),
    ];
    (log, 1usize..300, 1usize..40, ends, prop::bool::weighted(0.2))
        .prop_map(|(log, batch, batches, ends, restart)| Phase { log, batch, batches, ends, restart })
}

struct Adversary {
    ledger: Ledger,
    waiting: Vec<u64>,
    epoch: i32,
    dice: Dice,
    budget: usize,
}

impl Adversary {
    fn play(&mut self, phase: &Phase) {
        for _ in 0..phase.batches {
            let room = self.ledger.has_room(phase.batch, self.budget).min(self.ledger.safe_room(self.budget));
            let changes = self.dice.below(60);
            for _ in 0..room {
                if changes < 4 && self.dice.below(room as u64) < changes {
                    // Rare and far apart, as elections are; the ledger has no more than four in one call.
                    self.epoch = self.epoch.saturating_add(1 + self.dice.below(1 << 20) as i32);
                }
                self.receive(phase.log);
            }
            self.end(phase.ends);
            self.check();
        }
        if phase.restart {
            let (next_owner, complete) = resumed(&self.ledger, self.budget);
            assert!(complete);
            (self.ledger, self.waiting) = (next_owner, Vec::new());
        }
    }

    fn receive(&mut self, log: Log) {
        let gap = match log {
            Log::Dense => 0,
            Log::Gaps(most) => self.dice.below(most + 1),
            Log::Wide(one_in) if self.dice.below(one_in) == 0 => {
                let width = self.dice.below(45);
                self.dice.below(1 + (1 << width))
            }
            Log::Patches(length) if self.ledger.next() as u64 % (length + 1) == length => {
                1 << (40 + self.dice.below(11))
            }
            Log::Wide(_) | Log::Patches(_) => 0,
        };
        if let Receipt::Admitted(sequence) = self.ledger.receive(self.ledger.next() + gap as i64, self.epoch) {
            self.waiting.push(sequence);
        }
    }

    fn end(&mut self, ends: Ends) {
        let (ledger, dice) = (&mut self.ledger, &mut self.dice);
        self.waiting.retain(|&sequence| {
            let stays = match ends {
                Ends::Never => true,
                Ends::EveryOther => sequence % 2 == 0,
                Ends::Share(share) => dice.below(100) >= share,
                Ends::AllBut(one_in) => sequence % one_in == 0,
            };
            stays || !ledger.finish(sequence)
        });
    }

    fn check(&self) {
        let encoded = snapshot(&self.ledger, self.budget);
        assert!(encoded.text.len() <= self.budget);
        assert!(encoded.complete, "{} unfinished", self.ledger.unfinished());
    }

    /// Nothing new comes, and what was admitted ends: every other one first, which makes most holes, then at random.
    fn run_out(&mut self) {
        self.end(Ends::EveryOther);
        self.check();
        while !self.waiting.is_empty() {
            self.end(Ends::Share(15));
            self.check();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn what_was_admitted_always_fits(
        budget in prop_oneof![2 => 500usize..1500, 1 => Just(LIMIT)],
        phases in prop::collection::vec(phase(), 1..8),
        epoch in -1i32..100,
        seed in any::<u64>(),
    ) {
        let ledger = Ledger::resume(40, epoch, Vec::new());
        let mut adversary = Adversary { ledger, waiting: Vec::new(), epoch, dice: Dice(seed), budget };
        phases.iter().for_each(|phase| adversary.play(phase));
        adversary.run_out();
    }
}

/// The worst there is: each record beyond a gap of its own, and all that there is room for in one go.
#[test]
fn what_is_admitted_in_one_go_fits_whatever_gaps_it_has() {
    for budget in [600, LIMIT] {
        let ledger = Ledger::resume(40, 8, Vec::new());
        let mut adversary = Adversary { ledger, waiting: Vec::new(), epoch: 8, dice: Dice(7), budget };
        let room = adversary.ledger.safe_room(budget);
        assert!((10..1_000).contains(&room), "{room} records in {budget} bytes");
        (0..room).for_each(|_| adversary.receive(Log::Patches(0)));
        adversary.run_out();
    }
}

/// Receives as much as there is room for, in batches of 200.
fn fill(ledger: &mut Ledger, mut gap: impl FnMut(i64) -> i64) -> usize {
    let before = ledger.unfinished();
    loop {
        let room = ledger.has_room(200, LIMIT);
        if room == 0 {
            return ledger.unfinished() - before;
        }
        for _ in 0..room {
            let offset = ledger.next();
            ledger.receive(offset + gap(offset), 8);
        }
    }
}

#[test]
fn a_dense_window_takes_23_500_unfinished_records() {
    let mut ledger = Ledger::resume(77, 8, Vec::new());
    for sequence in 0..500 {
        assert_eq!(ledger.receive(ledger.next(), 8), Receipt::Admitted(sequence));
        assert!(ledger.finish(sequence));
    }
    let taken = fill(&mut ledger, |_| 0);
    assert!(taken > 23_500, "{taken}");
    (501..500 + taken as u64).step_by(2).for_each(|sequence| assert!(ledger.finish(sequence)));
    assert!(snapshot(&ledger, LIMIT).complete);
}

/// Promise 3: one record is stuck ten million offsets back, and the front has thousands under way.
#[test]
fn one_stuck_record_leaves_room_for_thousands_beyond_it() {
    let mut ledger = Ledger::resume(0, 8, Vec::new());
    for offset in 0..1_000_000i64 {
        ledger.receive(offset, 8);
        assert!(offset == 0 || ledger.finish(offset as u64));
    }
    let taken = fill(&mut ledger, |_| 0);
    assert!(taken > 22_000, "{taken}");
    (1_000_001..1_000_000 + taken as u64).step_by(2).for_each(|sequence| assert!(ledger.finish(sequence)));
    assert!(snapshot(&ledger, LIMIT).complete);
}

#[test]
fn a_log_full_of_gaps_takes_hundreds() {
    for (gap, least) in [(1, 11_000), (10, 2_000), (100, 225), (1_000_000_000, 200)] {
        let mut ledger = Ledger::resume(0, 8, Vec::new());
        let taken = fill(&mut ledger, |_| gap);
        assert!(taken >= least, "{taken} with gaps of {gap}");
        (1..taken as u64).step_by(2).for_each(|sequence| assert!(ledger.finish(sequence)));
        assert!(snapshot(&ledger, LIMIT).complete);
    }
}

#[test]
fn a_thousand_stuck_records_may_lie_anywhere_in_a_million() {
    let mut ledger = Ledger::resume(0, 8, Vec::new());
    let mut stuck = 0;
    for offset in 0..1_000_000i64 {
        assert!(ledger.has_room(1, LIMIT) == 1, "{stuck} stuck at {offset}");
        ledger.receive(offset, 8);
        match offset % 1000 {
            999 => stuck += 1,
            _ => assert!(ledger.finish(offset as u64)),
        }
    }
    assert_eq!(ledger.unfinished(), 1000);
    assert!(snapshot(&ledger, LIMIT).complete);
}

/// A partition that is taken over with a full snapshot must not stand still for ever.
#[test]
fn a_full_snapshot_still_lets_some_records_in() {
    let mut ledger = Ledger::resume(0, 8, Vec::new());
    let taken = fill(&mut ledger, |_| 0);
    (1..taken as u64).step_by(2).for_each(|sequence| assert!(ledger.finish(sequence)));
    let (mut next_owner, complete) = resumed(&ledger, LIMIT);
    assert!(complete);
    let mut turns = 0;
    while next_owner.next() < ledger.next() {
        let room = next_owner.has_room(250, LIMIT);
        assert!(room > 0);
        let admitted: Vec<u64> = (0..room)
            .filter_map(|_| match next_owner.receive(next_owner.next(), 8) {
                Receipt::Admitted(sequence) => Some(sequence),
                _ => None,
            })
            .collect();
        admitted.into_iter().for_each(|sequence| assert!(next_owner.finish(sequence)));
        turns += 1;
    }
    assert!(turns < 500, "{turns}");
    assert_eq!(next_owner.watermark(), next_owner.next());
}

/// The most that a gap can cost: crowded patches, and a hole around every gap between them.
#[test]
fn patches_between_wide_gaps_fit() {
    let mut ledger = Ledger::resume(0, 8, Vec::new());
    let mut ended = Vec::new();
    let mut place = 0;
    loop {
        let room = ledger.has_room(200, LIMIT);
        if room == 0 {
            break;
        }
        for _ in 0..room {
            let gap = if place % 41 == 40 { 1 << 54 } else { 0 };
            let Receipt::Admitted(sequence) = ledger.receive(ledger.next() + gap, 8) else { unreachable!() };
            // A patch begins and ends with an unfinished record.
            ended.extend((place % 41 % 2 == 1).then_some(sequence));
            place += 1;
        }
    }
    assert!(ledger.unfinished() > 5000, "{}", ledger.unfinished());
    ended.into_iter().for_each(|sequence| assert!(ledger.finish(sequence)));
    assert!(snapshot(&ledger, LIMIT).complete);
}

/// Blocks that are finished for good lie between crowded ones, and have gaps of their own.
#[test]
fn what_is_finished_for_good_between_crowded_blocks_fits() {
    let mut ledger = Ledger::resume(0, 8, Vec::new());
    let mut ended = Vec::new();
    'full: for block in 0.. {
        for place in 0..512 {
            if ledger.safe_room(LIMIT) == 0 {
                break 'full;
            }
            let is_over = block % 10 % 3 == 2;
            let gap = if is_over && place == 200 { 1 << 55 } else { 0 };
            let Receipt::Admitted(sequence) = ledger.receive(ledger.next() + gap, 8) else { unreachable!() };
            match is_over {
                true => assert!(ledger.finish(sequence)),
                false => ended.extend((place % 2 == 1).then_some(sequence)),
            }
        }
    }
    assert!(ledger.unfinished() > 15_000, "{}", ledger.unfinished());
    ended.into_iter().for_each(|sequence| assert!(ledger.finish(sequence)));
    assert!(snapshot(&ledger, LIMIT).complete);
}

/// What the last owner left counts as long as it lies ahead.
#[test]
fn what_was_restored_leaves_less_room() {
    let run = |place: i64| FinishedRun { from: 5000 + 2 * place, to: 5001 + 2 * place, leader_epoch: 8 };
    let mut ledger = Ledger::resume(0, 8, (0..11_000).map(run).collect());
    let mut waiting = Vec::new();
    while ledger.safe_room(LIMIT) > 0 && ledger.next() < 5000 {
        let Receipt::Admitted(sequence) = ledger.receive(ledger.next(), 8) else { unreachable!() };
        waiting.push(sequence);
    }
    assert!((500..5000).contains(&waiting.len()), "{}", waiting.len());
    waiting.retain(|sequence| sequence % 2 == 0 || !ledger.finish(*sequence));
    assert!(snapshot(&ledger, LIMIT).complete);
}

/// What the last owner left counts until it is passed.
#[test]
fn what_was_restored_fits_beside_what_is_new() {
    let mut ledger = Ledger::resume(0, 8, Vec::new());
    (0..20_000).for_each(|offset| assert_eq!(ledger.receive(offset, 8), Receipt::Admitted(offset as u64)));
    (4000..20_000).filter(|sequence| sequence % 2 == 1).for_each(|sequence| assert!(ledger.finish(sequence)));
    let (mut next_owner, complete) = resumed(&ledger, LIMIT);
    assert!(complete);
    let mut waiting = Vec::new();
    loop {
        let room = next_owner.safe_room(LIMIT).min(200);
        for _ in 0..room {
            if let Receipt::Admitted(sequence) = next_owner.receive(next_owner.next(), 8) {
                waiting.push(sequence);
            }
        }
        if room == 0 {
            break;
        }
    }
    assert!(next_owner.next() > 23_000, "{}", next_owner.next());
    waiting.retain(|sequence| sequence % 3 > 0 || !next_owner.finish(*sequence));
    assert!(snapshot(&next_owner, LIMIT).complete);
    waiting.retain(|sequence| sequence % 2 > 0 || !next_owner.finish(*sequence));
    assert!(snapshot(&next_owner, LIMIT).complete);
}

/// Four elections in every batch, between epochs as far apart as there are.
#[test]
fn changes_of_the_leader_epoch_fit() {
    let mut ledger = Ledger::resume(0, -1, Vec::new());
    let mut received = 0u64;
    while ledger.safe_room(LIMIT) >= 8 {
        for place in 0..8 {
            let epoch = if received & 2 == 0 { i32::MAX } else { -1 };
            let gap = if place % 2 == 0 { 1 << 54 } else { 0 };
            assert!(matches!(ledger.receive(ledger.next() + gap, epoch), Receipt::Admitted(_)));
            received += 1;
        }
    }
    assert!(received > 100, "{received}");
    (0..received).filter(|sequence| sequence % 3 > 0).for_each(|sequence| assert!(ledger.finish(sequence)));
    assert!(snapshot(&ledger, LIMIT).complete);
}
