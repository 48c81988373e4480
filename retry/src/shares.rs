//! What goes first: retries whose turn has come, fresh records, or what an operator sent back.
//!
//! Due retries go first. Fresh records keep a fifth all the same, and the way back in (`0s`: redrive, replay) gets at
//! most a fifth while anything else waits (RULES 26).
//!
//! A fifth is counted twice, in starts and in slots held. Starts alone would not do: when the service behind the
//! handlers is down, every retry holds its slot for the whole time limit, and one fresh start to four of those leaves
//! fresh work with next to nothing. Slots alone would not do where a topic has fewer than five.
//!
//! # Invariants, for starts at which another class waits too
//! 1. Of any five in a row at which fresh work waits, one at least is fresh.
//! 2. Of any five in a row, one at most is of the way back.
//! 3. Nothing but fresh work takes the last fifth of the slots (rounded down) while fresh work waits; the way back
//!    takes no more than a fifth (one at least).
//! 4. Something starts whenever something waits.

/// What kind of turn a record waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A retry whose turn has come, or a record that rested in memory until its time.
    Due,
    /// A record of a source topic that was not tried yet.
    Fresh,
    /// A record that an operator sent back to work, through the tier `0s`.
    WayBack,
}

impl Class {
    /// Every class, in the order of the arrays that this module takes.
    pub const ALL: [Self; 3] = [Self::Due, Self::Fresh, Self::WayBack];
}

/// One in so many.
const SHARE: usize = 5;

/// Chooses the class of each start within one topic.
///
/// ```
/// use retrial_core::shares::{Class, Shares};
///
/// let mut shares = Shares::new();
/// let mut order = Vec::new();
/// for _ in 0..6 {
///     let class = shares.next([true, true, false], 100).unwrap();
///     shares.give_back(class); // the attempt ended at once
///     order.push(class);
/// }
/// use Class::{Due, Fresh};
/// assert_eq!(order, [Due, Due, Due, Due, Fresh, Due]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shares {
    held: [usize; 3],
    since_fresh: usize,
    since_way_back: usize,
}

impl Shares {
    /// Nothing was started yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The class of the next record to start, and notes that it holds a slot from now on; `None` if none waits.
    ///
    /// `waiting` is in the order of [`Class::ALL`]; `limit` is the number of slots the topic may hold now.
    pub fn next(&mut self, waiting: [bool; 3], limit: usize) -> Option<Class> {
        let contested = waiting.iter().filter(|&&waits| waits).count() > 1;
        let class = if contested { self.choose(waiting, limit) } else { lone(waiting)? };
        if contested {
            let passed = |is_it: bool, since: usize| if is_it { 0 } else { (since + 1).min(SHARE) };
            if waiting[Class::Fresh as usize] {
                self.since_fresh = passed(class == Class::Fresh, self.since_fresh);
            }
            self.since_way_back = passed(class == Class::WayBack, self.since_way_back);
        }
        self.held[class as usize] += 1;
        Some(class)
    }

    /// Notes that a record of this class was started out of turn.
    pub fn begin(&mut self, class: Class) {
        self.held[class as usize] += 1;
    }

    /// As many [`Shares::next`] in one call: how many of each class to start, `most` together. `waiting` counts
    /// the records of each class that could start.
    pub fn next_n(&mut self, mut waiting: [usize; 3], most: usize, limit: usize) -> [usize; 3] {
        let mut started = [0; 3];
        for done in 0..most {
            let waits = waiting.map(|count| count > 0);
            if let (Some(class), 1) = (lone(waits), waits.iter().filter(|&&waits| waits).count()) {
                let rest = waiting[class as usize].min(most - done);
                started[class as usize] += rest;
                self.held[class as usize] += rest;
                break;
            }
            let Some(class) = self.next(waits, limit) else { break };
            waiting[class as usize] -= 1;
            started[class as usize] += 1;
        }
        started
    }

    /// Notes that an attempt of this class ended. More ends than starts count for nothing.
    pub fn give_back(&mut self, class: Class) {
        let held = &mut self.held[class as usize];
        debug_assert!(*held > 0, "a slot came back that nobody took");
        *held = held.saturating_sub(1);
    }

    /// Slots that this class holds.
    #[must_use]
    pub const fn held(&self, class: Class) -> usize {
        self.held[class as usize]
    }

    fn choose(&self, [due, fresh, way_back]: [bool; 3], limit: usize) -> Class {
        let others = self.held(Class::Due) + self.held(Class::WayBack);
        if fresh && (self.since_fresh + 1 >= SHARE || others >= limit - limit / SHARE) {
            return Class::Fresh;
        }
        let allowed = (limit / SHARE).max(1);
        if way_back && self.since_way_back + 1 >= SHARE && self.held(Class::WayBack) < allowed {
            return Class::WayBack;
        }
        if due { Class::Due } else { Class::Fresh }
    }
}

/// The first class that waits.
fn lone(waiting: [bool; 3]) -> Option<Class> {
    Class::ALL.into_iter().find(|&class| waiting[class as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How many of each class start while all of these wait and every attempt ends at once.
    fn starts(waiting: [bool; 3], count: usize) -> [usize; 3] {
        let (mut shares, mut started) = (Shares::new(), [0; 3]);
        for _ in 0..count {
            let class = shares.next(waiting, 100).unwrap();
            shares.give_back(class);
            started[class as usize] += 1;
        }
        started
    }

    #[test]
    fn shares_of_quick_attempts() {
        // The way back waits for its first turn a little longer.
        assert_eq!(starts([true, true, true], 1000), [601, 200, 199]);
        assert_eq!(starts([true, true, false], 1000), [800, 200, 0]);
        assert_eq!(starts([true, false, true], 1000), [800, 0, 200]);
        assert_eq!(starts([false, true, true], 1000), [0, 800, 200]);
        assert_eq!(starts([false, false, true], 1000), [0, 0, 1000]);
        assert_eq!(Shares::new().next([false; 3], 100), None);
    }

    /// The outage of RULES 26: retries hold their slot for a minute, fresh records for a turn.
    #[test]
    fn retries_that_hang_leave_a_fifth_of_the_slots_to_fresh_work() {
        let mut shares = Shares::new();
        let (mut fresh_running, mut fresh_started) = (0, 0);
        for _ in 0..50 {
            while shares.held(Class::Due) + shares.held(Class::Fresh) < 100 {
                fresh_running += usize::from(shares.next([true, true, false], 100) == Some(Class::Fresh));
            }
            fresh_started += fresh_running;
            (0..fresh_running).for_each(|_| shares.give_back(Class::Fresh));
            fresh_running = 0;
        }
        assert_eq!(shares.held(Class::Due), 80);
        assert!(fresh_started >= 50 * 20, "{fresh_started}");
    }

    #[test]
    fn a_redrive_of_long_jobs_holds_a_fifth_of_the_slots_while_retries_wait() {
        let mut shares = Shares::new();
        for _ in 0..10_000 {
            let class = shares.next([true, false, true], 100).unwrap();
            if class == Class::Due {
                shares.give_back(class);
            }
        }
        assert_eq!(shares.held(Class::WayBack), 20);
    }

    #[test]
    fn one_slot_is_shared_too() {
        let (mut shares, mut started) = (Shares::new(), [0; 3]);
        for _ in 0..100 {
            let class = shares.next([true; 3], 1).unwrap();
            shares.give_back(class);
            started[class as usize] += 1;
        }
        assert_eq!(started, [61, 20, 19]);
    }

    proptest! {
        #[test]
        fn the_invariants_hold(
            limit in 0usize..40,
            turns in proptest::collection::vec((any::<[bool; 3]>(), proptest::option::of(0usize..3)), 0..400),
        ) {
            let (mut shares, mut held) = (Shares::new(), [0usize; 3]);
            let (mut not_fresh, mut since_way_back) = (0, SHARE);
            for (waiting, ends) in turns {
                if let Some(class) = ends.filter(|&class| held[class] > 0) {
                    held[class] -= 1;
                    shares.give_back(Class::ALL[class]);
                }
                let class = shares.next(waiting, limit);
                prop_assert_eq!(class.is_some(), waiting.contains(&true));
                let Some(class) = class else { continue };
                prop_assert!(waiting[class as usize]);
                if waiting.iter().filter(|&&waits| waits).count() > 1 {
                    if waiting[Class::Fresh as usize] {
                        not_fresh = if class == Class::Fresh { 0 } else { not_fresh + 1 };
                        prop_assert!(not_fresh < SHARE);
                        let last_fifth = held[0] + held[2] >= limit - limit / SHARE;
                        prop_assert!(class == Class::Fresh || !last_fifth);
                    }
                    if class == Class::WayBack {
                        prop_assert!(since_way_back + 1 >= SHARE && held[2] < (limit / SHARE).max(1));
                        since_way_back = 0;
                    } else {
                        since_way_back += 1;
                    }
                }
                held[class as usize] += 1;
                prop_assert_eq!(Class::ALL.map(|class| shares.held(class)), held);
            }
        }

        #[test]
        fn many_at_once_are_as_many_one_by_one(
            before in proptest::collection::vec(any::<[bool; 3]>(), 0..20),
            waiting in any::<[u8; 3]>(), most in 0usize..300, limit in 0usize..200,
        ) {
            let mut at_once = Shares::new();
            for waiting in before {
                at_once.next(waiting, limit);
            }
            let mut one_by_one = at_once.clone();
            let (mut left, mut expected) = (waiting.map(usize::from), [0; 3]);
            for _ in 0..most {
                let Some(class) = one_by_one.next(left.map(|count| count > 0), limit) else { break };
                left[class as usize] -= 1;
                expected[class as usize] += 1;
            }
            prop_assert_eq!(at_once.next_n(waiting.map(usize::from), most, limit), expected);
            prop_assert_eq!(at_once.held, one_by_one.held);
            prop_assert_eq!(at_once.since_fresh, one_by_one.since_fresh);
            prop_assert_eq!(at_once.since_way_back, one_by_one.since_way_back);
        }
    }
}
