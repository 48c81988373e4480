//! The port [`Sink`] on the simulated cluster.

use super::{
    cluster::Cluster,
    log::Message,
    source::enter,
    topics::partition_of,
    trace::{Event, ProcessId, Spot},
};
use crate::{broker::Sink, record::Record};
use bytes::Bytes;
use retrial_core::{
    event::{Acknowledged, Body, Forward, ForwardError, Target},
    history::{History, carried},
    naming::GroupNames,
};
use std::{rc::Rc, time::Duration};

/// How much of a body a dead letter by reference shows, in bytes.
const HEAD_BYTES: usize = 1024;

/// The producer of one process.
pub(crate) struct SimSink {
    cluster: Cluster,
    process: ProcessId,
    names: Rc<GroupNames>,
}

impl SimSink {
    /// Opens the producer of a process that has joined its group.
    pub(crate) fn open(cluster: &Cluster, process: ProcessId, names: Rc<GroupNames>) -> Self {
        cluster.state().open_producer(process);
        Self { cluster: cluster.clone(), process, names }
    }

    fn topic(&self, target: Target) -> Option<String> {
        match target {
            Target::Tier(delay) => self.names.tier(delay).ok(),
            Target::DeadLetters => Some(self.names.dead_letters()),
        }
    }

    fn message(&self, record: &Record, body: Body, history: &History) -> Message {
        let copy = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
        let own = history.encode(self.names.group()).into_iter();
        let own = own.map(|(name, value)| (Bytes::from_static(name.as_bytes()), Some(Bytes::from(value))));
        match body {
            Body::Whole => {
                let inside = self.names.parse(record.topic()).is_some();
                let users = carried(record.headers(), inside).map(|(name, value)| (copy(name), value.map(copy)));
                let headers = users.chain(own).collect();
                Message { key: record.key().map(copy), body: record.body().map(copy), headers }
            }
            Body::Reference => {
                let head = record.body().map(|body| copy(&body[..body.len().min(HEAD_BYTES)]));
                Message { key: None, body: head, headers: own.collect() }
            }
        }
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
        let message = self.message(&record, body, &history);
        let from = Spot::read(&place, &record);
        let whole = body == Body::Whole;
        state.seen(Event::Forwarded { process, id, from, target, whole, history: Rc::new((*history).clone()) });
        let Some(topic) = self.topic(target) else {
            let refused = ForwardError::Refused(format!("{target:?} has no topic"));
            return state.written(process, id, Err(refused));
        };
        // By origin, as the adapter for Kafka does it: a repeated forward meets the first one in one partition.
        let origin = history.origin.to_string();
        let settings = state.topics.get(&topic).map(|topic| topic.settings.partitions);
        let partition = partition_of(Some(origin.as_bytes()), 0, settings.unwrap_or(1));
        state.write(process, (id, slot), &topic, partition, message);
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
