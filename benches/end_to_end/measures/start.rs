//! From the start of the process to its first record, in a group that is new each time.

use super::{LEAST, orders};
use crate::{
    child::{Goal, Orders},
    clients::Client,
    clock, fill,
    fill::{Body, Cargo, Keys},
    options::Options,
    parent::Process,
    place::Place,
    report::{Line, Metric, Report},
};

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let clients = [Client::Retrial, Client::Base];
    let mut lines = clients.map(|client| Line::new(client.name()));
    let topic = place.topic(name, 12);
    let cargo = Cargo { records: LEAST, body: Body::Bytes(100), keys: Keys::None };
    let written = fill::fill(&place.bootstrap(), &topic, cargo);
    for round in 0..options.rounds as usize {
        for turn in 0..clients.len() {
            let at = (round + turn) % clients.len();
            let goal = Goal::Count { first: 1, last: LEAST };
            let began = clock::micros();
            let mut process = Process::start(Orders { goal, ..orders(clients[at], place, &topic, LEAST) });
            let awake = process.awake();
            lines[at].figure("start_ms", awake.saturating_sub(began) as f64 / 1000.0);
            lines[at].add_checked(process.outcome(), written);
        }
    }
    Report::new(name, Metric::Figure("start_ms"), lines.into())
}
