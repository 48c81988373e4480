//! What memory a record in flight takes beside its payload, what a long run adds, and what 200 idle partitions take.

use super::{LEAST, orders, wake};
use crate::{
    child::{Goal, Orders},
    clients::Client,
    desk::Work,
    fill::{self, Body, Cargo, Keys, Writer},
    options::Options,
    parent::{self, Process},
    place::Place,
    report::{Line, Metric, Report},
};

const BYTES: u64 = 100;

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let mut line = Line::new("retrial");
    for _ in 0..options.rounds {
        in_flight(&mut line, name, place, options.scaled(100_000, LEAST));
        idle(&mut line, name, place);
    }
    long_run(&mut line, name, place, options.scaled(10_000_000, LEAST));
    Report::new(name, Metric::Figure("bytes_per_record_in_flight"), vec![line])
}

/// All of them begin, and none ends. Compared is what is resident then with what was before.
fn in_flight(line: &mut Line, name: &str, place: &Place, records: u64) {
    let topic = place.topic(name, 12);
    let usual = orders(Client::Retrial, place, &topic, records);
    let concurrency = usize::try_from(records).expect("a number of records") * 2;
    let mut process = Process::start(Orders { work: Work::Pends, concurrency, ..usual });
    let writer = Writer::new(&place.bootstrap(), &topic, 5);
    wake(&mut process, &writer);
    writer.pace(0..records, 50_000);
    writer.finish();
    let outcome = process.outcome();
    let more = outcome.settled_bytes.saturating_sub(outcome.awake_bytes);
    line.figure("bytes_per_record_in_flight", more as f64 / records as f64 - BYTES as f64);
    line.add(outcome);
}

/// Twelve times as many partitions as usual, and nothing in them.
fn idle(line: &mut Line, name: &str, place: &Place) {
    let topic = place.topic(name, 200);
    let mut process = Process::start(Orders { goal: Goal::Rest(1), ..orders(Client::Retrial, place, &topic, 0) });
    let writer = Writer::new(&place.bootstrap(), &topic, 5);
    wake(&mut process, &writer);
    writer.finish();
    let outcome = process.outcome();
    line.figure("idle_bytes_200_partitions", outcome.settled_bytes as f64);
    line.figure("idle_peak_bytes_200_partitions", outcome.peak_bytes as f64);
    line.add(outcome);
}

/// Once: it takes long, and one is enough to see growth.
fn long_run(line: &mut Line, name: &str, place: &Place, records: u64) {
    let topic = place.topic(name, 12);
    let cargo = Cargo { records, body: Body::Bytes(BYTES as usize), keys: Keys::None };
    let written = fill::fill(&place.bootstrap(), &topic, cargo);
    let outcome = parent::run(orders(Client::Retrial, place, &topic, records));
    let grown = outcome.lap.map_or(0, |lap| lap.grown_bytes);
    line.figure("long_run_records", records as f64);
    line.figure("long_run_grown_bytes", grown as f64);
    line.add_checked(outcome, written);
}
