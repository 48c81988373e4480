//! From the writing of a record to the start of its handler, at 1,000 records a second.

use super::{LEAST, orders, wake};
use crate::{
    child::Orders,
    clients::Client,
    desk::Work,
    fill::Writer,
    options::Options,
    parent::Process,
    place::Place,
    report::{Line, Metric, Report, percentile},
};

const PER_SECOND: u64 = 1_000;

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let clients = [Client::Retrial, Client::Base];
    let mut lines = clients.map(|client| Line::new(client.name()));
    let records = options.scaled(10_000, LEAST);
    for round in 0..options.rounds as usize {
        for turn in 0..clients.len() {
            let at = (round + turn) % clients.len();
            let topic = place.topic(name, 12);
            let usual = orders(clients[at], place, &topic, records);
            let mut process = Process::start(Orders { work: Work::Stamps, ..usual });
            let writer = Writer::new(&place.bootstrap(), &topic, 0);
            wake(&mut process, &writer);
            writer.pace(0..records, PER_SECOND);
            let mut outcome = process.outcome();
            lines[at].figure("p50_ms", percentile(&mut outcome.samples, 0.5));
            lines[at].figure("p99_ms", percentile(&mut outcome.samples, 0.99));
            lines[at].add(outcome);
            writer.finish();
        }
    }
    Report::new(name, Metric::Figure("p50_ms"), lines.into())
}
