//! Watches a run: keeps the chronicle, strikes where a fault asks for it, and says when it is enough.

use super::{
    chronicle::{Chronicle, Open},
    fault::Fault,
    idle::Why,
    journal::{How, Journal, Note},
    simulation::Watch,
};
use crate::broker::sim::{Cluster, trace::ProcessId};
use retrial_core::{
    id::Origin,
    naming::{GroupNames, OwnTopic},
};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

/// More runs than this of one record's handler are taken for an endless loop.
pub(super) const MOST_RUNS: usize = 10_000;

pub(super) struct Observer {
    pub(super) journal: Arc<Journal>,
    pub(super) chronicle: Chronicle,
    pub(super) names: GroupNames,
    pub(super) sources: BTreeSet<Arc<str>>,
    pub(super) faults: Vec<Fault>,
    /// Attempts that a crash has struck already, in their midst and at their end.
    pub(super) struck_within: HashSet<(Origin, u32)>,
    pub(super) struck_after: HashSet<(Origin, u32)>,
    pub(super) patience: Option<Duration>,
    /// Whether the run ends when everything is settled.
    pub(super) until_idle: bool,
    /// Why the run ended before its time.
    pub(super) verdict: Option<Why>,
}

impl Observer {
    /// Takes in what happened, and kills whom the faults say.
    fn observe(&mut self, cluster: &Cluster) {
        self.chronicle.read(&cluster.trace());
        let mut condemned = BTreeSet::new();
        for note in self.journal.take() {
            match note {
                Note::Began(beginning) => self.chronicle.began(beginning),
                Note::Ended { number, process, at, how } => {
                    let answered = matches!(how, How::Answered(_));
                    let open = self.chronicle.ended(number, at, how, !cluster.is_alive(process));
                    let strikes = answered && self.faults.contains(&Fault::CrashAfterHandler);
                    if let Some(open) = open.filter(|_| strikes) {
                        condemned.extend(strike(&mut self.struck_after, &open));
                    }
                }
                Note::Condemned(process) => condemned.extend([process]),
                Note::Stuck(limit) => self.verdict = Some(Why::Stuck(limit)),
            }
        }
        if self.faults.contains(&Fault::CrashInHandler) {
            for open in self.chronicle.open() {
                condemned.extend(strike(&mut self.struck_within, open));
            }
        }
        condemned.into_iter().for_each(|process| cluster.kill(process));
    }

    /// Whether everything is finished, and the group will remember it.
    pub(super) fn is_idle(&self, cluster: &Cluster) -> bool {
        let reads =
            |topic: &str| self.sources.contains(topic) || matches!(self.names.parse(topic), Some(OwnTopic::Tier(_)));
        self.chronicle.is_settled() && cluster.is_drained(self.names.group(), reads)
    }
}

/// Who dies, if this attempt was not struck before.
fn strike(struck: &mut HashSet<(Origin, u32)>, open: &Open) -> Option<ProcessId> {
    struck.insert((open.origin.clone(), open.attempt)).then_some(open.process)
}

impl Watch for Observer {
    fn look(&mut self, cluster: &Cluster) -> bool {
        self.observe(cluster);
        if self.chronicle.most_runs() > MOST_RUNS && self.until_idle {
            self.verdict = Some(Why::Runs(MOST_RUNS));
        }
        self.verdict.is_none() && !(self.until_idle && self.is_idle(cluster))
    }

    fn patience(&self) -> Option<Duration> {
        self.patience.filter(|_| self.chronicle.open().next().is_some())
    }
}
