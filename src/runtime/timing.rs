//! How long attempts took, and how long records were in Kafka until they were done.
//!
//! A clock costs a tenth of what a quick record may cost. So attempts that end at once are timed together, a turn at a
//! time, and one record's age stands for all fresh ones of the turn, which mostly come from one batch; where attempts
//! turn out to be slow, each has its own reading. What is counted is kept here and given to the recorder with the report.

use super::worker::TURN;
use crate::{
    clock,
    metrics::reference::{ATTEMPT_DURATION, Kind, Metric, RESIDENCE_TIME},
    record::Record,
};
use metrics::Histogram;
use retrial_core::{event::Work, time::Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// A reading of the clock for each attempt is under a hundredth of what the attempt costs from here on.
const WORTH_A_READING: Duration = Duration::from_micros(5);

/// Values on the way to a histogram: how many in each of its buckets, and their sum.
struct Tally {
    histogram: Histogram,
    bounds: &'static [f64],
    cells: Vec<(usize, f64)>,
}

impl Tally {
    fn new(metric: &Metric, topic: &str) -> Self {
        let bounds: &[f64] = if let Kind::Histogram(bounds) = metric.kind { bounds } else { &[] };
        Self { histogram: metric.histogram([topic]), bounds, cells: vec![(0, 0.0); bounds.len() + 1] }
    }

    fn add(&mut self, value: f64, count: usize) {
        let cell = &mut self.cells[self.bounds.partition_point(|bound| *bound < value)];
        *cell = (cell.0 + count, cell.1 + value * count as f64);
    }

    fn flush(&mut self) {
        for cell in self.cells.iter_mut().filter(|cell| cell.0 > 0) {
            let (count, sum) = std::mem::take(cell);
            self.histogram.record_many(sum / count as f64, count);
        }
    }
}

/// One topic's times.
struct Times {
    attempts: Tally,
    residence: Tally,
    /// Attempts of this turn that ended at once and wait for its time.
    quick: usize,
    /// Records that this turn has done at once, and the source time of the first.
    fresh: (usize, Option<Timestamp>),
    touched: bool,
}

/// The times of one worker's attempts.
pub(super) struct Timing {
    topics: Vec<Times>,
    one_by_one: bool,
    last: Instant,
    quick: usize,
    touched: bool,
}

impl Timing {
    pub(super) fn new<'t>(topics: impl Iterator<Item = &'t str>) -> Self {
        let times = |topic: &str| Times {
            attempts: Tally::new(&ATTEMPT_DURATION, topic),
            residence: Tally::new(&RESIDENCE_TIME, topic),
            quick: 0,
            fresh: (0, None),
            touched: false,
        };
        Self { topics: topics.map(times).collect(), one_by_one: false, last: Instant::now(), quick: 0, touched: false }
    }

    /// A turn of attempts begins.
    pub(super) fn turn_begins(&mut self, now: Instant) {
        self.last = now;
    }

    /// Before an attempt that ended at once is reported: whether it has done its record.
    pub(super) fn at_once(&mut self, work: &Work<Record>, done: bool) {
        let Some(times) = self.topics.get_mut(usize::from(work.topic.0)) else { return };
        (times.touched, self.touched) = (true, true);
        if done && work.history.is_some() {
            times.lasted(source_time(work));
        } else if done {
            let first = if times.fresh.0 == 0 { source_time(work) } else { times.fresh.1 };
            times.fresh = (times.fresh.0 + 1, first);
        }
        if self.one_by_one {
            let now = Instant::now();
            times.attempts.add((now - self.last).as_secs_f64(), 1);
            self.last = now;
        } else {
            times.quick += 1;
        }
        self.quick += 1;
    }

    /// A turn of so many attempts ended, those that are pending now among them.
    pub(super) fn turn_ends(&mut self, began: Instant, begun: usize) {
        if self.quick == 0 {
            return;
        }
        let mean = began.elapsed() / u32::try_from(begun.clamp(1, TURN)).unwrap_or(1);
        for times in self.topics.iter_mut().filter(|times| times.touched) {
            let quick = std::mem::take(&mut times.quick);
            times.attempts.add(mean.as_secs_f64(), quick);
            let (count, first) = std::mem::take(&mut times.fresh);
            if let Some(first) = first {
                times.residence.add(age(first), count);
            }
        }
        self.quick = 0;
        self.one_by_one = mean >= WORTH_A_READING;
    }

    /// An attempt ended that had been pending. `done` is the source time of a record that is done.
    pub(super) fn ended(&mut self, topic: usize, took: Duration, done: Option<Timestamp>) {
        let Some(times) = self.topics.get_mut(topic) else { return };
        (times.touched, self.touched) = (true, true);
        times.attempts.add(took.as_secs_f64(), 1);
        times.lasted(done);
    }

    /// Gives what was counted to the recorder.
    pub(super) fn flush(&mut self) {
        if !std::mem::take(&mut self.touched) {
            return;
        }
        for times in self.topics.iter_mut().filter(|times| times.touched) {
            times.touched = false;
            times.attempts.flush();
            times.residence.flush();
        }
    }
}

impl Times {
    fn lasted(&mut self, since: Option<Timestamp>) {
        if let Some(since) = since {
            self.residence.add(age(since), 1);
        }
    }
}

/// The record's timestamp where it stood first.
pub(super) fn source_time(work: &Work<Record>) -> Option<Timestamp> {
    work.history.as_ref().map_or_else(|| work.record.time(), |history| history.time).timestamp()
}

fn age(since: Timestamp) -> f64 {
    clock::now().since(since).as_secs_f64()
}
