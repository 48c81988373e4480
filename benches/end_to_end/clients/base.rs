//! (a) A loop around `BaseConsumer::poll`, on one thread: the cheapest that the safe interface has.

use super::{LOOK, positions::Positions, reference};
use crate::{child::Orders, desk::Desk};
use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, Consumer as _},
};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn run(orders: &Orders, desk: &Desk, stop: &AtomicBool) {
    let consumer: BaseConsumer = reference(orders).create().expect("a consumer");
    consumer.subscribe(&[&orders.topic]).expect("a topic");
    let mut positions = Positions::new(orders);
    // What never ends is still under way: a safe committer commits nothing beyond it.
    let mut is_stuck = false;
    while !stop.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(LOOK) else {
            positions.commit_in_time(&consumer);
            continue;
        };
        let message = message.expect("a record");
        let body = message.payload().unwrap_or_default();
        is_stuck |= desk.is_stuck(body);
        if is_stuck && desk.is_stuck(body) {
            continue;
        }
        desk.handle(body);
        if !is_stuck && positions.took(message.partition(), message.offset()) {
            positions.commit_in_time(&consumer);
        }
    }
    positions.finish(&consumer);
}
