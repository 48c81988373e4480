//! Points in time as numbers that somebody else read from a clock.
//!
//! Nothing here knows what time it is. Two clocks matter and are never mixed silently: the process's own, which
//! every `now` argument of this crate means, and the broker's, which stamps records when it appends them.

use std::{fmt, str::FromStr, time::Duration};

/// Milliseconds since 1970-01-01 UTC. Kafka stores the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Later than every other timestamp: "never".
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time and a duration later, in whole milliseconds rounded up; [`Timestamp::MAX`] beyond the range.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        let (millis, part) = (i128::from(delay.as_secs()) * 1000, i128::from(delay.subsec_nanos().div_ceil(1_000_000)));
        Self(i64::try_from(i128::from(self.0) + millis + part).unwrap_or(i64::MAX))
    }

    /// This time moved by a signed number of milliseconds, within the range.
    #[must_use]
    pub const fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(if self > earlier { self.0.abs_diff(earlier.0) } else { 0 })
    }
}

/// RFC 3339 in UTC with milliseconds, `2026-11-22T10:21:00.000Z`; a year outside 0–9999 as plain milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        if !(0..=9999).contains(&year) {
            return write!(f, "{}", self.0);
        }
        let (second, milli) = (millis / 1000, millis % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        // Each forward carries several of these, and the formatter's own padding takes longer than all the rest.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let pairs = [(year / 100, 0), (year % 100, 2), (month, 5), (day, 8), (hour, 11), (minute, 14), (second, 17)];
        for (number, at) in pairs.into_iter().chain([(milli / 10, 20)]) {
            text[at] += (number / 10) as u8;
            text[at + 1] += (number % 10) as u8;
        }
        text[22] += (milli % 10) as u8;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// Why a text is not a [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time such as 2026-11-22T10:21:00.000Z")]
pub struct TimestampError {
    text: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).ok_or_else(|| TimestampError { text: text.chars().take(64).collect() })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
    if bytes.len() != shape.len() {
        return text.parse().ok().map(Timestamp).filter(|time| time.to_string() == text);
    }
    let fits = |(&byte, &want): (&u8, &u8)| if want == b'd' { byte.is_ascii_digit() } else { byte == want };
    if !bytes.iter().zip(shape).all(fits) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second, milli) = (number(11..13)?, number(14..16)?, number(17..19)?, number(20..23)?);
    let days = days_from_civil(year, month, day);
    let real = civil_from_days(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    let millis = ((days * 24 + hour) * 60 + minute) * 60 + second;
    real.then_some(Timestamp(millis * 1000 + milli))
}

/// Days since 1970-01-01 to a date of the proleptic Gregorian calendar. The year starts in March here, so that the
/// leap day is its last; 719,468 days lie between 0000-03-01 and 1970-01-01, and 400 years have 146,097 days.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_342_860_007, "2026-11-22T10:21:00.007Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "253402300800000"),
            (-62_167_219_200_001, "-62167219200001"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(millis)));
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "2025-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T23:60:00.000Z",
            "2026-01-01T23:59:60.000Z",
            "2026-00-10T00:00:00.000Z",
            "2026-04-31T00:00:00.000Z",
            "2100-02-29T00:00:00.000Z",
            "2026-01-01 00:00:00.000Z",
            "2026-01-01T00:00:00.0x0Z",
            "2026-01-01",
            "",
            "+5",
            "2026-11-22T10:21:00.00éZ",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_delay_and_no_distance_is_too_long() {
        let (first, delay) = (Timestamp(i64::MIN), Duration::from_millis(u64::MAX));
        assert_eq!(first.after(delay), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.since(first), delay);
        assert_eq!(first.after(delay - Duration::from_millis(5)), Timestamp(i64::MAX - 5));
        assert_eq!(first.after(Duration::MAX), Timestamp::MAX);
        assert_eq!(first.since(Timestamp::MAX), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn every_date_reads_back(millis in -62_167_219_200_000i64..253_402_300_800_000) {
            let text = Timestamp(millis).to_string();
            prop_assert_eq!((text.len(), text.parse()), (24, Ok(Timestamp(millis))));
        }

        #[test]
        fn every_timestamp_reads_back(millis in any::<i64>()) {
            prop_assert_eq!(Timestamp(millis).to_string().parse::<Timestamp>(), Ok(Timestamp(millis)));
        }

        #[test]
        fn a_delay_is_never_rounded_down(millis in -1_000_000_000_000i64..1_000_000_000_000, nanos in 0u64..10_000_000_000) {
            let delay = Duration::from_nanos(nanos);
            prop_assert!(Timestamp(millis).after(delay).since(Timestamp(millis)) >= delay);
        }
    }
}
