//! What happened in many lives, counted.
//!
//! A fault is counted where it changed what happened, and a handler's misdeed where an attempt ended because of it: the
//! trace of that life would be another without it.

use super::deed::Deed;
use crate::broker::sim::{
    Cluster,
    faults::Fault,
    trace::{Ended, Event, Spot},
};
use std::collections::BTreeMap;

/// Counts of lives, and of what went wrong in them.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Lives lived through.
    pub lives: u64,
    /// Virtual seconds in all of them.
    pub seconds: u64,
    /// Attempts that began.
    pub attempts: u64,
    counts: BTreeMap<String, u64>,
}

impl Tally {
    /// What one life counted.
    pub(super) fn of(cluster: &Cluster) -> Self {
        let mut tally = Self { lives: 1, ..Self::default() };
        for fault in Fault::ALL {
            if let count @ 1.. = cluster.counted(fault) {
                tally.counts.insert(fault.name(), count);
            }
        }
        let trace = cluster.trace();
        let entries = trace.entries();
        if let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) {
            tally.seconds = last.since(*first).as_secs();
        }
        let mut deeds: BTreeMap<&Spot, Deed> = BTreeMap::new();
        let mut spots: Vec<(Spot, Deed)> = Vec::new();
        for event in trace.events() {
            if let Event::Appended { place, record, .. } = event
                && let Some(deed) = record.message.body.as_deref().and_then(Deed::of_body)
                && deed.fault().is_some()
            {
                spots.push((Spot::of(place, record), deed));
            }
        }
        deeds.extend(spots.iter().map(|(spot, deed)| (spot, *deed)));
        for event in trace.events() {
            match event {
                Event::Began { .. } => tally.attempts += 1,
                Event::Concluded { spot, ended, .. } => {
                    let deed = deeds.get(spot).copied().filter(|deed| is_due_to(*deed, *ended));
                    if let Some(name) = deed.and_then(Deed::fault) {
                        *tally.counts.entry(name.to_owned()).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
        tally
    }

    /// Adds what others counted.
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.seconds += other.seconds;
        self.attempts += other.attempts;
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
    }

    /// Every kind of fault that can occur, with its count.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, u64)> {
        let faults = Fault::ALL.into_iter().filter(|&fault| super::draw::is_drawn(fault)).map(Fault::name);
        let deeds = [Deed::Slow(1), Deed::Fail(1), Deed::Hang(1), Deed::Panic(1), Deed::Garbage];
        let deeds = deeds.into_iter().filter_map(Deed::fault).map(str::to_owned);
        faults.chain(deeds).map(|name| (name.clone(), self.counts.get(&name).copied().unwrap_or(0))).collect()
    }
}

/// Whether an attempt ended so because of the deed.
const fn is_due_to(deed: Deed, ended: Ended) -> bool {
    match deed {
        Deed::Slow(millis) => millis > 0,
        Deed::Fail(_) | Deed::Panic(_) | Deed::Garbage => matches!(ended, Ended::Failed),
        Deed::Hang(_) => matches!(ended, Ended::Dropped),
        _ => false,
    }
}
