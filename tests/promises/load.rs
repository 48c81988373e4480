//! Records that come while something else happens.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use retrial_kafka_for_tests::{Kafka, TestRecord};

/// Produces batch after batch while `scene` plays; returns what it returned and how many records there are.
pub(crate) fn under_load<T>(
    kafka: &Kafka,
    topic: &str,
    batch: u64,
    pause: Duration,
    record: impl Fn(u64) -> TestRecord + Sync,
    scene: impl FnOnce(&AtomicU64) -> T,
) -> (T, u64) {
    let (over, produced) = (AtomicBool::new(false), AtomicU64::new(0));
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                let from = produced.load(Ordering::Acquire);
                kafka.produce(topic, (from..from + batch).map(&record));
                produced.store(from + batch, Ordering::Release);
                // The pace of the load, not a wait for anything.
                thread::sleep(pause);
            }
        });
        // Also when the scene panics: the scope waits for the load.
        let _end = End(&over);
        scene(&produced)
    });
    (result, produced.into_inner())
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
