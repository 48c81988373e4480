//! Lanes: what must run in order.
//!
//! A lane is the hash of a key (or one for a whole partition). One record of it runs at a time, the others wait in the
//! order they came. Two keys with the same hash share a lane: they wait for each other without need, and stay in order.
//!
//! # Invariants
//! 1. A busy lane has exactly one record outside: [`Lanes::enter`] and [`Lanes::leave`] hand out one at a time.
//! 2. Per lane, records come out in the order they went in, and none is lost.
//! 3. A lane that nobody is in takes no memory.
//!
//! All that waits stands in one pool of cells, linked per lane, so that a lane costs 16 bytes in a hash table and no
//! allocation of its own.
//!
//! ```
//! use retrial_core::lane::Lanes;
//!
//! let mut lanes = Lanes::new();
//! assert_eq!(lanes.enter(7, "first"), Some("first")); // may start
//! assert_eq!(lanes.enter(7, "second"), None); // waits
//! assert_eq!(lanes.enter(8, "other"), Some("other"));
//! assert_eq!(lanes.leave(7), Some("second")); // the first ended: this one may start
//! assert_eq!(lanes.leave(7), None);
//! assert_eq!(lanes.busy(), 1);
//! ```

use hashbrown::{HashMap, hash_map::Entry};
use std::hash::{BuildHasherDefault, Hasher};

/// No cell.
const NONE: u32 = u32::MAX;

/// Tables and pools below this many places are kept when they fall empty.
const KEPT: usize = 1024;

/// The lanes of one assignment. `W` is what waits.
#[derive(Clone, Debug)]
pub struct Lanes<W> {
    lanes: HashMap<u64, Queue, BuildHasherDefault<Mixer>>,
    cells: Vec<Cell<W>>,
    vacant: u32,
    waiting: usize,
}

/// First and last cell of what waits in a lane.
#[derive(Clone, Copy, Debug)]
struct Queue {
    first: u32,
    last: u32,
}

#[derive(Clone, Debug)]
struct Cell<W> {
    work: Option<W>,
    /// The next of the lane, or of the vacant cells.
    next: u32,
}

impl<W> Default for Lanes<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W> Lanes<W> {
    /// No lane is busy.
    #[must_use]
    pub fn new() -> Self {
        Self { lanes: HashMap::default(), cells: Vec::new(), vacant: NONE, waiting: 0 }
    }

    /// Gives the work back if its lane was free: it may start, and the lane is busy. `None` if it has to wait.
    #[must_use = "work that is given back must be started"]
    pub fn enter(&mut self, lane: u64, work: W) -> Option<W> {
        match self.lanes.entry(lane) {
            Entry::Vacant(free) => {
                free.insert(Queue { first: NONE, last: NONE });
                Some(work)
            }
            Entry::Occupied(mut busy) => {
                let cell = take_cell(&mut self.cells, &mut self.vacant, work);
                let queue = busy.get_mut();
                match self.cells.get_mut(queue.last as usize) {
                    Some(last) => last.next = cell,
                    None => queue.first = cell,
                }
                queue.last = cell;
                self.waiting += 1;
                None
            }
        }
    }

    /// The record outside has ended. Gives the next one of the lane, which may start; `None` if nothing waits: the
    /// lane is free. A lane that is not busy has nothing to give.
    #[must_use = "work that is given out must be started"]
    pub fn leave(&mut self, lane: u64) -> Option<W> {
        let Entry::Occupied(mut busy) = self.lanes.entry(lane) else { return None };
        let first = busy.get().first;
        let Some(cell) = self.cells.get_mut(first as usize) else {
            busy.remove();
            self.forget();
            return None;
        };
        let work = cell.work.take();
        let next = std::mem::replace(&mut cell.next, self.vacant);
        self.vacant = first;
        self.waiting -= 1;
        let last = if next == NONE { NONE } else { busy.get().last };
        *busy.get_mut() = Queue { first: next, last };
        self.forget();
        work
    }

    /// Gives back what a burst took, once nothing is left of it.
    fn forget(&mut self) {
        if self.waiting == 0 && self.cells.len() > KEPT {
            (self.cells, self.vacant) = (Vec::new(), NONE);
        }
        if self.lanes.is_empty() && self.lanes.capacity() > KEPT {
            self.lanes = HashMap::default();
        }
    }

    /// Lanes that somebody is in.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.lanes.len()
    }

    /// Records that wait for their lane.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

fn take_cell<W>(cells: &mut Vec<Cell<W>>, vacant: &mut u32, work: W) -> u32 {
    let cell = Cell { work: Some(work), next: NONE };
    match cells.get_mut(*vacant as usize) {
        Some(place) => {
            let taken = *vacant;
            *vacant = place.next;
            *place = cell;
            taken
        }
        None => {
            cells.push(cell);
            // A ledger's window ends long before 2^32 records.
            (cells.len() - 1) as u32
        }
    }
}

/// A lane is a hash already. One multiplication makes up for callers that number their lanes, since the table takes
/// its position from the lowest bits and its tags from the highest.
#[derive(Clone, Copy, Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, lane: u64) {
        let product = u128::from(lane) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, VecDeque};

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(u64),
        Leave(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Numbered lanes, a crowded one, and hashes that agree in all but the highest bits.
        let lane = || prop_oneof![3 => 0u64..6, 2 => Just(0u64), 1 => (0u64..4).prop_map(|lane| lane << 62)];
        prop_oneof![3 => lane().prop_map(Step::Enter), 2 => lane().prop_map(Step::Leave)]
    }

    proptest! {
        /// Promise 5: one at a time per lane, in order, none lost.
        #[test]
        fn lanes_do_what_a_queue_per_key_does(steps in prop::collection::vec(step(), 0..400)) {
            let mut lanes = Lanes::new();
            // What is outside comes first in its queue.
            let mut model: BTreeMap<u64, VecDeque<usize>> = BTreeMap::new();
            for (work, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Enter(lane) => {
                        let queue = model.entry(lane).or_default();
                        queue.push_back(work);
                        prop_assert_eq!(lanes.enter(lane, work), (queue.len() == 1).then_some(work));
                    }
                    Step::Leave(lane) => {
                        let next = model.get_mut(&lane).and_then(|queue| {
                            queue.pop_front();
                            queue.front().copied()
                        });
                        model.retain(|_, queue| !queue.is_empty());
                        prop_assert_eq!(lanes.leave(lane), next);
                    }
                }
                prop_assert_eq!(lanes.busy(), model.len());
                prop_assert_eq!(lanes.waiting(), model.values().map(|queue| queue.len() - 1).sum::<usize>());
            }
            for (lane, queue) in model {
                for work in queue.into_iter().skip(1) {
                    prop_assert_eq!(lanes.leave(lane), Some(work));
                }
                prop_assert_eq!(lanes.leave(lane), None);
            }
            prop_assert_eq!((lanes.busy(), lanes.waiting()), (0, 0));
        }
    }

    #[test]
    fn a_lane_that_nobody_waits_in_allocates_no_cell() {
        let mut lanes = Lanes::new();
        for round in 0..3 {
            (0..1000).for_each(|lane| assert_eq!(lanes.enter(lane, round), Some(round)));
            (0..1000).for_each(|lane| assert_eq!(lanes.leave(lane), None));
        }
        assert_eq!(lanes.cells.capacity(), 0);
    }

    #[test]
    fn places_are_used_again_and_a_burst_is_forgotten() {
        let mut lanes = Lanes::new();
        for work in 0..100_000u32 {
            let started = lanes.enter(u64::from(work % 5000), work);
            assert_eq!(started.is_some(), work < 5000);
        }
        let cells = lanes.cells.len();
        for work in 100_000..200_000u32 {
            let lane = u64::from(work % 5000);
            assert!(lanes.leave(lane).is_some());
            assert_eq!(lanes.enter(lane, work), None);
        }
        assert_eq!(lanes.cells.len(), cells);
        for lane in 0..5000 {
            while lanes.leave(lane).is_some() {}
        }
        assert_eq!((lanes.busy(), lanes.waiting()), (0, 0));
        assert_eq!((lanes.cells.capacity(), lanes.lanes.capacity()), (0, 0));
    }

    fn mixed(feed: impl Fn(&mut Mixer)) -> u64 {
        let mut mixer = Mixer::default();
        feed(&mut mixer);
        mixer.finish()
    }

    /// The table takes places from the lowest bits and tags from the highest seven: numbered lanes use all of both, and
    /// lanes that agree in their lower half do not fall together.
    #[test]
    fn lanes_are_spread_over_places_and_tags() {
        let numbered: Vec<u64> = (0..4096).map(|lane| mixed(|mixer| mixer.write_u64(lane))).collect();
        let high: Vec<u64> = (0..4096u64).map(|lane| mixed(|mixer| mixer.write_u64(lane << 32))).collect();
        let top: Vec<u64> = (0..4096u64).map(|lane| mixed(|mixer| mixer.write_u64(lane << 52))).collect();
        for hashes in [numbered, high, top] {
            let distinct = |part: fn(u64) -> u64| {
                hashes.iter().map(|&hash| part(hash)).collect::<std::collections::BTreeSet<_>>().len()
            };
            assert_eq!(distinct(|hash| hash), 4096);
            let (places, tags) = (distinct(|hash| hash & 0xfff), distinct(|hash| hash >> 57));
            // 4096 balls into 4096 boxes leave about 1 − 1/e of them used.
            assert!(places > 2000 && tags > 100, "{places} places, {tags} tags");
        }
    }

    #[test]
    fn bytes_are_hashed_one_after_the_other() {
        let texts: [&[u8]; 6] = [b"a", b"b", b"ab", b"ba", b"aa", b"abc"];
        let hashes: Vec<u64> = texts.iter().map(|text| mixed(|mixer| mixer.write(text))).collect();
        assert!(hashes.iter().enumerate().all(|(index, hash)| *hash != 0 && !hashes[..index].contains(hash)));
        assert_eq!(hashes[0], mixed(|mixer| mixer.write_u64(u64::from(b'a'))));
        assert_eq!(hashes[2], mixed(|mixer| mixer.write_u64(hashes[0] ^ u64::from(b'b'))));
    }

    /// What waits is dropped with the lanes: at a revocation nothing stays behind.
    #[test]
    fn what_waits_is_dropped_with_the_lanes() {
        let work = std::rc::Rc::new(());
        let mut lanes = Lanes::new();
        for _ in 0..10 {
            let _ = lanes.enter(1, work.clone());
        }
        let next = lanes.leave(1);
        assert_eq!(std::rc::Rc::strong_count(&work), 10);
        drop((next, lanes));
        assert_eq!(std::rc::Rc::strong_count(&work), 1);
    }
}
