//! Three brokers, for one test at a time.

use retrial_kafka_for_tests::{Kafka, Options, Unavailable};
use std::{
    ops::Deref,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

/// The cluster, until this is dropped. All of its brokers are up at first; whoever has it leaves them so.
pub(crate) struct Trio {
    kafka: &'static Kafka,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Trio {
    type Target = Kafka;

    fn deref(&self) -> &Kafka {
        self.kafka
    }
}

/// Waits for its turn.
pub(crate) fn trio() -> Result<Trio, &'static Unavailable> {
    static TURN: Mutex<()> = Mutex::new(());
    static KAFKA: OnceLock<Result<Kafka, Unavailable>> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let start = || {
        // A replica that stands still leaves the in-sync set after this long instead of 30 s.
        Kafka::start(Options::brokers(3).property("replica.lag.time.max.ms", 2000))
    };
    let kafka = KAFKA.get_or_init(start).as_ref()?;
    // Whoever had it before may have failed in the middle.
    for broker in kafka.brokers() {
        if broker.has_ended() {
            broker.start();
        }
        broker.resume();
    }
    Ok(Trio { kafka, _turn: turn })
}
