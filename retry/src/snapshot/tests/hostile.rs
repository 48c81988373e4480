//! Whatever stands beside an offset: no panic, no run that was not written for it, no work beyond its length.

use super::*;

const NOTHING: Parts = Parts { runs: false, suspicion: false };
const RUNS: Parts = Parts { runs: true, suspicion: false };

fn subject() -> impl Strategy<Value = (String, String, Option<[u8; 16]>, i32, i64)> {
    let group = prop_oneof![Just("billing".to_owned()), "[a-z]{0,9}"];
    let topic = prop_oneof![Just("orders".to_owned()), "[a-z]{0,9}"];
    let id = prop_oneof![Just(SUBJECT.topic_id), any::<Option<[u8; 16]>>()];
    (group, topic, id, prop_oneof![Just(3), any::<i32>()], prop_oneof![Just(1100), any::<i64>()])
}

fn sample(runs: &[FinishedRun]) -> String {
    encode(Departure::StillHere, 1300, runs.iter().copied(), &SUBJECT, LIMIT).text
}

/// What every reader may rely on.
fn assert_sound(snapshot: &Snapshot, offset: i64, bytes: usize) {
    let mut reached = offset;
    for run in &snapshot.finished {
        assert!(run.from >= reached && run.to > run.from);
        reached = run.to;
    }
    assert!(snapshot.finished.len() <= bytes * 4);
    assert!(snapshot.started_below >= offset);
    let marks = &snapshot.suspicion.marks;
    assert!(marks.len() <= MAX_MARKS && marks.iter().all(|mark| mark.runs.len() <= MAX_RUNS && mark.offset >= offset));
    assert!(marks.windows(2).all(|pair| pair[0].offset < pair[1].offset));
}

proptest! {
    #[test]
    fn arbitrary_bytes_give_no_run(metadata in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!matches!(decode(&metadata, &SUBJECT), Ok(Some(_))));
    }

    #[test]
    fn arbitrary_text_that_looks_like_ours_gives_no_run(metadata in "r1[nrst][A-Za-z0-9_-]{0,200}") {
        let result = decode(metadata.as_bytes(), &SUBJECT);
        prop_assert!(matches!(result, Err(SnapshotError::Damaged | SnapshotError::Unbound)));
    }

    /// RULES 3: a text beside another group, topic, topic identity, partition or offset.
    #[test]
    fn a_snapshot_of_something_else_gives_no_run(runs in runs(), (group, topic, topic_id, partition, offset) in subject()) {
        let other = Subject { group: &group, topic: &topic, topic_id, partition, offset };
        let result = decode(sample(&runs).as_bytes(), &other);
        if other == SUBJECT {
            prop_assert!(matches!(result, Ok(Some(_))));
        } else {
            prop_assert_eq!(result, Err(SnapshotError::Unbound));
        }
    }

    #[test]
    fn a_snapshot_with_one_bit_flipped_gives_no_run(runs in runs(), place in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut metadata = sample(&runs).into_bytes();
        let place = place.index(metadata.len());
        metadata[place] ^= 1u8 << bit;
        prop_assert!(decode(&metadata, &SUBJECT).is_err());
    }

    #[test]
    fn a_snapshot_that_was_cut_or_prolonged_gives_no_run(
        runs in runs(), cut in any::<prop::sample::Index>(), more in "[A-Za-z0-9_-]{1,9}",
    ) {
        let text = sample(&runs);
        let cut = cut.index(text.len());
        prop_assert!(!matches!(decode(&text.as_bytes()[..cut], &SUBJECT), Ok(Some(_))));
        prop_assert!(!matches!(decode(&text.as_bytes()[cut + 1..], &SUBJECT), Ok(Some(_))));
        prop_assert!(decode((text + &more).as_bytes(), &SUBJECT).is_err());
    }

    /// As if a writer had made a mistake and sealed it: the checksum is right, the body is anything.
    #[test]
    fn any_body_gives_sound_runs_or_none(
        body in prop::collection::vec(any::<u8>(), 0..400), offset in prop_oneof![0i64..2000, 0..=i64::MAX],
    ) {
        for (runs, suspicion) in [(false, false), (true, false), (false, true), (true, true)] {
            if let Some(snapshot) = decode::read(&body, Parts { runs, suspicion }, offset) {
                assert_sound(&snapshot, offset, body.len());
            }
        }
    }

    /// The same, with bodies that get far before they go wrong.
    #[test]
    fn a_body_with_one_bit_flipped_gives_sound_runs_or_none(runs in runs(), place in any::<prop::sample::Index>()) {
        let text = sample(&runs);
        let mut body = text::read(&text.as_bytes()[LEAD..]).unwrap();
        body.truncate(body.len() - 8);
        let place = place.index(body.len() * 8);
        body[place / 8] ^= 1 << (place % 8);
        if let Some(snapshot) = decode::read(&body, Parts { runs: text.starts_with(LEAD_RUNS), suspicion: false }, SUBJECT.offset) {
            assert_sound(&snapshot, SUBJECT.offset, body.len());
        }
    }
}

/// The densest body there can be: alternating bits, and after them as many elements as the count can say.
#[test]
fn a_short_text_does_not_grow_into_many_runs() {
    let mut bits = BitWriter::default();
    bits.put(0, 1);
    (0..3).for_each(|_| bits.number(0));
    bits.put((1 << layout::COUNT_WIDTH) - 1, layout::COUNT_WIDTH);
    bits.put(0b11, 2);
    bits.put(24_000, layout::LENGTH_WIDTH);
    (0..750).for_each(|_| bits.put(0x5555_5555, 32));
    let body = bits.finish();
    assert_eq!(decode::read(&body, RUNS, 0), None, "the other elements are missing");

    let alternating: Vec<FinishedRun> = (0..12_100).map(|hole| run(1101 + 2 * hole, 1102 + 2 * hole, 0)).collect();
    let text = sample(&alternating);
    assert!(text.len() <= LIMIT);
    assert_eq!(decode(text.as_bytes(), &SUBJECT).unwrap().unwrap().finished, alternating);
}

#[test]
fn a_text_beyond_the_limit_is_not_even_read() {
    let mut text = sample(&[run(1101, 1500, 7)]);
    text.push_str(&"A".repeat(LIMIT));
    assert_eq!(decode(text.as_bytes(), &SUBJECT), Err(SnapshotError::Damaged));
    assert_eq!(decode(&vec![b'r'; 10_000_000], &SUBJECT), Err(SnapshotError::Foreign));
}

#[test]
fn what_is_not_a_snapshot_says_why() {
    let decode = |metadata: &str| decode(metadata.as_bytes(), &SUBJECT);
    assert_eq!(decode(""), Ok(None));
    for foreign in
        [" ", "r", "r1", "rn", "r1N", "r1-", "R1n", "r0n", "r01n", "r12345n", "r+1n", "bm9uZQ==", "{\"a\":1}"]
    {
        assert_eq!(decode(foreign), Err(SnapshotError::Foreign), "{foreign}");
    }
    for damaged in ["r1n", "r1x", "r1nA", "r1n=", "r1nAAAAAAAAAA", "r1rAAAAAAAAAé"] {
        assert_eq!(decode(damaged), Err(SnapshotError::Damaged), "{damaged}");
    }
    assert_eq!(decode("r2n"), Err(SnapshotError::TooNew(2)));
    assert_eq!(decode("r9999zanything"), Err(SnapshotError::TooNew(9999)));
    assert_eq!(SnapshotError::TooNew(2).to_string(), "metadata has version 2, and this release reads versions up to 1");
}

/// The four places where a sealed mistake would carry an offset over the edge.
#[test]
fn numbers_that_no_offset_has_are_refused() {
    let body = |write: &dyn Fn(&mut BitWriter)| {
        let mut bits = BitWriter::default();
        bits.put(0, 1);
        write(&mut bits);
        bits.finish()
    };
    let far = i64::MAX as u64;
    let started = body(&|bits| bits.number(far));
    assert!(decode::read(&started, NOTHING, 0).is_some());
    assert_eq!(decode::read(&started, NOTHING, 1), None);
    let epoch = body(&|bits| [0, far, 0].into_iter().for_each(|number| bits.number(number)));
    assert_eq!(decode::read(&epoch, RUNS, 0), None);
    let run = |hole: u64, run: u64| {
        body(&|bits| {
            (0..3).for_each(|_| bits.number(0));
            bits.put(1, layout::COUNT_WIDTH);
            bits.put(0b10, 2);
            bits.number(hole);
            bits.number(run);
        })
    };
    assert!(decode::read(&run(0, 100), RUNS, 0).is_some());
    assert_eq!(decode::read(&run(far, 100), RUNS, 0), None);
    assert_eq!(decode::read(&run(far, far), RUNS, 0), None);
    assert_eq!(decode::read(&run(0, 100), RUNS, i64::MAX - 50), None);
}
