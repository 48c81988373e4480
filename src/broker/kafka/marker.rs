//! Writes [`marks`](super::marks) to the control topic, in the background.
//!
//! # Invariants
//! 1. A mark is kept and tried again until it is written.
//! 2. A trouble is told once until a mark was written in between.
//!
//! Each acknowledged write also tells how the broker's clock stands to ours. A process that owns tiers only, and so never
//! forwards from a source, learns from it when its gates open: so one is written at the start, and each minute in
//! which there was nothing else. Control is compacted: it keeps the last one.

use super::{
    ffi::produce::{Outgoing, Producer, Ticket},
    marks::{self, Mark},
    producer::append_time,
    wire::producer_settings,
};
use crate::{
    broker::{ClockSample, Waker},
    clock,
};
use rdkafka::ClientConfig;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Marks of this time are written together.
const GATHER: Duration = Duration::from_millis(200);

/// How long one writing may take, and the pause after one that failed.
const LIMIT: Duration = Duration::from_secs(10);

/// So often the broker's clock is read where there is nothing else to write.
const READ_CLOCK: Duration = Duration::from_secs(60);

/// Key of the record that is written to read the broker's clock; its value is when it was sent.
const CLOCK: &[u8] = b"clock";

type Place = (Arc<str>, i32);

#[derive(Debug)]
struct Order {
    place: Place,
    topic_id: Option<[u8; 16]>,
}

/// Orders marks from another place than the [`Marker`]'s owner. The thread ends when all of them are gone.
#[derive(Clone, Debug)]
pub(crate) struct MarkerHandle(mpsc::Sender<Order>);

impl MarkerHandle {
    /// Marks a partition as read by this group, soon.
    pub(crate) fn mark(&self, topic: &Arc<str>, partition: i32, topic_id: Option<[u8; 16]>) {
        // The thread ends only after this handle, or by a panic that was printed.
        let _ = self.0.send(Order { place: (Arc::clone(topic), partition), topic_id });
    }
}

/// A handle on the thread that writes marks. Dropping it lets the thread end after one last try.
#[derive(Debug)]
pub(crate) struct Marker {
    orders: mpsc::Sender<Order>,
    ended: mpsc::Receiver<()>,
}

impl Marker {
    /// Starts the thread. It reads the broker's clock first, and calls `tell` with troubles in words.
    /// Not to be started while [`marks::Marks::writable`] says no. `broker_stamps`: whether the append time of an
    /// acknowledgement is the broker's; the embedded one always claims the same second of 1970.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(
        connection: &ClientConfig,
        control: String,
        broker_stamps: bool,
        tell: impl Fn(String) + Send + 'static,
        sampled: impl Fn(ClockSample) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, queue) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let settings = producer_settings(connection);
        let mut desk = Desk { settings, control, broker_stamps, producer: None, waiting: HashMap::new(), readings: 2 };
        thread::Builder::new().name("retrial-marks".to_owned()).spawn(move || {
            desk.run(&queue, tell, sampled);
            drop(end);
        })?;
        Ok(Self { orders, ended })
    }

    /// What orders marks.
    pub(crate) fn handle(&self) -> MarkerHandle {
        MarkerHandle(self.orders.clone())
    }

    /// Writes what was ordered, within this time, and ends.
    pub(crate) fn close(self, limit: Duration) {
        drop(self.orders);
        // Nothing is ever sent: the other end is dropped when the thread is through.
        let _ = self.ended.recv_timeout(limit);
    }
}

struct Desk {
    settings: ClientConfig,
    control: String,
    broker_stamps: bool,
    producer: Option<Producer>,
    waiting: HashMap<Place, Option<[u8; 16]>>,
    /// How often the broker's clock is to be read at once. Twice at the start: the first answer of a producer takes long.
    readings: u8,
}

impl Desk {
    fn run(&mut self, orders: &mpsc::Receiver<Order>, tell: impl Fn(String), sampled: impl Fn(ClockSample)) {
        let mut failed = false;
        let mut open = true;
        while open {
            open = self.gather(orders, failed);
            if self.waiting.is_empty() && (self.readings == 0 || !open) {
                continue;
            }
            match self.write(&sampled) {
                Ok(()) => failed = false,
                Err(why) if !failed => {
                    tell(format!("nothing can be written to {}: {why}", self.control));
                    failed = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Waits for orders, and a little longer for those that come together; false when there will be no more. Also
    /// ends when the broker's clock should be read again.
    fn gather(&mut self, orders: &mpsc::Receiver<Order>, failed: bool) -> bool {
        let idle = self.waiting.is_empty() && self.readings == 0;
        let wait = if failed { LIMIT } else { if idle { READ_CLOCK } else { Duration::ZERO } };
        match orders.recv_timeout(wait) {
            Ok(order) => drop(self.waiting.insert(order.place, order.topic_id)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.readings = self.readings.max(1);
                return true;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
        }
        let end = Instant::now() + GATHER;
        loop {
            match orders.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(order) => drop(self.waiting.insert(order.place, order.topic_id)),
                Err(mpsc::RecvTimeoutError::Timeout) => return true,
                Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Writes every mark that waits, and forgets those that were acknowledged.
    fn write(&mut self, sampled: &impl Fn(ClockSample)) -> Result<(), String> {
        let mut producer = match self.producer.take() {
            Some(producer) => producer,
            None => Producer::new(&self.settings, Waker::new(|| {})).map_err(|error| error.to_string())?,
        };
        let sent = clock::now();
        let mut places = Vec::with_capacity(self.waiting.len());
        for (place, &topic_id) in &self.waiting {
            let since = clock::now();
            let (key, value) = (marks::key(&place.0, place.1), Mark { topic_id, since }.to_string());
            let record =
                Outgoing { topic: &self.control, key: Some(key.as_bytes()), body: Some(value.as_bytes()), time: since };
            // Control has one partition that counts, the first.
            let ticket = Ticket { token: places.len() as u64, spread: 0 };
            producer.produce(record, [], ticket).map_err(|code| code.to_string())?;
            places.push(place.clone());
        }
        if self.readings > 0 {
            let body = sent.to_string();
            let record = Outgoing { topic: &self.control, key: Some(CLOCK), body: Some(body.as_bytes()), time: sent };
            let ticket = Ticket { token: places.len() as u64, spread: 0 };
            producer.produce(record, [], ticket).map_err(|code| code.to_string())?;
        }
        producer.flush(LIMIT);
        let acknowledged = clock::now();
        let mut reports = Vec::with_capacity(places.len());
        producer.poll(&mut reports);
        let unanswered = places.len() + usize::from(self.readings > 0) - reports.len();
        for report in reports {
            let stamp = report.result.map_err(|code| code.to_string())?;
            let appended = if self.broker_stamps { append_time(stamp) } else { Some(sent) };
            if let Some(appended) = appended {
                sampled(ClockSample { sent, acknowledged, appended });
            }
            match places.get(report.token as usize) {
                Some(place) => drop(self.waiting.remove(place)),
                None => self.readings -= 1,
            }
        }
        if unanswered > 0 {
            return Err(format!("no answer within {LIMIT:?}"));
        }
        // Kept only when nothing is open: a late report must not be taken for one of the next writing.
        self.producer = Some(producer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::kafka::embedded::EmbeddedBroker;

    #[test]
    fn on_the_embedded_broker_a_mark_tells_the_time_of_sending() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("billing.control", 1).unwrap();
        let mut connection = ClientConfig::new();
        connection.set("bootstrap.servers", broker.address());
        let (samples, sampled) = mpsc::channel();
        let sample = move |sample| samples.send(sample).unwrap();
        let marker = Marker::start(&connection, "billing.control".to_owned(), false, |why| panic!("{why}"), sample);
        let marker = marker.unwrap();
        marker.handle().mark(&"orders".into(), 0, None);
        let ClockSample { sent, acknowledged, appended } = sampled.recv_timeout(LIMIT).unwrap();
        marker.close(LIMIT);
        // What the broker itself claims is 1234, which would keep every gate shut for 56 years.
        assert_eq!(appended, sent);
        assert!(sent <= acknowledged);
    }
}
