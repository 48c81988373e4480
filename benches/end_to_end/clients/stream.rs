//! (b) A loop around `StreamConsumer::recv`, one record after another.

use super::{LOOK, positions::Positions, reference, tokio_runtime::Stream};
use crate::{child::Orders, desk::Desk};
use rdkafka::{Message as _, consumer::Consumer as _};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) async fn run(orders: &Orders, desk: &Desk, stop: &AtomicBool) {
    let consumer: Stream = reference(orders).create().expect("a consumer");
    consumer.subscribe(&[&orders.topic]).expect("a topic");
    let mut positions = Positions::new(orders);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            biased;
            message = consumer.recv() => {
                let message = message.expect("a record");
                desk.handle(message.payload().unwrap_or_default());
                if !positions.took(message.partition(), message.offset()) {
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
