//! Frozen texts: what version 1 wrote once, every later release reads, and writes the same as long as it writes
//! version 1.

use super::*;

/// What is known of records under suspicion, as small as it can be and with everything.
fn suspicions() -> [Suspicion; 2] {
    let at = |seconds: i64| crate::time::Timestamp::from_millis(seconds * 1000);
    let mark = |offset, stage, runs: &[_]| {
        let (condemned, witnessed) = (offset == 1104, offset == 1102);
        Mark { offset, leader_epoch: 12, stage, condemned, witnessed, runs: runs.to_vec() }
    };
    let run = |seconds: i64, lasted| Run { at: at(1_795_342_860 + seconds), lasted };
    let marks = vec![
        mark(1100, Stage::First, &[]),
        mark(1102, Stage::Alone, &[run(0, false), run(30, true)]),
        mark(1104, Stage::Waits, &[run(-90, false), run(-60, false), run(-7, false)]),
        mark(9_000, Stage::InCompany, &[]),
    ];
    [
        Suspicion { unexplained: 1, vanished_at: at(1_795_342_860), elsewhere: false, marks: Vec::new() },
        Suspicion { unexplained: 3, vanished_at: at(1_795_342_860), elsewhere: true, marks },
    ]
}

fn texts() -> Vec<(&'static str, Snapshot, Subject<'static>)> {
    let snapshot = |departure, started_below, finished: &[_]| Snapshot {
        departure,
        started_below,
        finished: finished.to_vec(),
        suspicion: Suspicion::default(),
    };
    let plain = Subject { group: "billing", topic: "orders", topic_id: None, partition: 0, offset: 0 };
    let crowd: Vec<FinishedRun> =
        (0..40).map(|place| run(1102 + 3 * place, 1103 + 3 * place + place % 2, 12)).collect();
    let mut both = vec![run(1101, 10_000_000, 12)];
    both.extend((0..30).map(|place| run(10_000_001 + 2 * place, 10_000_002 + 2 * place, 12)));
    let [least, most] = suspicions();
    vec![
        ("r1sALJic2IvRACgYv85FLLshg", Snapshot { suspicion: least, ..snapshot(Departure::StillHere, 0, &[]) }, plain),
        (
            "r1tTTQYAAYAPkxObEXooEHgEClkxObEXouOQEdd0ZsRei42si78QgCt1igRk6wdIA",
            Snapshot { suspicion: most, ..snapshot(Departure::StillHere, 1501, &[run(1101, 1102, 12)]) },
            SUBJECT,
        ),
        ("r1nAHrvFnku1Ck4", snapshot(Departure::StillHere, 0, &[]), plain),
        ("r1ngAQzIDr4zL-8", snapshot(Departure::LeftWell, 1100, &[]), SUBJECT),
        ("r1rTTcIAAYOluJq630ddkf3", snapshot(Departure::StillHere, 1501, &[run(1101, 1500, 7)]), SUBJECT),
        (
            "r1rAJEVkwAJA0jIgEv5z5M1GvsR",
            snapshot(Departure::StillHere, 0, &[run(0, 1, -1), run(1, 9, 0), run(20, 30, 3)]),
            plain,
        ),
        ("r1rRJwYAAcA9CaaaaaaaaaaaaaaaaaaaYCi9xBobnfy6g", snapshot(Departure::StillHere, 1300, &crowd), SUBJECT),
        ("r1rz0zM8kGAAKCuiZnkwB4qqqqqqqqqqAPbY9zOnRnm", snapshot(Departure::LeftWell, 10_000_061, &both), SUBJECT),
        (
            "r1rX3b__________79_____-YAAa-7f_________37____________2S5SmZP-JlZ0",
            snapshot(Departure::StillHere, i64::MAX, &[run(1 << 60, i64::MAX, i32::MAX)]),
            SUBJECT,
        ),
    ]
}

#[test]
fn version_1_is_written_as_ever() {
    for (text, snapshot, subject) in texts() {
        let Snapshot { departure, started_below, finished, suspicion } = snapshot;
        let encoded = encode_suspecting(&suspicion, departure, started_below, finished, &subject, LIMIT);
        assert_eq!(encoded, Encoded { text: text.to_owned(), complete: true });
    }
}

#[test]
fn version_1_is_read_as_ever() {
    for (text, snapshot, subject) in texts() {
        assert_eq!(decode(text.as_bytes(), &subject), Ok(Some(snapshot)), "{text}");
    }
}
