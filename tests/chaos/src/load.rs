//! The load: numbered records at a steady rate, from one idempotent producer.
//!
//! It also tells how the cluster fares: an acknowledgement comes when the leader and the replicas in sync have the record,
//! as that of a commit does. Where none was killed or frozen and it takes longer than [`SLOW`], the machine is too busy:
//! then the bounds that a service keeps (two seconds to part with a partition, for one) pass by themselves.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer},
};
use retrial_kafka_for_tests::Kafka;

use crate::{
    clock::{self, Micros, SECOND},
    work::Order,
};

const TICK: Duration = Duration::from_millis(10);
/// What a broker's absence may cost at the end.
const FLUSH: Duration = Duration::from_secs(120);

/// Half of what a service waits for its last commit of a partition that the group takes back.
const SLOW: Micros = SECOND;

/// What was acknowledged by all replicas in sync.
#[derive(Debug, Default)]
struct Acknowledgements {
    numbers: Vec<u64>,
    /// From when until when acknowledgements were waited for too long.
    slow: Vec<(Micros, Micros)>,
}

#[derive(Clone, Debug, Default)]
struct Acknowledged(Arc<Mutex<Acknowledgements>>);

/// A record's number, and when it was sent.
type Sent = Box<(u64, Micros)>;

impl Acknowledgements {
    fn add(&mut self, number: u64, sent: Micros, now: Micros) {
        self.numbers.push(number);
        if now - sent <= SLOW {
            return;
        }
        match self.slow.last_mut() {
            Some((from, to)) if sent <= *to => (*from, *to) = ((*from).min(sent), (*to).max(now)),
            _ => self.slow.push((sent, now)),
        }
    }
}

impl ClientContext for Acknowledged {
    fn error(&self, _: KafkaError, _: &str) {
        // Brokers are killed here: every line would say so.
    }

    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ProducerContext<NoCustomPartitioner> for Acknowledged {
    type DeliveryOpaque = Sent;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Sent) {
        if result.is_ok() {
            let (number, at) = *sent;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).add(number, at, clock::now());
        }
    }
}

/// A load that runs.
pub(crate) struct Load {
    acknowledged: Acknowledged,
    end: Arc<AtomicBool>,
    thread: thread::JoinHandle<Result<u64, String>>,
}

/// What a load came to.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// How many records were given to the client: they are numbered from 0.
    pub(crate) sent: u64,
    /// The numbers of those that were acknowledged.
    pub(crate) acknowledged: Vec<u64>,
    /// From when until when acknowledgements took too long.
    pub(crate) slow: Vec<(Micros, Micros)>,
}

impl Load {
    /// Begins to produce so many records a second.
    ///
    /// # Errors
    /// The client could not be made.
    pub(crate) fn begin(kafka: &Kafka, seed: u64, rate: u32) -> Result<Self, String> {
        let mut config = kafka.client_config();
        // Brokers that come and go must cost neither a record nor its order.
        config.set("enable.idempotence", "true").set("linger.ms", "5").set("message.timeout.ms", "600000");
        let (acknowledged, end) = (Acknowledged::default(), Arc::new(AtomicBool::new(false)));
        let producer = config.create_with_context(acknowledged.clone()).map_err(|error| error.to_string())?;
        let ended = Arc::clone(&end);
        let thread = thread::spawn(move || produce(&producer, seed, rate, &ended));
        Ok(Self { acknowledged, end, thread })
    }

    /// Stops, and waits until everything that was sent is acknowledged.
    ///
    /// # Errors
    /// The producer failed for good.
    pub(crate) fn end(self) -> Result<Loaded, String> {
        self.end.store(true, Ordering::Relaxed);
        let sent = self.thread.join().map_err(|_| "the load panicked".to_owned())??;
        let mut all = self.acknowledged.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Acknowledgements { numbers, slow } = std::mem::take(&mut *all);
        Ok(Loaded { sent, acknowledged: numbers, slow })
    }
}

fn produce(producer: &ThreadedProducer<Acknowledged>, seed: u64, rate: u32, end: &AtomicBool) -> Result<u64, String> {
    let (began, mut number) = (Instant::now(), 0);
    while !end.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        while number < due && send(producer, seed, number)? {
            number += 1;
        }
        thread::sleep(TICK);
    }
    producer.flush(FLUSH).map_err(|error| format!("the load was not acknowledged: {error}"))?;
    Ok(number)
}

/// Whether the client had room for it.
fn send(producer: &ThreadedProducer<Acknowledged>, seed: u64, number: u64) -> Result<bool, String> {
    let order = Order::draw(seed, number);
    let (key, body) = (order.key.to_string(), order.body());
    let record =
        BaseRecord::with_opaque_to(order.source.topic(), Box::new((number, clock::now()))).key(&key).payload(&body);
    match producer.send(record) {
        Ok(()) => Ok(true),
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
        Err((error, _)) => Err(format!("cannot produce: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_acknowledgements_that_overlap_are_one_slow_time() {
        let mut all = Acknowledgements::default();
        let seconds = |at: f64| (at * SECOND as f64) as Micros;
        for (number, (sent, now)) in
            [(0.0, 0.1), (1.0, 2.5), (1.2, 2.5), (2.4, 4.0), (4.1, 4.2), (9.0, 11.0)].into_iter().enumerate()
        {
            all.add(number as u64, seconds(sent), seconds(now));
        }
        assert_eq!(all.numbers.len(), 6);
        assert_eq!(all.slow, [(seconds(1.0), seconds(4.0)), (seconds(9.0), seconds(11.0))]);
    }
}
