//! Parts of the engine by themselves.

use retrial_core::{
    gate::{self, BrokerClock},
    history::{History, OwnHeaders, SourceTime},
    id::Origin,
    lane::Lanes,
    ledger::{Ledger, Receipt},
    snapshot::{self, Departure, FinishedRun, Subject},
    time::Timestamp,
};
use std::{hint::black_box, time::Duration};

/// Records under way at a time.
const WINDOW: u64 = 1024;

/// Admits records and finishes them in the order of their arrival.
pub(crate) fn ledger_in_order(records: u64) {
    finish(records, |number| number);
}

/// The same, each window from its end, so that the watermark waits.
pub(crate) fn ledger_scattered(records: u64) {
    finish(records, |number| number ^ (WINDOW - 1));
}

fn finish(records: u64, order: impl Fn(u64) -> u64) {
    let mut ledger = Ledger::resume(0, 0, Vec::new());
    let rounds = records / WINDOW;
    for round in 0..rounds {
        for number in round * WINDOW..(round + 1) * WINDOW {
            let receipt = ledger.receive(number.cast_signed(), 0);
            assert_eq!(receipt, Receipt::Admitted(number));
        }
        for number in round * WINDOW..(round + 1) * WINDOW {
            assert!(ledger.finish(order(number)));
        }
    }
    assert_eq!(ledger.watermark(), (rounds * WINDOW).cast_signed());
}

/// As much as a commit holds: every second record of a stretch is finished.
const RUNS: u64 = 1000;

fn subject() -> Subject<'static> {
    Subject { group: "billing", topic: "orders", topic_id: Some([7; 16]), partition: 3, offset: 1_000_000 }
}

fn runs() -> impl Iterator<Item = FinishedRun> {
    (0..RUNS.cast_signed()).map(|run| {
        let from = subject().offset + 1 + 2 * run;
        FinishedRun { from, to: from + 1, leader_epoch: 0 }
    })
}

fn written() -> String {
    let below = subject().offset + 2 * RUNS.cast_signed() + 1;
    let encoded = snapshot::encode(Departure::StillHere, below, runs(), &subject(), snapshot::LIMIT);
    assert!(encoded.complete);
    encoded.text
}

/// Writes commits' metadata, a finished run counted as a record.
pub(crate) fn snapshot_write(records: u64) {
    for _ in 0..records / RUNS {
        black_box(written());
    }
}

/// Reads them.
pub(crate) fn snapshot_read(records: u64) {
    let text = written();
    for _ in 0..records / RUNS {
        let snapshot = snapshot::decode(black_box(text.as_bytes()), &subject()).expect("what was written");
        assert_eq!(snapshot.expect("a snapshot").finished.len() as u64, RUNS);
    }
}

/// Every eighth record waits for the one of its key before it.
pub(crate) fn lanes(records: u64) {
    let mut lanes = Lanes::new();
    for window in 0..records / WINDOW {
        let lane = |number: u64| (number % (WINDOW / 8 * 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ window;
        let begun = (0..WINDOW).filter_map(|number| lanes.enter(lane(number), number)).count() as u64;
        let follow = (0..WINDOW).filter_map(|number| lanes.leave(lane(number))).count() as u64;
        assert_eq!(begun + follow, WINDOW);
    }
    assert_eq!(lanes.busy(), 0);
}

/// When a record of a tier is due, by the broker's clock, which every tenth one tells.
pub(crate) fn gates(records: u64) {
    let mut clock = BrokerClock::new();
    for number in 0..records.cast_signed() {
        let now = Timestamp::from_millis(1_000_000 + number / 10);
        if number % 10 == 0 {
            clock.acknowledged(now, now.shifted(2), now.shifted(1));
        }
        let opens = gate::open_at(now, Duration::from_secs(5));
        black_box(clock.local_when(opens) > now && clock.broker_now(now) < opens);
    }
}

/// Writes the headers of forwards that failed once.
pub(crate) fn headers(records: u64) {
    let origin = Origin { topic: "orders".into(), partition: 3, offset: 184_467 };
    let failed = Timestamp::from_millis(1_795_342_860_000);
    let mut history = History::new(origin, SourceTime::Create(failed));
    (history.attempts, history.step, history.hop) = (1, 1, 1);
    (history.due, history.first_failed, history.last_failed) = (Some(failed), Some(failed), Some(failed));
    (history.error_kind, history.error) = (Some("bank".to_owned()), Some("the bank does not answer".to_owned()));
    let mut headers = OwnHeaders::default();
    for record in 0..records {
        history.origin.offset = record.cast_signed();
        history.encode_into("billing", &mut headers);
        assert!(black_box(&headers).bytes() > 0);
    }
}
