//! Durations, ladders, schedules and pauses of any size, and the texts in which times and places are written.
//!
//! The first byte chooses: the rest is a text that is read as each of the kinds; or the numbers of one group's
//! settings.

use arbitrary::{Arbitrary, Unstructured};
use retrial_core::{
    backoff::Backoff,
    history::SourceTime,
    id::Origin,
    ladder::{Ladder, MAX_HOPS, MAX_RATIO},
    outcome::{Cause, MAX_KIND_BYTES, MAX_MESSAGE_BYTES, Reason},
    schedule::Schedule,
    time::Timestamp,
};
use std::{fmt::Display, str::FromStr, time::Duration};

/// Panics if a text is read as something that is written otherwise, or settings lead to a wait that is too short.
pub fn check(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    if kind % 2 == 0 {
        texts(&String::from_utf8_lossy(rest));
    } else if let Ok(settings) = Settings::arbitrary(&mut Unstructured::new(rest)) {
        ladder(&settings);
        schedule(&settings);
        backoff(&settings);
        times(&settings);
    }
}

fn texts(text: &str) {
    assert!(reads_back::<Timestamp>(text).is_none_or(|written| written == text));
    assert!(reads_back::<SourceTime>(text).is_none_or(|written| written == text));
    assert!(reads_back::<Cause>(text).is_none_or(|written| written == text));
    // Numbers of an origin may have been written with zeros or a sign before them; headers are read more strictly.
    reads_back::<Origin>(text);
    let reason = Reason::new(text, text);
    assert!(reason.kind().len() <= MAX_KIND_BYTES && reason.message().len() <= MAX_MESSAGE_BYTES);
    assert!(!reason.to_string().contains(char::is_control));
}

/// What a value that was read is written as; it must read back as the same value. An error stays short.
fn reads_back<T>(text: &str) -> Option<String>
where
    T: FromStr<Err: Display> + Display + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            assert!(
                written.parse::<T>().is_ok_and(|again| again == value),
                "{text:?} was read, and {written:?} is not"
            );
            Some(written)
        }
        Err(error) => {
            assert!(error.to_string().len() <= 4096, "an error of {} bytes", error.to_string().len());
            None
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Settings {
    tiers: Vec<Length>,
    wait: Length,
    runs: Vec<(Length, u32)>,
    step: u32,
    min: Length,
    max: Length,
    attempt: u32,
    random: u64,
    time: i64,
    other: i64,
}

/// A duration: of the sizes that people choose, and of all others.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Length {
    Seconds(u16),
    Millis(u32),
    Any(Duration),
}

impl Length {
    fn get(self) -> Duration {
        match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds.into()),
            Self::Millis(millis) => Duration::from_millis(millis.into()),
            Self::Any(any) => any,
        }
    }
}

/// Never early, and in few hops.
fn ladder(settings: &Settings) {
    let Ok(ladder) = Ladder::new(settings.tiers.iter().map(|tier| tier.get())) else { return };
    let (delays, wait) = (ladder.delays(), settings.wait.get());
    assert!(delays.windows(2).all(|pair| pair[0] < pair[1]) && delays[0] >= Duration::from_secs(1));
    let longest = delays[delays.len() - 1];
    assert!(ladder.rounded_up(wait) >= wait);
    for gap in ladder.warnings() {
        let filled: Vec<_> = [gap.below].into_iter().chain(gap.offered.iter().copied()).chain([gap.above]).collect();
        assert!(gap.offered.is_empty() || filled.windows(2).all(|pair| pair[0] < pair[1]), "{gap}");
    }
    let close = delays.windows(2).all(|pair| pair[1] <= pair[0].saturating_mul(MAX_RATIO));
    assert_eq!(ladder.warnings().is_empty(), close);
    if wait > longest.saturating_mul(1000) {
        let tier = ladder.route(wait, 0);
        assert_eq!(tier, longest);
        return;
    }
    let (mut hops, mut served, mut left) = (0, Duration::ZERO, wait);
    while hops == 0 || !left.is_zero() {
        let tier = ladder.route(left, hops);
        assert!(delays.contains(&tier));
        (hops, served, left) = (hops + 1, served.saturating_add(tier), left.saturating_sub(tier));
    }
    assert!(served >= wait, "early: {served:?} of {wait:?}");
    if wait <= longest.saturating_mul(MAX_HOPS) {
        assert!(hops <= MAX_HOPS, "{hops} hops for {wait:?}");
        assert_eq!((hops, served), (ladder.hops(wait), ladder.rounded_up(wait)));
    }
}

fn schedule(settings: &Settings) {
    let runs = || settings.runs.iter().map(|(length, times)| (length.get(), *times));
    let schedule = runs().fold(Schedule::delays([]), |schedule, (delay, times)| schedule.then(delay, times));
    let steps = runs().fold(0u32, |steps, (_, times)| steps.saturating_add(times));
    assert_eq!(schedule.steps(), steps);
    let mut left = u64::from(settings.step);
    let mut expected = None;
    for (delay, times) in runs() {
        if left < u64::from(times) {
            expected = Some(delay);
            break;
        }
        left -= u64::from(times);
    }
    // One run cannot be longer than a number counts, so neighbours that are equal stop there.
    if runs().map(|(_, times)| u64::from(times)).sum::<u64>() <= u64::from(u32::MAX) {
        assert_eq!(schedule.delay(settings.step), expected);
    }
    let total = runs().fold(Duration::ZERO, |sum, (delay, times)| sum.saturating_add(delay.saturating_mul(times)));
    assert!(schedule.total() <= total);
}

fn backoff(settings: &Settings) {
    let backoff = Backoff { min: settings.min.get(), max: settings.max.get() };
    let (bound, delay) = (backoff.bound(settings.attempt), backoff.delay(settings.attempt, settings.random));
    assert!(delay <= bound && bound <= backoff.max);
}

fn times(settings: &Settings) {
    let (time, other) = (Timestamp::from_millis(settings.time), Timestamp::from_millis(settings.other));
    reads_back::<Timestamp>(&time.to_string()).expect("a time that was written");
    let later = time.after(settings.wait.get());
    assert!(later >= time && (later.since(time) >= settings.wait.get() || later == Timestamp::MAX));
    assert!(time.since(other).is_zero() || time > other);
    assert_eq!(time.shifted(0), time);
}
