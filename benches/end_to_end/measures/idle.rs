//! Processor time with nothing to do: 12 partitions, a group that has settled.

use super::{orders, wake};
use crate::{
    child::{Goal, Orders},
    clients::Client,
    fill::Writer,
    options::Options,
    parent::Process,
    place::Place,
    report::{Line, Metric, Report},
};

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let clients = [Client::Retrial, Client::Base];
    let mut lines = clients.map(|client| Line::new(client.name()));
    let seconds = options.scaled(10, 2);
    for round in 0..options.rounds as usize {
        for turn in 0..clients.len() {
            let at = (round + turn) % clients.len();
            let topic = place.topic(name, 12);
            let usual = orders(clients[at], place, &topic, 0);
            let mut process = Process::start(Orders { goal: Goal::Rest(seconds), ..usual });
            let writer = Writer::new(&place.bootstrap(), &topic, 5);
            wake(&mut process, &writer);
            writer.finish();
            let outcome = process.outcome();
            let lap = outcome.lap.unwrap_or_default();
            lines[at].figure("percent_of_a_core", 100.0 * lap.cpu_seconds / lap.seconds);
            lines[at].add(outcome);
        }
    }
    Report::new(name, Metric::Figure("percent_of_a_core"), lines.into())
}
