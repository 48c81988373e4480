//! retrial, as a user writes it.

use super::{LOOK, PROPERTIES};
use crate::{child::Orders, tally::Tally};
use retrial::{App, Bytes, HandlerSet, Kafka, OnExhausted, Order, Service, State, handler, secs};
use std::sync::atomic::{AtomicBool, Ordering};

async fn count(body: Bytes, State(tally): State<&'static Tally>) {
    tally.handle(&body);
}

fn app(orders: &Orders, tally: &'static Tally) -> HandlerSet {
    let order = if orders.by_key { Order::by_key(OnExhausted::Dead) } else { Order::unordered() };
    let handling = handler(count).concurrency(orders.concurrency).order(order);
    App::group(&orders.group).tiers([secs(5)]).state(tally).topic(&orders.topic, handling).build().expect("an app")
}

pub(super) async fn run(orders: &Orders, tally: &'static Tally, stop: &AtomicBool) {
    let kafka = Kafka::bootstrap(&orders.bootstrap);
    let kafka = PROPERTIES.iter().fold(kafka, |kafka, (name, value)| kafka.property(*name, *value));
    let service = Service::connect(app(orders, tally), kafka).await.expect("a service");
    let until_told = async {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
    };
    service.run_until(until_told).await.expect("a service that ends in peace");
}
