//! How late retries of a tier of 1 s are, and that none is early: by the time that the broker stamped the tier's record
//! with, which the handler sees, and the machine's clock, which is the broker's.

use super::{LEAST, orders, wake};
use crate::{
    child::{Goal, Orders, Outcome},
    clients::Client,
    desk::Work,
    fill::{self, Body, Cargo, Keys, Writer},
    options::Options,
    parent::{self, Process},
    place::Place,
    report::{Line, Metric, Report, percentile},
};

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let mut lines = [Line::new("retrial, loaded"), Line::new("retrial, unloaded")];
    for _ in 0..options.rounds {
        note(&mut lines[0], loaded(name, place, options.scaled(crate::scenario::FULL, LEAST)));
        note(&mut lines[1], unloaded(name, place, options.scaled(2_000, LEAST / 5)));
    }
    Report::new(name, Metric::Figure("p99_ms"), lines.into())
}

fn note(line: &mut Line, mut outcome: Outcome) {
    line.figure("p50_ms", percentile(&mut outcome.samples, 0.5));
    line.figure("p99_ms", percentile(&mut outcome.samples, 0.99));
    line.figure("retries", outcome.samples.len() as f64);
    line.figure("early", outcome.early as f64);
    line.add(outcome);
}

/// 200 records a second, each fails once.
fn unloaded(name: &str, place: &Place, records: u64) -> Outcome {
    let topic = place.topic(name, 12);
    let usual = orders(Client::Retrial, place, &topic, records);
    let mut process = Process::start(Orders { work: Work::FailsOnce(1000), ..usual });
    let writer = Writer::new(&place.bootstrap(), &topic, 0);
    wake(&mut process, &writer);
    writer.pace(0..records, 200);
    writer.finish();
    process.outcome()
}

/// A backlog, of which 1 % fail once.
fn loaded(name: &str, place: &Place, records: u64) -> Outcome {
    let topic = place.topic(name, 12);
    let cargo = Cargo { records, body: Body::Bytes(100), keys: Keys::None };
    fill::fill(&place.bootstrap(), &topic, cargo);
    let goal = Goal::Count { first: records / 10, last: records - records / 100 };
    parent::run(Orders { work: Work::FailsOnce(10), goal, ..orders(Client::Retrial, place, &topic, records) })
}
