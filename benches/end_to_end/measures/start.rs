//! From the start of the process to its first record: in a group that is new, whose own topics retrial makes first, and
//! in one that is known, which is every later start. Records come every ten milliseconds then.

use super::{LEAST, orders, wake};
use crate::{
    child::{Goal, Orders},
    clients::Client,
    clock, fill,
    fill::{Body, Cargo, Keys, Writer},
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
            let usual = orders(clients[at], place, &topic, LEAST);
            let told = Orders { goal, ..usual };
            let began = clock::micros();
            let mut process = Process::start(told.clone());
            let awake = process.awake();
            lines[at].figure("start_of_new_group_ms", millis(began, awake));
            lines[at].add_checked(process.outcome(), written);
            let writer = Writer::new(&place.bootstrap(), &topic, 0);
            let began = clock::micros();
            let mut process = Process::start(Orders { goal: Goal::None, ..told });
            let awake = wake(&mut process, &writer);
            lines[at].figure("start_ms", millis(began, awake));
            process.kill();
            writer.finish();
        }
    }
    Report::new(name, Metric::Figure("start_ms"), lines.into())
}

fn millis(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1000.0
}
