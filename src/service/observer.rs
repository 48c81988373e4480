//! Looks at the cluster from outside of the loop: whether brokers answer, and where the logs of assigned partitions end.
//!
//! Lag is measured against what the leader says, not against what was fetched: of a tier whose head waits for hours
//! nothing more is fetched, and a consumer that has stopped to fetch believes that nothing is left.

use super::health::Health;
use crate::{
    broker::kafka::Cluster,
    metrics::{
        reference::{LAG, WAITING},
        tier_label,
    },
    runtime::board::{Board, ShownPartition},
};
use metrics::Gauge;
use retrial_core::engine::Stage;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How often brokers are asked for a sign of life.
const EVERY: Duration = Duration::from_secs(5);

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Each so many signs of life, they are asked where logs end.
const ENDS_EVERY: u32 = 3;

/// A partition that has room and records, and delivers none for this long, is not fetched any more.
const STALLED: Duration = Duration::from_secs(90);

type Place = (Arc<str>, i32);

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Observer {
    _end: mpsc::Sender<()>,
}

/// What an observer needs.
pub(super) struct Observed {
    pub(super) cluster: Arc<Cluster>,
    /// A topic to ask for.
    pub(super) topic: String,
    pub(super) board: Arc<Board>,
    pub(super) health: Arc<Health>,
    /// Told once when fetching has stopped.
    pub(super) stalled: Box<dyn Fn(&str) + Send>,
}

pub(super) fn start(observed: Observed) -> io::Result<Observer> {
    let (end, ended) = mpsc::channel();
    let look = move || {
        let (mut levels, mut progress, mut looks) = (Levels::default(), Progress::default(), 0_u32);
        while ended.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            let answer = observed.cluster.answers(&observed.topic, PATIENCE);
            let unreachable = answer.err().map(|error| error.to_string());
            let reachable = unreachable.is_none();
            observed.health.found(|facts| facts.unreachable = unreachable);
            looks = looks.wrapping_add(1);
            if reachable && (looks == 1 || looks.is_multiple_of(ENDS_EVERY)) {
                observed.look(&mut levels, &mut progress);
            }
        }
    };
    thread::Builder::new().name("retrial-observer".into()).spawn(look)?;
    Ok(Observer { _end: end })
}

impl Observed {
    fn look(&self, levels: &mut Levels, progress: &mut Progress) {
        let shown = self.board.shown();
        let places: Vec<Place> = shown.partitions.iter().map(|one| (Arc::clone(&one.topic), one.partition)).collect();
        // A leader that does not answer leaves the levels as they were.
        let Ok(ends) = self.cluster.log_ends(&places, PATIENCE) else { return };
        levels.set(&shown.partitions, &ends);
        let behind = progress.look(&shown.partitions, &ends, Instant::now());
        #[cfg(feature = "service")]
        self.board.ends(ends);
        self.board.behind(behind.iter().map(|(place, _)| place.clone()).collect());
        let Some(((topic, partition), _)) = behind.into_iter().find(|(_, still)| *still >= STALLED) else { return };
        progress.forget();
        (self.stalled)(&format!("{topic}/{partition} has records and room, and nothing was fetched for {STALLED:?}"));
    }
}

/// How far partitions have come since when.
#[derive(Default)]
struct Progress(HashMap<Place, (i64, Instant)>);

impl Progress {
    /// Partitions that have records and room and have not moved since an earlier look, and for how long.
    fn look(&mut self, shown: &[ShownPartition], ends: &HashMap<Place, i64>, now: Instant) -> Vec<(Place, Duration)> {
        let mut behind = Vec::new();
        let mut seen = HashMap::with_capacity(shown.len());
        for one in shown {
            let place = (Arc::clone(&one.topic), one.partition);
            let standing = &one.standing;
            let waits = ends.get(&place).is_some_and(|end| *end > standing.next);
            if !waits || standing.stage != Stage::Owned || standing.room == 0 || !one.held.is_empty() {
                continue;
            }
            let before = self.0.get(&place).filter(|(next, _)| *next == standing.next);
            let since = before.map_or(now, |(_, since)| *since);
            if before.is_some() {
                behind.push((place.clone(), now - since));
            }
            seen.insert(place, (standing.next, since));
        }
        self.0 = seen;
        behind
    }

    fn forget(&mut self) {
        self.0.clear();
    }
}

/// The levels that need the ends of logs.
#[derive(Default)]
struct Levels {
    lag: HashMap<Place, Gauge>,
    waiting: BTreeMap<Duration, Gauge>,
}

impl Levels {
    fn set(&mut self, shown: &[ShownPartition], ends: &HashMap<Place, i64>) {
        let mut waiting = BTreeMap::<Duration, u64>::new();
        let mut known = HashMap::with_capacity(shown.len());
        for one in shown {
            let place = (Arc::clone(&one.topic), one.partition);
            let Some(end) = ends.get(&place) else { continue };
            let standing = &one.standing;
            match standing.tier {
                Some(tier) => {
                    let unread = (end - standing.next).max(0).unsigned_abs();
                    *waiting.entry(tier).or_default() += unread + standing.unfinished as u64;
                }
                None => {
                    let gauge = self.lag.remove(&place);
                    let gauge = gauge.unwrap_or_else(|| LAG.gauge([&place.0, &place.1.to_string()]));
                    gauge.set((end - standing.watermark).max(0) as f64);
                    known.insert(place, gauge);
                }
            }
        }
        // What is left belongs to somebody else now.
        std::mem::replace(&mut self.lag, known).into_values().for_each(|gauge| gauge.set(f64::NAN));
        for (tier, gauge) in &self.waiting {
            gauge.set(waiting.remove(tier).unwrap_or_default() as f64);
        }
        for (tier, records) in waiting {
            let gauge = WAITING.gauge([&tier_label(tier)]);
            gauge.set(records as f64);
            self.waiting.insert(tier, gauge);
        }
    }
}

impl Drop for Levels {
    fn drop(&mut self) {
        self.lag.values().chain(self.waiting.values()).for_each(|gauge| gauge.set(f64::NAN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retrial_core::{engine::PartitionStanding, event::HoldReason, id::Slot};

    fn shown(next: i64, room: usize, held: Vec<HoldReason>) -> [ShownPartition; 1] {
        let standing = PartitionStanding {
            slot: Slot { index: 0, generation: 1 },
            tier: None,
            watermark: 0,
            next,
            unfinished: 0,
            in_flight: 0,
            forwarding: 0,
            stage: Stage::Owned,
            room,
            opens: None,
        };
        [ShownPartition { topic: "orders".into(), partition: 3, standing, oldest: None, held }]
    }

    #[test]
    fn only_who_has_records_and_room_and_does_not_move_is_behind() {
        let place: Place = ("orders".into(), 3);
        let ends = HashMap::from([(place.clone(), 10)]);
        let (mut progress, begin) = (Progress::default(), Instant::now());
        let mut look = |shown: &[ShownPartition], seconds| {
            let behind = progress.look(shown, &ends, begin + Duration::from_secs(seconds));
            behind.into_iter().map(|(_, still)| still.as_secs()).collect::<Vec<_>>()
        };
        assert!(look(&shown(4, 100, vec![]), 0).is_empty(), "seen once");
        assert_eq!(look(&shown(4, 100, vec![]), 15), [15]);
        assert!(look(&shown(5, 100, vec![]), 30).is_empty(), "it moves");
        assert_eq!(look(&shown(5, 100, vec![]), 130), [100]);
        assert!(look(&shown(5, 0, vec![]), 140).is_empty(), "it has no room");
        assert!(look(&shown(5, 100, vec![HoldReason::ReadRefused]), 150).is_empty(), "why is told already");
        assert!(look(&shown(10, 100, vec![]), 160).is_empty(), "nothing waits");
    }
}
