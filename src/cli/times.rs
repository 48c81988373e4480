//! Times and durations, as people read and write them.

use jiff::{SignedDuration, Span, Zoned, civil, tz::TimeZone};
use retrial_core::time::Timestamp;
use std::time::Duration;

/// Shows and reads times in one zone.
#[derive(Debug)]
pub(super) struct Times {
    zone: TimeZone,
}

impl Times {
    pub(super) fn new(utc: bool) -> Self {
        Self { zone: if utc { TimeZone::UTC } else { TimeZone::system() } }
    }

    /// By this machine's clock.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
    }

    /// A time with its zone, to the second.
    pub(super) fn show(&self, time: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(time.as_millis()) {
            Ok(instant) => instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
            Err(_) => time.to_string(),
        }
    }

    /// A time that may be unknown.
    pub(super) fn maybe(&self, time: Option<Timestamp>) -> String {
        time.map_or_else(|| "-".to_owned(), |time| self.show(time))
    }

    /// How long ago a time is.
    pub(super) fn age(&self, time: Option<Timestamp>) -> String {
        time.map_or_else(|| "-".to_owned(), |time| duration(self.now().since(time)))
    }

    /// When something is due: `in 42s`, or `4m 12s late`.
    pub(super) fn due(&self, time: Option<Timestamp>) -> String {
        let Some(time) = time else { return "-".to_owned() };
        let now = self.now();
        if time > now {
            format!("in {}", duration(time.since(now)))
        } else {
            format!("{} late", duration(now.since(time)))
        }
    }

    /// Reads a time: RFC 3339, a date with or without a time of day in this zone, or how long ago (`2h`, `1d 30m`).
    pub(super) fn read(&self, text: &str) -> Result<Timestamp, String> {
        let text = text.trim();
        let instant = text.parse::<jiff::Timestamp>().ok().or_else(|| self.civil(text)).or_else(|| self.ago(text));
        instant.map(|instant| Timestamp::from_millis(instant.as_millisecond())).ok_or_else(|| {
            format!("{text:?} is no time: give one such as 2026-11-22T10:21:00Z, \"2026-11-22 10:21\", or how long ago: 2h, 1d")
        })
    }

    fn civil(&self, text: &str) -> Option<jiff::Timestamp> {
        let time: civil::DateTime = text.parse().ok()?;
        Some(time.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    fn ago(&self, text: &str) -> Option<jiff::Timestamp> {
        let span: Span = text.parse().ok()?;
        Some(Zoned::now().with_time_zone(self.zone.clone()).checked_sub(span).ok()?.timestamp())
    }
}

/// A duration in its two largest units: `3d 4h`, `4m 12s`, `850ms`.
pub(super) fn duration(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = duration.as_secs();
    let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return format!("{}ms", duration.as_millis());
    };
    let (size, unit) = UNITS[first];
    let rest = UNITS.get(first + 1).map(|(smaller, unit)| (seconds % size / smaller, unit));
    match rest {
        Some((number, smaller)) if number > 0 => format!("{}{unit} {number}{smaller}", seconds / size),
        _ => format!("{}{unit}", seconds / size),
    }
}

/// Reads a duration such as `2s`, `500ms`, `1m 30s`.
pub(super) fn read_duration(text: &str) -> Result<Duration, String> {
    let read = text.trim().parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    read.ok_or_else(|| format!("{text:?} is no duration: give one such as 2s, 500ms, or 1m 30s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (millis, text) in [
            (0, "0ms"),
            (850, "850ms"),
            (1_000, "1s"),
            (252_000, "4m 12s"),
            (240_000, "4m"),
            (7_205_000, "2h"),
            (277_200_000, "3d 5h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn times_are_read_in_each_form() {
        let times = Times::new(true);
        let read = |text: &str| times.read(text).map(|time| time.to_string());
        for text in
            ["2026-11-22T10:21:00Z", "2026-11-22 10:21", "2026-11-22T11:21:00+01:00", "2026-11-22T10:21:00.000Z"]
        {
            assert_eq!(read(text).as_deref(), Ok("2026-11-22T10:21:00.000Z"), "{text}");
        }
        assert_eq!(read("2026-11-22").as_deref(), Ok("2026-11-22T00:00:00.000Z"));
        for (text, seconds) in [("2h", 7_200), ("1d 30m", 88_200), ("90s", 90)] {
            let time = times.read(text).unwrap();
            let ago = times.now().since(time).as_secs();
            assert!((seconds..seconds + 60).contains(&ago), "{text}: {ago}");
        }
        for text in ["", "yesterday", "12", "2026-13-01"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_due_is_ahead_or_late() {
        let times = Times::new(true);
        assert_eq!(times.show(Timestamp::from_millis(1_795_342_860_007)), "2026-11-22 10:21:00 UTC");
        assert!(times.due(Some(times.now().shifted(60_500))).starts_with("in 1m"));
        let late = times.due(Some(times.now().shifted(-252_100)));
        assert!(late.starts_with("4m ") && late.ends_with("s late"), "{late}");
    }

    #[test]
    fn intervals_are_read() {
        assert_eq!(read_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(read_duration("-1s").is_err() && read_duration("soon").is_err());
    }
}
