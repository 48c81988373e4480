//! A service that handles orders.

use crate::bureau::{LIMIT, orders};
use retrial::{App, Failure, Running, Service, handler, secs};
use retrial_kafka_for_tests::Kafka;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How often the handler saw each order.
pub(crate) type Seen = Arc<Mutex<BTreeMap<String, u32>>>;

/// A service of the group, whose handler refuses every order or does every one.
pub(crate) async fn serve(kafka: &Kafka, group: &str, refuses: bool) -> (Running, Seen) {
    let seen = Seen::default();
    let sight = Arc::clone(&seen);
    let handle = move |order: String| {
        *sight.lock().expect("a lock").entry(order).or_default() += 1;
        async move { if refuses { Err(Failure::dead("a bad deploy").kind("deploy")) } else { Ok(()) } }
    };
    let app = App::group(group).tiers([secs(5)]).topic(orders(group), handler(handle)).build().expect("an app");
    let service = Service::connect(app, retrial::Kafka::bootstrap(kafka.bootstrap())).await;
    let running = service.and_then(|service| service.start()).unwrap_or_else(|error| panic!("{error}"));
    (running, seen)
}

pub(crate) async fn end(mut running: Running) {
    running.stop();
    running.ended().await.unwrap_or_else(|error| panic!("{error}"));
}

pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < LIMIT, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn total(seen: &Seen) -> u32 {
    seen.lock().expect("a lock").values().sum()
}

/// Each order so often, and no other.
pub(crate) fn assert_seen(seen: &Seen, orders: i64, times: u32) {
    let expected: BTreeMap<String, u32> = (0..orders).map(|number| (format!("order {number}"), times)).collect();
    assert!(*seen.lock().expect("a lock") == expected, "{} of {}", total(seen), expected.len() as u32 * times);
}
