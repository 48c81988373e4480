//! Clients in turn, round after round.

use crate::{
    child::{self, Orders},
    clients::Client,
    fill::{self, Cargo},
    place::Place,
    report::{Line, Result},
    scenario::Throughput,
};

/// retrial and its references read the same topic.
pub(crate) fn throughput(
    name: &'static str,
    place: &Place,
    rounds: u32,
    throughput: &Throughput,
    cargo: Cargo,
) -> Result {
    let topic = place.topic(name, throughput.partitions);
    let written = fill::fill(&place.bootstrap(), &topic, cargo);
    let clients: Vec<Client> = [Client::Retrial].into_iter().chain(throughput.references.iter().copied()).collect();
    let mut lines: Vec<Line> = clients.iter().map(|client| Line::new(*client)).collect();
    for round in 0..rounds as usize {
        for turn in 0..clients.len() {
            // Each is first in some round.
            let place_in_line = (round + turn) % clients.len();
            let orders = Orders {
                client: clients[place_in_line],
                bootstrap: place.bootstrap(),
                group: place.group(name),
                topic: topic.name.clone(),
                records: cargo.records,
                concurrency: throughput.concurrency,
                by_key: throughput.by_key,
                first: cargo.records / 10,
                last: cargo.records,
            };
            lines[place_in_line].add(child::start(&orders), written);
        }
    }
    Result { name, lines }
}
