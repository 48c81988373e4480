//! Errors that are alike: the same cause, kind and text but for what differs from record to record.

use crate::broker::kafka::fnv1a;
use retrial_core::history::History;
use std::{fmt, str::FromStr};

/// Names a group of dead letters whose errors are alike: cause, kind, and text without its numbers and ids. Written as
/// eight hexadecimal digits. It never changes for the same error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u32);

impl Fingerprint {
    pub(super) fn of(history: &History) -> Self {
        let cause = history.cause.map_or("", |cause| cause.as_str());
        let kind = history.error_kind.as_deref().unwrap_or_default();
        let hash =
            fnv1a(format!("{cause}\n{kind}\n{}", shape(history.error.as_deref().unwrap_or_default())).as_bytes());
        // Both halves, since the low bits see little of the first bytes.
        Self((hash ^ (hash >> 32)) as u32)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = (text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| u32::from_str_radix(text, 16).ok())
            .flatten();
        number
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no fingerprint: eight hexadecimal digits, as dlq list shows"))
    }
}

/// An error's text with `#` for each word that has a digit in it: numbers, ids, addresses, times. Two errors are alike
/// if their shapes are equal.
pub(super) fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        if length == 0 {
            shape.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        }
        let word = &rest[..length];
        let varies = word.bytes().any(|byte| byte.is_ascii_digit());
        shape.push_str(if varies { "#" } else { word });
        rest = &rest[length..];
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_record_to_record_is_no_part_of_a_shape() {
        for (text, expected) in [
            ("", ""),
            ("bank is down", "bank is down"),
            ("order 17: bank-4 said no", "order #: # said no"),
            ("3f0c2a1e-91d7-4c1b-8d7e-000000000000 is unknown", "# is unknown"),
            ("timeout after 60.5 s at 10.0.0.7:9092", "timeout after #.# s at #.#.#.#:#"),
            ("zu spät: Köln", "zu spät: Köln"),
        ] {
            assert_eq!(shape(text), expected);
        }
    }

    #[test]
    fn a_fingerprint_reads_back() {
        for number in [0, 1, u32::MAX] {
            assert_eq!(Fingerprint(number).to_string().parse(), Ok(Fingerprint(number)));
        }
        for text in ["", "1234567", "123456789", "1234567g", "+1234567"] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
