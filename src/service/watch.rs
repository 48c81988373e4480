//! Looks at the group's topics again and again while the service runs (RULES 7).
//!
//! A topic that was deleted comes back as whoever makes it wants it: with the producer's timestamps, say, under which
//! waiting records die by retention before they are due. What would have refused the start ends the service; what is
//! missing or weak is said once, and again when it changes.

use super::health::Health;
use crate::{
    broker::{
        Waker,
        kafka::{self, Cluster, ControlReader, Kafka, TopicsError},
    },
    clock,
    metrics::dead_letters_vanish,
};
use retrial_core::{control::Control, naming::GroupNames};
use std::{
    io,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// Dead letters are looked at each so many times: they keep for months.
const LETTERS_EVERY: u32 = 10;

/// How long a partition of theirs is waited for.
const LETTERS_LIMIT: Duration = Duration::from_secs(10);

/// Less than this before the oldest dead letter vanishes, it is said.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the topics are compared with.
pub(super) struct Watched {
    pub(super) cluster: Arc<Cluster>,
    pub(super) names: GroupNames,
    pub(super) sources: Vec<String>,
    pub(super) delays: Vec<Duration>,
    pub(super) may_trim: bool,
    pub(super) kafka: Kafka,
    /// What was said at the start already.
    pub(super) said: Vec<String>,
    pub(super) health: Arc<Health>,
}

/// Keeps the looking going until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    _end: mpsc::Sender<()>,
}

/// Looks every so often, and sends why the service must end, if it must.
pub(super) fn start(
    mut watched: Watched,
    every: Duration,
    alarms: mpsc::Sender<String>,
    waker: Waker,
) -> io::Result<Watch> {
    let (end, ended) = mpsc::channel();
    let watch = move || {
        let mut looks = 0_u32;
        while ended.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
            if looks.is_multiple_of(LETTERS_EVERY) {
                watched.tell_oldest_letter();
            }
            looks = looks.wrapping_add(1);
            if let Some(why) = watched.look() {
                // Nobody hears it only where the service has ended already.
                let _ = alarms.send(why);
                waker.wake();
                return;
            }
        }
    };
    thread::Builder::new().name("retrial-watch".into()).spawn(watch)?;
    Ok(Watch { _end: end })
}

impl Watched {
    /// Compares once. Some reason if the service must end.
    fn look(&mut self) -> Option<String> {
        let sources: Vec<&str> = self.sources.iter().map(String::as_str).collect();
        let order = kafka::TopicsOrder {
            names: &self.names,
            sources: &sources,
            delays: &self.delays,
            create: false,
            may_trim: self.may_trim,
        };
        let now = match kafka::prepare(&self.cluster, &order) {
            Ok(found) => {
                self.health.found(|facts| facts.topics = None);
                found.warnings
            }
            Err(error @ TopicsError::Unusable(_)) => return Some(error.to_string()),
            // Brokers that do not answer are told by the clients themselves.
            Err(TopicsError::Unreachable(_)) => return None,
            Err(error) => {
                self.health.found(|facts| facts.topics = Some(error.to_string()));
                vec![error.to_string()]
            }
        };
        for warning in now.iter().filter(|warning| !self.said.contains(warning)) {
            tracing::warn!(group = self.names.group(), "{warning}");
        }
        self.said = now;
        None
    }

    /// Tells when the oldest open dead letter will be gone, and says so aloud in its last week.
    fn tell_oldest_letter(&self) {
        let (topic, now) = (self.names.dead_letters(), clock::now());
        let id = self.cluster.topic_ids(&[&topic]).ok().and_then(|ids| ids.get(&topic).copied());
        let mut control = Control::default();
        // Where it cannot be read, all letters are taken for open.
        let _ = ControlReader::open(&self.kafka, &self.names).and_then(|reader| reader.read_to_end(&mut control));
        let first_open = |partition, start, end| control.settled.first_open(&topic, id, partition, start, end);
        let reading = self.kafka.reading(self.names.group());
        // Brokers that do not answer are told by the clients themselves.
        let Ok(Some(at)) = kafka::vanishes(&self.cluster, &reading, &topic, first_open, LETTERS_LIMIT) else {
            return;
        };
        dead_letters_vanish(at);
        if at < now.after(SOON) {
            tracing::warn!(group = self.names.group(), topic, "the oldest open dead letter is deleted at {at}");
        }
    }
}
