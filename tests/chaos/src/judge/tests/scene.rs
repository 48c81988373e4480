//! Ledgers written by hand.

use retrial::Cause;

use crate::{
    clock::{MILLI, Micros, SECOND},
    faults::{Fault, Kind, Subject},
    judge::{Evidence, Forward, Produced, Verdict, judge},
    ledger::{Entry, What, Worker},
    place::{Log, Place, Source},
    work::End,
};

/// When a scene begins, in microseconds since 1970.
pub(super) const START: Micros = 1_700_000_000 * SECOND;

/// Evidence that is made step by step. Times are milliseconds since the scene began.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) evidence: Evidence,
}

/// Who makes an attempt: worker and assignment.
pub(super) type By = (Worker, u64);

pub(super) fn place(log: Log, offset: i64) -> Place {
    Place { log, partition: 0, offset }
}

impl Scene {
    pub(super) fn new() -> Self {
        Self { evidence: Evidence { session: 6 * SECOND, ..Evidence::default() } }
    }

    /// A record of a source topic, whose number is its offset; all keys are the same.
    pub(super) fn produced(mut self, source: Source, number: u64, end: End) -> Self {
        let place = place(Log::Source(source), number as i64);
        let produced = Produced { number, key: 1, end, stamp: START / MILLI };
        self.evidence.produced.insert(place, produced);
        self.evidence.acknowledged.push(number);
        self
    }

    /// An attempt at a record where it was produced.
    pub(super) fn ran(self, source: Source, number: u64, by: By, from: i64, end: Option<(i64, What)>) -> Self {
        self.attempt(place(Log::Source(source), number as i64), number, 1, by, from, end)
    }

    /// An attempt anywhere.
    pub(super) fn attempt(
        mut self,
        place: Place,
        number: u64,
        attempt: u32,
        (worker, fence): By,
        from: i64,
        end: Option<(i64, What)>,
    ) -> Self {
        let forward = self.evidence.forwards.iter().find(|forward| forward.place == place);
        let stamp = forward.map_or(START / MILLI, |forward| forward.stamp);
        let entry = |what, at: i64| {
            let at = START + at * MILLI;
            Entry { what, at, number, place, stamp, attempt, fence, worker }
        };
        self.evidence.entries.push(entry(What::Began, from));
        self.evidence.entries.extend(end.map(|(at, what)| entry(what, at)));
        self
    }

    /// A forward in a tier or among the dead letters. Equal attempts of a number are the same forward.
    pub(super) fn forward(mut self, log: Log, offset: i64, number: u64, attempts: u32, at: i64) -> Self {
        let cause = (log == Log::Letters).then_some(Cause::Refused);
        self.evidence.forwards.push(Forward {
            place: place(log, offset),
            stamp: START / MILLI + at,
            number,
            identity: u64::from(attempts),
            attempts,
            due: None,
            cause,
        });
        self
    }

    /// An attempt at what was forwarded to a tier, there at this offset.
    pub(super) fn retried(
        self,
        (seconds, offset): (u64, i64),
        number: u64,
        attempt: u32,
        by: By,
        from: i64,
        end: Option<(i64, What)>,
    ) -> Self {
        self.attempt(place(Log::Tier(seconds), offset), number, attempt, by, from, end)
    }

    pub(super) fn fault(mut self, kind: Kind, worker: Worker, from: i64, to: i64) -> Self {
        let subject = if kind.is_of_a_broker() { Subject::Broker(1) } else { Subject::Worker(worker) };
        self.evidence.faults.push(Fault { kind, subject, from: START + from * MILLI, to: START + to * MILLI });
        self
    }

    pub(super) fn judged(self) -> Verdict {
        judge(&self.evidence)
    }

    /// The names of the rules that are broken.
    pub(super) fn broken(self) -> Vec<&'static str> {
        let verdict = self.judged();
        verdict.rules().into_iter().filter(|(_, found)| found.count > 0).map(|(name, _)| name).collect()
    }
}
