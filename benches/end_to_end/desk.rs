//! What is done with a record, by whichever client.

use crate::{body, body::Order, child::Orders, clock, tally::Tally};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::Write as _,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What a handler does, besides the check that all of them do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Nothing.
    Nothing,
    /// Computes, for so many microseconds.
    Computes(u64),
    /// Sleeps, for so many milliseconds.
    Sleeps(u64),
    /// Decodes the body, which is a JSON order.
    Decodes,
    /// Notes how long ago the record was made.
    Stamps,
    /// Fails at the first attempt, of so many in a thousand; notes how late the second one is.
    FailsOnce(u64),
    /// Fails always.
    Fails,
    /// Never ends.
    Pends,
    /// Writes the number into a file; number 0 never ends where that is said.
    Journals { file: PathBuf, stuck: bool },
}

/// What the handlers of a process share.
pub(crate) struct Desk {
    pub(crate) tally: &'static Tally,
    pub(crate) work: Work,
    samples: Mutex<Vec<u64>>,
    early: AtomicU64,
    journal: Option<File>,
}

impl Desk {
    /// The one of this process, which lives as long.
    pub(crate) fn of(orders: &Orders) -> &'static Self {
        let journal = match &orders.work {
            Work::Journals { file, .. } => {
                Some(File::options().append(true).create(true).open(file).expect("a journal"))
            }
            _ => None,
        };
        let (samples, early) = Default::default();
        let tally = Tally::of(orders.records);
        Box::leak(Box::new(Self { tally, work: orders.work.clone(), samples, early, journal }))
    }

    /// Handles a record at once, as far as that can be done without waiting.
    pub(crate) fn handle(&self, body: &[u8]) {
        match &self.work {
            Work::Computes(micros) => compute(Duration::from_micros(*micros)),
            Work::Decodes => return self.take(&Order::read(body)),
            Work::Stamps => self.stamp(body),
            Work::Journals { .. } => self.write_down(body),
            _ => {}
        }
        self.tally.handle(body);
    }

    /// Handles an order that is decoded.
    pub(crate) fn take(&self, order: &Order) {
        self.tally.tick(order.number, order.sum());
    }

    /// Whether this record is the one that never ends.
    pub(crate) fn is_stuck(&self, body: &[u8]) -> bool {
        matches!(self.work, Work::Journals { stuck: true, .. }) && body::number(body) == Some(0)
    }

    fn stamp(&self, body: &[u8]) {
        if body::number(body) != Some(body::WARM_UP) {
            self.sample(clock::micros().saturating_sub(body::stamp(body)));
        }
    }

    /// Notes how late a retry is that was due at this time, in milliseconds since 1970. The broker's stamp has whole
    /// milliseconds only, and so has its clock.
    pub(crate) fn retried(&self, due_millis: i64) {
        let (now, due) = (clock::micros(), due_millis.unsigned_abs() * 1000);
        if now < due {
            self.early.fetch_add(1, Ordering::Relaxed);
        }
        self.sample(now.saturating_sub(due));
    }

    fn sample(&self, micros: u64) {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(micros);
    }

    /// What was noted, and how many retries were early.
    pub(crate) fn samples(&self) -> (Vec<u64>, u64) {
        let samples = std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner));
        (samples, self.early.load(Ordering::Relaxed))
    }

    /// One write for each record: what is written survives the process.
    fn write_down(&self, body: &[u8]) {
        let (Some(number), Some(mut journal)) = (body::number(body), self.journal.as_ref()) else { return };
        journal.write_all(&number.to_le_bytes()).expect("a journal that can be written");
    }
}

fn compute(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}
