//! What a worker process is told to be, in its environment.

use retrial::{App, HandlerSet, OnCrash, OnExhausted, Order, Retry, handler, secs};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

use crate::worker::{Desk, perform};

/// The variable that holds them, as JSON.
pub(crate) const VARIABLE: &str = "RETRIAL_PROMISES_ORDERS";

/// A service: its group, its topics, and where its journal is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) bootstrap: String,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) group: String,
    /// In seconds.
    pub(crate) tiers: Vec<u64>,
    pub(crate) topics: Vec<TopicOrders>,
    /// How long running work may go on after SIGTERM.
    pub(crate) drain: Duration,
    pub(crate) journal: PathBuf,
    /// A file that is made when tasks may go through the gate.
    pub(crate) gate: PathBuf,
}

/// One source topic and how it is handled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TopicOrders {
    pub(crate) name: String,
    pub(crate) concurrency: usize,
    pub(crate) has_timeout: bool,
    /// Delays between attempts, in seconds.
    pub(crate) delays: Vec<u64>,
    pub(crate) by_key: bool,
    pub(crate) threads: Option<usize>,
    /// Whether a record that takes its process down is held.
    pub(crate) holds_crashed: bool,
}

impl Orders {
    /// A member of a group with a session of 4 s, which hears nothing of a topic yet.
    pub(crate) fn new(bootstrap: String, group: &str) -> Self {
        Self {
            bootstrap,
            properties: vec![("session.timeout.ms".to_owned(), "4000".to_owned())],
            group: group.to_owned(),
            tiers: vec![1],
            topics: Vec::new(),
            drain: Duration::from_secs(25),
            journal: PathBuf::new(),
            gate: PathBuf::new(),
        }
    }

    /// A client property, in place of one that was set before.
    pub(crate) fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.retain(|(set, _)| set != name);
        self.properties.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without_property(mut self, name: &str) -> Self {
        self.properties.retain(|(set, _)| set != name);
        self
    }

    pub(crate) fn tiers(self, seconds: impl IntoIterator<Item = u64>) -> Self {
        Self { tiers: seconds.into_iter().collect(), ..self }
    }

    pub(crate) fn topic(mut self, topic: TopicOrders) -> Self {
        self.topics.push(topic);
        self
    }

    pub(crate) fn drain(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// The app that these orders describe.
    pub(crate) fn app(&self, desk: Desk) -> HandlerSet {
        let app = App::group(&self.group).tiers(self.tiers.iter().copied().map(secs)).state(desk);
        let app = self.topics.iter().fold(app, |app, topic| {
            let retry = Retry::delays(topic.delays.iter().copied().map(secs)).in_place(0);
            let order = if topic.by_key { Order::by_key(OnExhausted::Overtake) } else { Order::unordered() };
            let handler = handler(perform).retry(retry).order(order).concurrency(topic.concurrency);
            let handler = if topic.holds_crashed { handler.on_crash(OnCrash::Hold) } else { handler };
            let handler = if topic.has_timeout { handler } else { handler.without_timeout() };
            let handler = match topic.threads {
                Some(threads) => handler.threads(threads),
                None => handler,
            };
            app.topic(&topic.name, handler)
        });
        app.build().expect("orders that can be followed")
    }
}

impl TopicOrders {
    /// With the defaults of the library, but for no retries.
    pub(crate) fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self {
            name,
            concurrency: 100,
            has_timeout: true,
            delays: Vec::new(),
            by_key: false,
            threads: None,
            holds_crashed: false,
        }
    }

    pub(crate) fn concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }

    pub(crate) fn without_timeout(self) -> Self {
        Self { has_timeout: false, ..self }
    }

    pub(crate) fn delays(self, seconds: impl IntoIterator<Item = u64>) -> Self {
        Self { delays: seconds.into_iter().collect(), ..self }
    }

    pub(crate) fn by_key(self) -> Self {
        Self { by_key: true, ..self }
    }

    pub(crate) fn holds_crashed(self) -> Self {
        Self { holds_crashed: true, ..self }
    }

    pub(crate) fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }
}
