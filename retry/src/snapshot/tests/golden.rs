//! Frozen texts: what version 1 wrote once, every later release reads, and writes the same as long as it writes
//! version 1.

use super::*;

fn texts() -> Vec<(&'static str, Snapshot, Subject<'static>)> {
    let snapshot =
        |departure, started_below, finished: &[_]| Snapshot { departure, started_below, finished: finished.to_vec() };
    let plain = Subject { group: "billing", topic: "orders", topic_id: None, partition: 0, offset: 0 };
    let crowd: Vec<FinishedRun> =
        (0..40).map(|place| run(1102 + 3 * place, 1103 + 3 * place + place % 2, 12)).collect();
    let mut both = vec![run(1101, 10_000_000, 12)];
    both.extend((0..30).map(|place| run(10_000_001 + 2 * place, 10_000_002 + 2 * place, 12)));
    vec![
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
        let Snapshot { departure, started_below, finished } = snapshot;
        let encoded = encode(departure, started_below, finished, &subject, LIMIT);
        assert_eq!(encoded, Encoded { text: text.to_owned(), complete: true });
    }
}

#[test]
fn version_1_is_read_as_ever() {
    for (text, snapshot, subject) in texts() {
        assert_eq!(decode(text.as_bytes(), &subject), Ok(Some(snapshot)), "{text}");
    }
}
