//! Spans of virtual time, for people.

use std::{fmt, time::Duration};

/// Shown as `12ms`, `30.012s`, `5m00.1s`, `2h05m`, `3d07h`: no zeros at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        if seconds == 0 {
            return if self.0.subsec_nanos() == millis * 1_000_000 {
                write!(f, "{millis}ms")
            } else {
                write!(f, "{:?}", self.0)
            };
        }
        let parts = [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm')];
        let parts: Vec<(u64, char)> = parts.into_iter().skip_while(|&(number, _)| number == 0).collect();
        let round = seconds % 60 == 0 && millis == 0;
        // Where nothing but zeros follows, nothing follows.
        let told = if round {
            parts.iter().rposition(|&(number, _)| number > 0).map_or(0, |last| last + 1)
        } else {
            parts.len()
        };
        for (place, (number, unit)) in parts[..told].iter().enumerate() {
            let width = if place > 0 { 2 } else { 0 };
            write!(f, "{number:0width$}{unit}")?;
        }
        if round {
            return Ok(());
        }
        let width = if told > 0 { 2 } else { 0 };
        write!(f, "{:0width$}", seconds % 60)?;
        if millis > 0 {
            write!(f, ".{}", format!("{millis:03}").trim_end_matches('0'))?;
        }
        f.write_str("s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        for (millis, text) in [
            (0, "0ms"),
            (12, "12ms"),
            (1_000, "1s"),
            (30_012, "30.012s"),
            (300_100, "5m00.1s"),
            (3_600_000, "1h"),
            (3_600_012, "1h00m00.012s"),
            (7_503_000, "2h05m03s"),
            (262_800_000, "3d01h"),
            (604_800_000, "7d"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
        assert_eq!(Span(Duration::from_micros(1_500)).to_string(), "1.5ms");
    }
}
