//! What is told of records under suspicion.

use super::*;
use crate::time::Timestamp;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn marked(offset: i64, stage: Stage) -> Mark {
    Mark { offset, leader_epoch: 7, stage, condemned: false, witnessed: false, runs: Vec::new() }
}

fn suspicion(marks: Vec<Mark>) -> Suspicion {
    Suspicion { unexplained: 2, vanished_at: at(1_795_342_860), elsewhere: false, marks }
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![Just(Stage::Waits), Just(Stage::Alone), Just(Stage::InCompany), Just(Stage::First)]
}

/// Runs as a service makes them: within minutes of each other.
fn told_runs(most: usize) -> impl Strategy<Value = Vec<Run>> {
    prop::collection::vec((0i64..100_000, any::<bool>()), 0..=most).prop_map(|runs| {
        let mut seconds = 1_795_342_860;
        let run = |(more, lasted)| {
            seconds += more;
            Run { at: at(seconds), lasted }
        };
        runs.into_iter().map(run).collect()
    })
}

fn marks(most: usize) -> impl Strategy<Value = Vec<Mark>> {
    let mark = (0i64..5_000, -1i32..50, stage(), any::<(bool, bool)>(), told_runs(3));
    prop::collection::vec(mark, 0..=most).prop_map(|marks| {
        let mut offset = SUBJECT.offset - 1;
        let mark = |(more, leader_epoch, stage, (condemned, witnessed), runs)| {
            offset += 1 + more;
            Mark { offset, leader_epoch, stage, condemned, witnessed, runs }
        };
        marks.into_iter().map(mark).collect()
    })
}

fn suspicions() -> impl Strategy<Value = Suspicion> {
    (prop_oneof![0u32..9, any::<u32>()], 0i64..4_000_000_000, any::<bool>(), marks(64)).prop_map(
        |(unexplained, seconds, elsewhere, marks)| Suspicion {
            unexplained,
            vanished_at: at(seconds),
            elsewhere,
            marks,
        },
    )
}

proptest! {
    #[test]
    fn a_suspicion_reads_back(suspicion in suspicions(), runs in runs(), departure in departure()) {
        let encoded = encode_suspecting(&suspicion, departure, 1300, runs.iter().copied(), &SUBJECT, LIMIT);
        let snapshot = read(&encoded);
        prop_assert!(encoded.text.len() <= LIMIT);
        prop_assert_eq!((snapshot.departure, snapshot.started_below), (departure, 1300));
        prop_assert_eq!(&snapshot.suspicion, &if suspicion.is_empty() { Suspicion::default() } else { suspicion.clone() });
        prop_assert!(runs.starts_with(&snapshot.finished));
        prop_assert_eq!(encoded.complete, snapshot.finished == runs);
        let lead = match (suspicion.is_empty(), snapshot.finished.is_empty()) {
            (true, true) => "r1n",
            (true, false) => "r1r",
            (false, true) => "r1s",
            (false, false) => "r1t",
        };
        prop_assert!(encoded.text.starts_with(lead));
    }

    #[test]
    fn a_suspicion_takes_the_bits_that_it_says(suspicion in suspicions()) {
        let mut written = BitWriter::default();
        suspicion.write(SUBJECT.offset, &mut written);
        prop_assert_eq!(written.finish().len() as u64, suspicion.bits(SUBJECT.offset).div_ceil(8));
    }

    /// What admission sets aside for it covers what it costs, also with one more mark.
    #[test]
    fn the_charge_for_a_suspicion_is_an_upper_bound(suspicion in suspicions(), mut more in marks(1), runs in runs()) {
        let mut grown = suspicion.clone();
        if grown.marks.len() < MAX_MARKS && let Some(more) = more.pop() {
            let offset = grown.marks.last().map_or(more.offset, |last| last.offset + 1 + more.offset % 999);
            grown.marks.push(Mark { offset, runs: more.runs.into_iter().take(1).collect(), ..more });
        }
        let length = |suspicion: &Suspicion| {
            let finished = runs.iter().copied().take(30);
            encode_suspecting(suspicion, Departure::StillHere, 1300, finished, &SUBJECT, LIMIT).text.len()
        };
        // Four characters more are the bits that fill up the last byte.
        prop_assert!(length(&grown) <= length(&Suspicion::default()) + suspicion_bytes(&suspicion, SUBJECT.offset) + 4);
    }

    #[test]
    fn a_suspicion_takes_half_of_the_room_at_most(suspicion in suspicions(), limit in 0usize..1500) {
        let encoded = encode_suspecting(&suspicion, Departure::StillHere, 1100, [], &SUBJECT, limit);
        prop_assert!(encoded.text.len() <= limit && encoded.complete != encoded.text.is_empty());
        if let Ok(Some(snapshot)) = decode(encoded.text.as_bytes(), &SUBJECT) {
            let (kept, half) = (snapshot.suspicion, room::capacity(limit) / 2);
            prop_assert!(kept.is_empty() || kept.bits(SUBJECT.offset) <= half);
            // It is a part of what was to be told, and no mark that fits is left out.
            prop_assert!(kept.marks.iter().all(|mark| suspicion.marks.contains(mark)));
            if suspicion.bits(SUBJECT.offset) <= half {
                prop_assert_eq!(kept.marks, suspicion.marks);
            }
        }
    }
}

/// A bit more or less shows only where the last byte is full.
#[test]
fn each_mark_and_each_run_takes_the_bits_that_it_says() {
    for (marks, runs) in (0i64..9).flat_map(|marks| (0i64..9).map(move |runs| (marks, runs))) {
        let run = |second| Run { at: at(1_795_342_860 + second), lasted: second % 2 == 0 };
        let mark = |place| Mark { runs: (0..runs).map(run).collect(), ..marked(1100 + place, Stage::First) };
        let suspicion = suspicion((0..marks).map(mark).collect());
        let mut written = BitWriter::default();
        suspicion.write(1100, &mut written);
        assert_eq!(written.finish().len() as u64, suspicion.bits(1100).div_ceil(8), "{marks} marks, {runs} runs");
    }
}

#[test]
fn of_too_many_marks_those_that_wait_and_stand_last_are_left_out() {
    let mut marks: Vec<Mark> = (0..70).map(|place| marked(1100 + place, Stage::Waits)).collect();
    marks[69].stage = Stage::Alone;
    marks[68].stage = Stage::First;
    let encoded = encode_suspecting(&suspicion(marks.clone()), Departure::StillHere, 1100, [], &SUBJECT, LIMIT);
    let mut expected = marks[..62].to_vec();
    expected.extend(marks[68..].iter().cloned());
    assert_eq!(read(&encoded).suspicion.marks, expected);
    let tested: Vec<Mark> = marks.iter().map(|mark| Mark { stage: Stage::Alone, ..mark.clone() }).collect();
    let encoded = encode_suspecting(&suspicion(tested.clone()), Departure::StillHere, 1100, [], &SUBJECT, LIMIT);
    assert_eq!(read(&encoded).suspicion.marks, tested[..64]);
}

#[test]
fn a_mark_that_fills_its_half_of_the_room_to_the_bit_is_told() {
    let runs = [1, 2, 3].map(|second| Run { at: at(second), lasted: false }).to_vec();
    let told = suspicion(vec![Mark { runs, ..marked(1101, Stage::Waits) }]);
    let full = (1..200).find(|&limit| room::capacity(limit) / 2 == told.bits(SUBJECT.offset)).unwrap();
    for (limit, marks) in [(full, 1), (full - 1, 0)] {
        let encoded = encode_suspecting(&told, Departure::StillHere, 1100, [], &SUBJECT, limit);
        let kept = decode(encoded.text.as_bytes(), &SUBJECT).unwrap().map(|snapshot| snapshot.suspicion.marks.len());
        assert_eq!(kept.unwrap_or_default(), marks, "{limit} bytes");
    }
}

#[test]
fn of_too_many_runs_the_last_are_told() {
    let runs: Vec<Run> = (0..20).map(|second| Run { at: at(second), lasted: second % 3 == 0 }).collect();
    let told = suspicion(vec![Mark { runs: runs.clone(), ..marked(1101, Stage::Waits) }]);
    let encoded = encode_suspecting(&told, Departure::StillHere, 1100, [], &SUBJECT, LIMIT);
    assert_eq!(read(&encoded).suspicion.marks[0].runs, runs[4..]);
}

#[test]
fn marks_that_make_no_sense_are_left_out() {
    let nonsense = [1099, 1100, 1100, 1200, 1150, i64::MAX].map(|offset| marked(offset, Stage::Waits));
    let offsets = |suspicion: &Suspicion, subject: &Subject<'_>| -> Vec<i64> {
        let encoded = encode_suspecting(suspicion, Departure::StillHere, 1100, [], subject, LIMIT);
        let snapshot = decode(encoded.text.as_bytes(), subject).unwrap().unwrap();
        snapshot.suspicion.marks.iter().map(|mark| mark.offset).collect()
    };
    assert_eq!(offsets(&suspicion(nonsense.to_vec()), &SUBJECT), [1100, 1200]);
    let last = suspicion(vec![marked(i64::MAX - 1, Stage::Waits)]);
    assert_eq!(offsets(&last, &SUBJECT), [i64::MAX - 1]);
    let nowhere = Subject { offset: -1001, ..SUBJECT };
    assert_eq!(offsets(&suspicion(vec![marked(5, Stage::Waits)]), &nowhere), []);
}

#[test]
fn times_before_1970_and_out_of_order_are_written_as_near_as_can_be() {
    let runs = [-5, 100, 90].map(|seconds| Run { at: at(seconds), lasted: false });
    let told = Suspicion {
        vanished_at: at(-7),
        ..suspicion(vec![Mark { runs: runs.to_vec(), ..marked(1101, Stage::Waits) }])
    };
    let read = read(&encode_suspecting(&told, Departure::StillHere, 1100, [], &SUBJECT, LIMIT)).suspicion;
    assert_eq!(read.vanished_at, at(0));
    assert_eq!(read.marks[0].runs.iter().map(|run| run.at).collect::<Vec<_>>(), [at(0), at(100), at(100)]);
}

/// As if a writer had made a mistake and sealed it.
#[test]
fn a_sealed_mistake_is_refused() {
    const SUSPICION: Parts = Parts { runs: false, suspicion: true };
    let body = |write: &dyn Fn(&mut BitWriter)| {
        let mut bits = BitWriter::default();
        bits.put(0, 1);
        bits.number(0);
        write(&mut bits);
        bits.finish()
    };
    let head = |bits: &mut BitWriter, unexplained: u64, seconds: u64, marks: u64| {
        bits.number(unexplained);
        bits.put(0, 1);
        bits.number(seconds);
        bits.number(marks);
    };
    let mark = |bits: &mut BitWriter, distance: u64, change: u64, runs: u64| {
        bits.number(distance);
        bits.number(change);
        bits.put(0, 4);
        bits.number(runs);
    };
    let run = |bits: &mut BitWriter, seconds: u64| {
        bits.number(seconds);
        bits.put(0, 1);
    };
    let reads = |offset: i64, write: &dyn Fn(&mut BitWriter)| decode::read(&body(write), SUSPICION, offset).is_some();
    let far = i64::MAX as u64;
    assert!(reads(0, &|bits| head(bits, u64::from(u32::MAX), 0, 0)));
    assert!(!reads(0, &|bits| head(bits, u64::from(u32::MAX) + 1, 0, 0)));
    assert!(reads(0, &|bits| head(bits, 0, far / 1000, 0)));
    assert!(!reads(0, &|bits| head(bits, 0, far / 1000 + 1, 0)));
    let many = |count: u64, distance: u64| {
        move |bits: &mut BitWriter| {
            head(bits, 0, 0, count);
            (0..count).for_each(|index| mark(bits, if index == 0 { 0 } else { distance }, 0, 0));
        }
    };
    assert!(reads(0, &many(64, 1)) && !reads(0, &many(65, 1)));
    assert!(!reads(0, &many(2, 0)), "two marks of one record");
    let one = |distance: u64, change: u64, runs: u64| {
        move |bits: &mut BitWriter| {
            head(bits, 0, 0, 1);
            mark(bits, distance, change, runs);
            (0..runs).for_each(|_| run(bits, 1));
        }
    };
    assert!(reads(0, &one(far - 1, 0, 0)) && !reads(0, &one(far, 0, 0)) && !reads(5, &one(far - 4, 0, 0)));
    assert!(!reads(0, &one(0, far, 0)), "no such epoch");
    assert!(reads(0, &one(0, 0, 16)) && !reads(0, &one(0, 0, 17)));
    let last = |seconds: u64| {
        move |bits: &mut BitWriter| {
            head(bits, 0, 0, 1);
            mark(bits, 0, 0, 2);
            run(bits, seconds);
            run(bits, seconds);
        }
    };
    assert!(reads(0, &last(far / 2000)) && !reads(0, &last(far / 1000)));
}
