//! (a) A loop around `BaseConsumer::poll`, on one thread: the cheapest that the safe interface has.

use super::{LOOK, positions::Positions, reference};
use crate::{child::Orders, tally::Tally};
use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, Consumer as _},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// A clock costs more than a record: it is read once for so many.
const CLOCK: u64 = 64;

pub(super) fn run(orders: &Orders, tally: &Tally, stop: &AtomicBool) {
    let consumer: BaseConsumer = reference(orders).create().expect("a consumer");
    consumer.subscribe(&[&orders.topic]).expect("a topic");
    let mut positions = Positions::new(&orders.topic);
    let mut taken = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(LOOK) {
            None => positions.commit_in_time(&consumer),
            Some(message) => {
                let message = message.expect("a record");
                tally.handle(message.payload().unwrap_or_default());
                positions.took(message.partition(), message.offset());
                taken += 1;
                if taken.is_multiple_of(CLOCK) {
                    positions.commit_in_time(&consumer);
                }
            }
        }
    }
    positions.finish(&consumer);
}
