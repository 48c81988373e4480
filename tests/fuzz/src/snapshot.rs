//! Commit metadata: any text is read without harm, and what is written reads back.
//!
//! The first byte chooses: the rest is a text as it stands; a body that is sealed first, so that it passes the
//! checksum; or runs to be written, and a place where the text is damaged afterwards.

use super::seal::seal;
use arbitrary::{Arbitrary, Unstructured};
use retrial_core::{
    ledger::Ledger,
    snapshot::{Departure, FinishedRun, LIMIT, Snapshot, SnapshotError, Subject, decode, encode, encode_suspecting},
};

/// No text holds more runs: two bits each, and 4 KiB less lead and checksum.
const MOST_RUNS: usize = 12_244;

/// Panics if a text harms the reader, or if something that was written does not read back.
pub fn check(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => read_anything(rest),
        1 => read_sealed(rest),
        _ => write_and_read(rest),
    }
}

fn subject(offset: i64) -> Subject<'static> {
    Subject { group: "billing", topic: "orders", topic_id: None, partition: 3, offset }
}

fn read_anything(text: &[u8]) {
    for offset in [0, 1100] {
        if let Ok(Some(snapshot)) = decode(text, &subject(offset)) {
            is_sound(&snapshot, offset);
        }
    }
}

/// A body of any content behind a right checksum: a writer's mistake, or one who forges.
fn read_sealed(bytes: &[u8]) {
    let Some((offset, [flags, body @ ..])) = bytes.split_first_chunk().map(|(offset, rest)| (*offset, rest)) else {
        return;
    };
    let offset = i64::from_be_bytes(offset);
    let topic_id = (flags & 2 == 2).then_some([*flags; 16]);
    let subject = Subject { topic_id, ..subject(offset) };
    let text = seal(if flags & 1 == 1 { "r1n" } else { "r1r" }, body, &subject);
    match decode(text.as_bytes(), &subject) {
        Ok(snapshot) => {
            let snapshot = snapshot.expect("the text is not empty");
            is_sound(&snapshot, offset);
            if offset >= 0 {
                is_written_as_well(&snapshot, &subject);
            }
        }
        Err(error) => assert_eq!(error, SnapshotError::Damaged, "the seal is right"),
    }
}

/// Whatever a text says, its runs are in order, disjoint and not below the offset, and a ledger can go on from them.
fn is_sound(snapshot: &Snapshot, offset: i64) {
    assert!(snapshot.started_below >= offset);
    assert!(snapshot.finished.len() <= MOST_RUNS);
    let mut reached = offset;
    for run in &snapshot.finished {
        assert!(reached <= run.from && run.from < run.to, "{run:?} after {reached}");
        reached = run.to;
    }
    let mut ledger = Ledger::resume(offset, -1, snapshot.finished.clone());
    for run in snapshot.finished.iter().take(3) {
        ledger.receive(run.from, run.leader_epoch);
        ledger.receive(run.to, run.leader_epoch);
    }
    assert!(ledger.watermark() >= offset);
}

/// Our own writer needs no more room for what some other writer said within the limit.
fn is_written_as_well(snapshot: &Snapshot, subject: &Subject<'_>) {
    let Snapshot { departure, started_below, finished, suspicion } = snapshot;
    let finished_runs = finished.iter().copied();
    let encoded = encode_suspecting(suspicion, *departure, *started_below, finished_runs, subject, LIMIT);
    assert!(encoded.complete, "{} runs fitted, and do not any more", finished.len());
    let again = decode(encoded.text.as_bytes(), subject).expect("our own text").expect("it is not empty");
    assert_eq!((again.departure, again.started_below), (*departure, *started_below));
    assert_eq!(&again.suspicion, suspicion);
    assert_eq!(again.finished, joined(finished.iter().copied()));
}

/// Runs that touch and agree in their epoch are one.
fn joined(runs: impl IntoIterator<Item = FinishedRun>) -> Vec<FinishedRun> {
    let mut joined: Vec<FinishedRun> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if last.to == run.from && last.leader_epoch == run.leader_epoch => last.to = run.to,
            _ => joined.push(run),
        }
    }
    joined
}

#[derive(Arbitrary, Debug)]
struct Written {
    left_well: bool,
    offset: i64,
    topic_id: Option<[u8; 16]>,
    started: i16,
    limit: u16,
    damage: Option<(u16, u8)>,
    elsewhere: u8,
    runs: Vec<Run>,
}

#[derive(Arbitrary, Debug)]
enum Run {
    /// Behind the last one, as a ledger gives them.
    Next {
        gap: u8,
        length: u8,
        epoch: u8,
    },
    Far {
        gap: u32,
        length: u32,
        epoch: i32,
    },
    /// As no ledger gives them.
    Wild {
        from: i64,
        to: i64,
        epoch: i32,
    },
}

impl Written {
    fn runs(&self) -> Vec<FinishedRun> {
        let mut reached = self.offset.max(0);
        let next = |run: &Run| {
            let (from, to, leader_epoch) = match *run {
                Run::Next { gap, length, epoch } => {
                    let from = reached.saturating_add(i64::from(gap));
                    (from, from.saturating_add(i64::from(length)), i32::from(epoch / 64))
                }
                Run::Far { gap, length, epoch } => {
                    let from = reached.saturating_add(i64::from(gap));
                    (from, from.saturating_add(i64::from(length)), epoch)
                }
                Run::Wild { from, to, epoch } => (from, to, epoch),
            };
            reached = reached.max(to);
            FinishedRun { from, to, leader_epoch }
        };
        self.runs.iter().map(next).collect()
    }
}

fn write_and_read(bytes: &[u8]) {
    let Ok(written) = Written::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let departure = if written.left_well { Departure::LeftWell } else { Departure::StillHere };
    let subject = Subject { topic_id: written.topic_id, ..subject(written.offset) };
    let started_below = written.offset.saturating_add(i64::from(written.started));
    let limit = usize::from(written.limit);
    let runs = written.runs();
    let encoded = encode(departure, started_below, runs.iter().copied(), &subject, limit);
    assert!(encoded.text.len() <= limit.min(LIMIT) && encoded.text.is_ascii());
    let read = decode(encoded.text.as_bytes(), &subject).expect("our own text");
    let Some(read) = read else {
        assert!(encoded.text.is_empty() && !encoded.complete);
        return;
    };
    is_sound(&read, written.offset);
    assert_eq!((read.departure, read.started_below), (departure, started_below.max(written.offset)));
    let kept = joined(
        runs.iter()
            .copied()
            .scan(written.offset.max(0), |reached, run| {
                let keeps = written.offset >= 0 && run.from >= *reached && run.to > run.from;
                *reached = if keeps { run.to } else { *reached };
                Some(keeps.then_some(run))
            })
            .flatten(),
    );
    assert!(is_prefix(&read.finished, &kept), "{:?} of {kept:?}", read.finished);
    assert!(!encoded.complete || read.finished == kept);
    means_nothing_elsewhere(&encoded.text, &subject, written.elsewhere);
    if let Some((place, byte)) = written.damage {
        means_nothing_damaged(encoded.text.into_bytes(), &subject, usize::from(place), byte);
    }
}

/// What did not fit is left out from the end; the last run that is there may be a part.
fn is_prefix(read: &[FinishedRun], all: &[FinishedRun]) -> bool {
    let Some((last, whole)) = read.split_last() else { return true };
    let Some(cut) = all.get(whole.len()) else { return false };
    all.starts_with(whole) && last.from == cut.from && last.to <= cut.to && last.leader_epoch == cut.leader_epoch
}

fn means_nothing_elsewhere(text: &str, subject: &Subject<'_>, which: u8) {
    let elsewhere = match which % 5 {
        0 => Subject { group: "billing2", ..*subject },
        1 => Subject { topic: "order", ..*subject },
        2 => Subject { topic_id: Some([7; 16]).filter(|id| Some(*id) != subject.topic_id), ..*subject },
        3 => Subject { partition: 4, ..*subject },
        _ => Subject { offset: subject.offset.wrapping_add(1), ..*subject },
    };
    if elsewhere != *subject {
        assert_eq!(decode(text.as_bytes(), &elsewhere), Err(SnapshotError::Unbound));
    }
}

fn means_nothing_damaged(mut text: Vec<u8>, subject: &Subject<'_>, place: usize, byte: u8) {
    let place = place % text.len();
    if std::mem::replace(&mut text[place], byte) != byte {
        assert!(decode(&text, subject).is_err(), "one character is another, and it is read all the same");
    }
}
