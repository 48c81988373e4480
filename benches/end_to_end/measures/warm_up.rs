//! Before anything counts: a broker's code is compiled while it runs, by how it is used. Who came first would pay for
//! that with half of the broker's processor time, which is also the client's.

use super::{LEAST, orders};
use crate::{
    clients::Client,
    fill::{self, Body, Cargo, Keys},
    options::Options,
    parent,
    place::Place,
    scenario::FULL,
};

/// How often each of two clients reads.
const ROUNDS: usize = 2;

pub(crate) fn run(place: &Place, options: &Options) {
    let topic = place.topic("warm-up", 12);
    let records = options.scaled(FULL, LEAST);
    fill::fill(&place.bootstrap(), &topic, Cargo { records, body: Body::Bytes(100), keys: Keys::None });
    for client in [Client::Base, Client::Retrial].repeat(ROUNDS) {
        parent::run(orders(client, place, &topic, records));
    }
}
