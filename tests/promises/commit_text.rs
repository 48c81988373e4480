//! An independent reader of the text beside a commit, written from its description in `retrial_core::snapshot`.
//!
//! It shares no code with the writer, and does not check the checksum: it is for accounts, not for skipping records.

use retrial_kafka_for_tests::Commit;

/// What one commit says is finished.
#[derive(Debug)]
pub(crate) struct Said {
    offset: i64,
    pub(crate) left_well: bool,
    /// Finished offsets at or above the committed one, as ranges.
    runs: Vec<(i64, i64)>,
}

impl Said {
    pub(crate) fn covers(&self, offset: i64) -> bool {
        offset < self.offset || self.runs.iter().any(|&(from, to)| (from..to).contains(&offset))
    }

    /// How many offsets are finished beyond the committed one.
    pub(crate) fn beyond(&self) -> i64 {
        self.runs.iter().map(|(from, to)| to - from).sum()
    }

    pub(crate) fn read(commit: &Commit) -> Self {
        let text = commit.metadata.strip_prefix("r1").expect("commit metadata of version 1");
        let (letter, body) = text.split_at(1);
        let mut bits = Bits { sextets: body.bytes().map(sextet).collect(), at: 0 };
        let left_well = bits.take(1) == 1;
        let _started_below = bits.number();
        let mut runs = Vec::new();
        if letter == "r" || letter == "t" {
            bits.skip_epochs();
            // Elements count from the offset before the committed one.
            let mut at = commit.offset - 1;
            for _ in 0..bits.take(13) {
                bits.element(&mut at, &mut runs);
            }
        }
        Self { offset: commit.offset, left_well, runs }
    }
}

fn sextet(letter: u8) -> u8 {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = LETTERS.iter().position(|&known| known == letter);
    place.and_then(|place| u8::try_from(place).ok()).expect("a letter of base64url")
}

struct Bits {
    sextets: Vec<u8>,
    at: usize,
}

impl Bits {
    fn take(&mut self, width: usize) -> i64 {
        (0..width).fold(0, |value, _| {
            let bit = self.sextets[self.at / 6] >> (5 - self.at % 6) & 1;
            self.at += 1;
            value << 1 | i64::from(bit)
        })
    }

    fn number(&mut self) -> i64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let more = self.take(1) == 1;
            value |= self.take(3) << shift;
            shift += 3;
            if !more {
                return value;
            }
        }
    }

    fn skip_epochs(&mut self) {
        self.number();
        for _ in 0..self.number() {
            self.number();
            self.number();
        }
    }

    fn element(&mut self, at: &mut i64, runs: &mut Vec<(i64, i64)>) {
        if self.take(1) == 0 {
            self.run(1, at, runs);
        } else if self.take(1) == 0 {
            let hole = self.number() + 2;
            self.run(hole, at, runs);
        } else {
            for _ in 0..self.take(15) {
                if self.take(1) == 1 {
                    runs.push((*at, *at + 1));
                }
                *at += 1;
            }
        }
    }

    fn run(&mut self, hole: i64, at: &mut i64, runs: &mut Vec<(i64, i64)>) {
        let from = *at + hole;
        *at = from + self.number() + 1;
        runs.push((from, *at));
    }
}
