//! A plain consumer of another group, which must not notice what the service does (promise 10).

use crate::{
    broker::{
        Source, SourceEvent,
        sim::{Cluster, SimSource, trace::ProcessId},
    },
    record::Meter,
};
use std::sync::Arc;

const GROUP: &str = "bystanders";

/// Reads everything in a topic, and commits nothing.
pub(super) struct Bystander {
    cluster: Cluster,
    process: ProcessId,
    source: SimSource,
    events: Vec<SourceEvent>,
}

impl Bystander {
    /// Joins its own group.
    pub(super) fn join(cluster: &Cluster, topic: &'static str) -> Self {
        let process = cluster.start_bystander(GROUP);
        let source = SimSource::join(cluster, process, GROUP, move |name| name == topic, Arc::new(Meter::default()));
        Self { cluster: cluster.clone(), process, source, events: Vec::new() }
    }

    /// Takes what there is.
    pub(super) fn turn(&mut self) {
        if !self.cluster.wakes(self.process) {
            return;
        }
        loop {
            self.source.poll(&mut |_| usize::MAX, &mut self.events);
            if self.events.is_empty() {
                return;
            }
            for event in std::mem::take(&mut self.events) {
                match event {
                    SourceEvent::Offered(offers) => {
                        offers
                            .iter()
                            .for_each(|offer| self.source.start(offer.slot, offer.log.map_or(0, |log| log.start)));
                    }
                    SourceEvent::Revoking { slots, .. } => self.source.release(&slots),
                    SourceEvent::OutOfRange(slot, log) => self.source.start(slot, log.start),
                    _ => {}
                }
            }
        }
    }
}
