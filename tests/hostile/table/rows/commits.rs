//! Commit metadata of others, damaged or at the ends of what numbers can say; and a control topic of others.

use super::{record, soup};
use crate::{
    metadata::{RECORDS, STUCK},
    raw::Raw,
    table::row::{Former, Outcome, Place, Row, Written},
};
use retrial_core::snapshot::{Departure, FinishedRun, LIMIT, encode};

/// Name, offset, metadata, outcome.
type Commit<'o> = (&'static str, i64, fn(&Former<'_>) -> Vec<u8>, &'o Outcome);

/// Our own metadata, rightly bound to its offset, that says that these runs are finished.
fn sealed(former: &Former<'_>, runs: &[FinishedRun]) -> Vec<u8> {
    let encoded = encode(Departure::StillHere, i64::MAX, runs.iter().copied(), &former.subject, LIMIT);
    assert!(encoded.complete);
    encoded.text.into_bytes()
}

fn flipped(text: &str, byte: usize, bit: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes[byte] ^= bit;
    bytes
}

/// All that can be said to be finished above an offset.
fn all_above(offset: i64, leader_epoch: i32) -> [FinishedRun; 1] {
    [FinishedRun { from: offset + 1, to: i64::MAX, leader_epoch }]
}

pub(super) fn rows() -> Vec<Row> {
    let [distrusted, trusted, plain, cut] = [Outcome::Distrusted, Outcome::Trusted, Outcome::Plain, Outcome::Cut];
    let rows: [Commit<'_>; 18] = [
        ("text of another tool", STUCK, |_| b"committed by mirror-maker at 2026-11-22".to_vec(), &distrusted),
        ("byte soup", STUCK, |_| soup(512), &distrusted),
        ("byte soup that begins like ours", STUCK, |_| [b"r1r".as_slice(), &soup(90)].concat(), &distrusted),
        ("as long as may be", STUCK, |_| vec![b'r'; LIMIT], &distrusted),
        ("long and ours at first sight", STUCK, |former| [former.own.as_bytes(), &[b'A'; 4000]].concat(), &distrusted),
        ("cut short", STUCK, |former| former.own.as_bytes()[..former.own.len() - 1].to_vec(), &distrusted),
        ("a flipped bit at the start", STUCK, |former| flipped(former.own, 4, 1), &distrusted),
        ("a flipped bit at the end", STUCK, |former| flipped(former.own, former.own.len() - 1, 2), &distrusted),
        ("of another partition", STUCK, |former| former.all[0].clone().into_bytes(), &distrusted),
        ("beside another offset, as a mirror does", STUCK - 2, |former| former.own.into(), &distrusted),
        ("of a later version", STUCK, |former| former.own.replacen("r1", "r9", 1).into(), &distrusted),
        ("empty", STUCK, |_| Vec::new(), &plain),
        ("untouched", STUCK, |former| former.own.into(), &trusted),
        (
            "finished to the last offset, in another epoch",
            STUCK,
            |former| sealed(former, &all_above(STUCK, i32::MAX)),
            &plain,
        ),
        (
            "finished to the last offset, without an epoch",
            STUCK,
            |former| sealed(former, &all_above(STUCK, -1)),
            &plain,
        ),
        ("the last offset there is", i64::MAX, |_| Vec::new(), &cut),
        (
            "the last offset but one, the last one finished",
            i64::MAX - 1,
            |former| {
                let last = FinishedRun { from: i64::MAX - 1, to: i64::MAX, leader_epoch: 0 };
                sealed(former, &[last])
            },
            &cut,
        ),
        ("an offset just past the end", RECORDS + 1, |_| Vec::new(), &cut),
    ];
    let row = |(name, offset, metadata, outcome): Commit<'_>| Row {
        name: name.into(),
        place: Place::Commit,
        written: Written::Commit(offset, metadata),
        outcome: outcome.clone(),
    };
    rows.map(row).into()
}

/// Marks that say which partitions of the source `topic` were read.
pub(super) fn control(topic: &str) -> Vec<Row> {
    let mark = |partition: i32| format!("partition/{topic}/{partition}");
    [
        ("byte soup as a mark", Raw::new(soup(40)).key(mark(0))),
        ("byte soup as the partition", Raw::new("1 - now").key([b"partition/".as_slice(), &soup(40)].concat())),
        ("a partition below zero", Raw::new("1 - 2026-11-22T10:00:00.000Z").key(mark(-1))),
        ("a mark of a later version", Raw::new("2 whatever").key(mark(1))),
        ("a mark of 200 KiB", Raw::new(vec![b'1'; 200 << 10]).key(mark(2))),
    ]
    .map(|(name, odd)| record(Place::Control, name, odd, Outcome::Skipped))
    .into()
}
