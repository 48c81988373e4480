//! (c) What a user writes by hand: `StreamConsumer`, a task per record, a semaphore. A commit covers what was taken,
//! also what runs still: a crash loses that.

use super::{LOOK, positions::Positions, reference, tokio_runtime::Stream};
use crate::{
    child::Orders,
    desk::{Desk, Work},
};
use rdkafka::{Message as _, consumer::Consumer as _};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

pub(super) async fn run(orders: &Orders, desk: &'static Desk, stop: &AtomicBool) {
    let consumer: Stream = reference(orders).create().expect("a consumer");
    consumer.subscribe(&[&orders.topic]).expect("a topic");
    let slots = Arc::new(Semaphore::new(orders.concurrency));
    let mut positions = Positions::new(orders);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            biased;
            message = consumer.recv() => {
                let message = message.expect("a record");
                let slot = Arc::clone(&slots).acquire_owned().await.expect("a semaphore that is not closed");
                let look = positions.took(message.partition(), message.offset());
                let message = message.detach();
                tokio::spawn(async move {
                    if let Work::Sleeps(millis) = desk.work {
                        tokio::time::sleep(Duration::from_millis(millis)).await;
                    }
                    desk.handle(message.payload().unwrap_or_default());
                    drop(slot);
                });
                if !look {
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
