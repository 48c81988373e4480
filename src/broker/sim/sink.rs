//! The port [`Sink`] on the simulated cluster.

use super::{
    cluster::Cluster,
    log::Message,
    source::enter,
    trace::{Event, ProcessId, Spot},
};
use crate::{broker::Sink, record::Record};
use bytes::Bytes;
use retrial_core::{
    event::{Acknowledged, Body, Forward, Target},
    history::History,
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// How a group's own topics are called, and what is written into the headers of their records.
pub(crate) trait Postal {
    /// The topic of a target.
    fn topic(&self, target: Target) -> Arc<str>;
    /// Our own headers.
    fn headers(&self, history: &History) -> Vec<(String, String)>;
    /// Whether a header is one of ours, and so not to be carried on.
    fn is_own(&self, name: &[u8]) -> bool;
}

/// The producer of one process.
pub(crate) struct SimSink {
    cluster: Cluster,
    process: ProcessId,
    postal: Rc<dyn Postal>,
}

impl SimSink {
    /// Opens the producer of a process that has joined its group.
    pub(crate) fn open(cluster: &Cluster, process: ProcessId, postal: Rc<dyn Postal>) -> Self {
        cluster.state().open_producer(process);
        Self { cluster: cluster.clone(), process, postal }
    }

    fn message(&self, record: &Record, body: Body, history: &History) -> Message {
        let copy = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
        let carried = record.headers().filter(|(name, _)| !self.postal.is_own(name));
        let mut headers: Vec<_> = carried.map(|(name, value)| (copy(name), value.map(copy))).collect();
        let own = self.postal.headers(history).into_iter();
        headers.extend(own.map(|(name, value)| (name.into(), Some(value.into()))));
        let whole = record.body();
        let body = match body {
            Body::Whole => whole,
            Body::Reference => {
                headers.clear();
                headers.extend(self.postal.headers(history).into_iter().map(|(n, v)| (n.into(), Some(v.into()))));
                whole.map(|whole| &whole[..whole.len().min(1024)])
            }
        };
        Message { key: record.key().map(copy), body: body.map(copy), headers }
    }
}

impl Sink for SimSink {
    fn send(&mut self, forward: Forward<Record>) {
        let Forward { id, slot, target, body, record, history } = forward;
        let Some(mut state) = enter(&self.cluster, self.process) else { return };
        let process = self.process;
        let Some(place) = state.clients.get(&process).and_then(|client| client.places.get(&slot)).cloned() else {
            return state.misuse(process, format!("forward for {slot:?}, which was never assigned"));
        };
        let (from, topic) = (Spot::read(&place, &record), self.postal.topic(target));
        state.seen(Event::Forwarded { process, id, from, target, topic: Arc::clone(&topic) });
        state.write(process, id, &topic, self.message(&record, body, &history));
    }

    fn poll(&mut self, results: &mut Vec<Acknowledged>) {
        if let Some(mut state) = enter(&self.cluster, self.process) {
            results.extend(state.take_results(self.process));
        }
    }

    fn purge(&mut self) {
        if let Some(mut state) = enter(&self.cluster, self.process) {
            state.purge(self.process);
        }
    }

    /// What is on the wire lands, whoever waits for it or not; the rest is given up.
    fn close(self: Box<Self>, _limit: Duration) {
        self.cluster.state().producers.remove(&self.process);
    }
}
