//! Every record fails and goes to a tier: records per second that all replicas have there, counted at the broker. The
//! reference reads and sends on, as idempotent and as acknowledged; a second one also with as many headers, to tell what
//! they cost.

use super::{LEAST, orders};
use crate::{
    child::Orders,
    clients::Client,
    desk::Work,
    fill::{self, Body, Cargo, Keys},
    options::Options,
    parent,
    place::Place,
    report::{Line, Metric, Report},
};

/// No retry comes back while this is measured.
const TIER_SECONDS: u64 = 3600;

/// As many as a tier has of a source with twelve.
const TARGET_PARTITIONS: i32 = 6;

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let records = options.scaled(600_000, LEAST);
    let topic = place.topic(name, 12);
    let written =
        fill::fill(&place.bootstrap(), &topic, Cargo { records, body: Body::Bytes(100), keys: Keys::Of(1_000_000) });
    let clients = [Client::Retrial, Client::Sender, Client::SenderOfHeaders];
    let mut lines = clients.map(|client| Line::new(client.name()));
    for round in 0..options.rounds as usize {
        for turn in 0..clients.len() {
            let at = (round + turn) % clients.len();
            let usual = orders(clients[at], place, &topic, records);
            let own = place.topic("forwarded", TARGET_PARTITIONS);
            let target = match clients[at] {
                Client::Retrial => format!("{}.retry.1h", usual.group),
                _ => own.name.clone(),
            };
            let told = Orders { work: Work::Fails, tiers: vec![TIER_SECONDS], target: Some(target), ..usual };
            lines[at].add_checked(parent::run(told), written);
        }
    }
    Report::new(name, Metric::Rate, lines.into())
}
