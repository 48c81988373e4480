//! (b) A loop around `StreamConsumer::recv`, one record after another.

use super::{LOOK, positions::Positions, reference, tokio_runtime::Stream};
use crate::{child::Orders, tally::Tally};
use rdkafka::{Message as _, consumer::Consumer as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// A clock costs more than a record: it is read once for so many.
const CLOCK: u64 = 64;

pub(super) async fn run(orders: &Orders, tally: &Tally, stop: &AtomicBool) {
    let consumer: Stream = reference(orders).create().expect("a consumer");
    consumer.subscribe(&[&orders.topic]).expect("a topic");
    let mut positions = Positions::new(&orders.topic);
    let mut look = tokio::time::interval(LOOK);
    let mut taken = 0_u64;
    loop {
        tokio::select! {
            biased;
            message = consumer.recv() => {
                let message = message.expect("a record");
                tally.handle(message.payload().unwrap_or_default());
                positions.took(message.partition(), message.offset());
                taken += 1;
                if !taken.is_multiple_of(CLOCK) {
                    continue;
                }
            }
            _ = look.tick() => {}
        }
        positions.commit_in_time(&consumer);
        if stop.load(Ordering::Relaxed) {
            return positions.finish(&consumer);
        }
    }
}
