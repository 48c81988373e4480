//! Who may start: slots for running attempts, per topic and for the whole service.
//!
//! Every topic has a limit of its own and a reserve that no other topic can take, so a topic whose handlers all hang
//! starves nobody (RULES 14). Half of the service's slots are reserved, in equal parts; the rest is for whoever comes
//! first. A record that waits for its next try in place holds no slot.
//!
//! # Invariants
//! 1. No more attempts run than the service's limit, and none starts in a topic that is at its own.
//! 2. A topic below its reserve can always start one. Only a limit changed while others hold the slots can defer
//!    this, until they give back what they hold beyond their reserves.

use crate::id::TopicIndex;

/// The slots of one process.
///
/// ```
/// use retrial_core::{budget::Budget, id::TopicIndex};
///
/// let (orders, mails) = (TopicIndex(0), TopicIndex(1));
/// let mut budget = Budget::new(8, &[8, 8]);
/// while budget.take(orders) {}
/// assert_eq!(budget.in_flight(orders), 6); // two of the eight slots are kept for the other topic
/// assert!(budget.take(mails));
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    asked: usize,
    service: usize,
    total: usize,
    shared: usize,
    shared_in_use: usize,
    topics: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    limit: usize,
    reserve: usize,
    in_flight: usize,
}

impl Part {
    const fn beyond_reserve(self) -> usize {
        self.in_flight.saturating_sub(self.reserve)
    }
}

impl Budget {
    /// A budget of `service_limit` slots for topics with these limits, in the order of their [`TopicIndex`].
    ///
    /// A service limit below the number of topics that may start anything counts as that number: with less, some
    /// topic would have no reserve.
    #[must_use]
    pub fn new(service_limit: usize, topics: &[usize]) -> Self {
        let topics = topics.iter().map(|&limit| Part { limit, reserve: 0, in_flight: 0 }).collect();
        let mut budget = Self { asked: service_limit, service: 0, total: 0, shared: 0, shared_in_use: 0, topics };
        budget.divide();
        budget
    }

    /// Takes a slot for one attempt in this topic; false if there is none for it now.
    #[must_use]
    pub fn take(&mut self, topic: TopicIndex) -> bool {
        if self.room(topic) == 0 {
            return false;
        }
        let Some(part) = self.topics.get_mut(usize::from(topic.0)) else { return false };
        self.shared_in_use += usize::from(part.in_flight >= part.reserve);
        part.in_flight += 1;
        self.total += 1;
        true
    }

    /// As many [`Budget::take`] in one call as there is room for, `most` at most. Returns how many slots were taken.
    pub fn take_n(&mut self, topic: TopicIndex, most: usize) -> usize {
        let taken = self.room(topic).min(most);
        let Some(part) = self.topics.get_mut(usize::from(topic.0)) else { return 0 };
        let before = part.beyond_reserve();
        part.in_flight += taken;
        self.shared_in_use += part.beyond_reserve() - before;
        self.total += taken;
        taken
    }

    /// Returns the slot of an attempt that ended. More returns than takes count for nothing.
    pub fn give_back(&mut self, topic: TopicIndex) {
        let Some(part) = self.topics.get_mut(usize::from(topic.0)).filter(|part| part.in_flight > 0) else {
            debug_assert!(false, "a slot of topic {} came back that nobody took", topic.0);
            return;
        };
        self.shared_in_use -= usize::from(part.in_flight > part.reserve);
        part.in_flight -= 1;
        self.total -= 1;
    }

    /// How many attempts could start in this topic now.
    #[must_use]
    pub fn room(&self, topic: TopicIndex) -> usize {
        let Some(part) = self.part(topic) else { return 0 };
        let reserved = part.reserve.saturating_sub(part.in_flight);
        let shared = self.shared.saturating_sub(self.shared_in_use);
        (reserved + shared).min(part.limit.saturating_sub(part.in_flight)).min(self.service.saturating_sub(self.total))
    }

    /// Attempts that run in this topic.
    #[must_use]
    pub fn in_flight(&self, topic: TopicIndex) -> usize {
        self.part(topic).map_or(0, |part| part.in_flight)
    }

    /// The topic's own limit.
    #[must_use]
    pub fn limit(&self, topic: TopicIndex) -> usize {
        self.part(topic).map_or(0, |part| part.limit)
    }

    /// Slots that only this topic can take.
    #[must_use]
    pub fn reserve(&self, topic: TopicIndex) -> usize {
        self.part(topic).map_or(0, |part| part.reserve)
    }

    /// Attempts that run in all topics.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Changes a topic's limit. What runs above a lowered one runs on; zero lets the topic start nothing.
    pub fn set_limit(&mut self, topic: TopicIndex, limit: usize) {
        if let Some(part) = self.topics.get_mut(usize::from(topic.0)) {
            part.limit = limit;
            self.divide();
        }
    }

    fn part(&self, topic: TopicIndex) -> Option<&Part> {
        self.topics.get(usize::from(topic.0))
    }

    /// Sets the reserves anew. Needed only when a limit changes.
    fn divide(&mut self) {
        let active = self.topics.iter().filter(|part| part.limit > 0).count();
        self.service = self.asked.max(active);
        let fair = (self.service / (2 * active.max(1))).max(1);
        for part in &mut self.topics {
            part.reserve = part.limit.min(fair);
        }
        self.shared = self.service - self.topics.iter().map(|part| part.reserve).sum::<usize>();
        self.shared_in_use = self.topics.iter().map(|part| part.beyond_reserve()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_topic_that_hangs_starves_no_other() {
        let mut budget = Budget::new(100, &[100, 100, 100]);
        while budget.take(TopicIndex(0)) {}
        assert_eq!((budget.in_flight(TopicIndex(0)), budget.room(TopicIndex(1))), (68, 16));
        while budget.take(TopicIndex(1)) {}
        while budget.take(TopicIndex(2)) {}
        assert_eq!((budget.total(), budget.in_flight(TopicIndex(2))), (100, 16));
    }

    #[test]
    fn one_topic_alone_has_every_slot() {
        let mut budget = Budget::new(10, &[10]);
        assert_eq!((0..20).filter(|_| budget.take(TopicIndex(0))).count(), 10);
    }

    #[test]
    fn more_topics_than_slots_have_one_each() {
        let mut budget = Budget::new(1, &[5, 5, 5]);
        assert!((0..3).all(|topic| budget.take(TopicIndex(topic))));
        assert!((0..3).all(|topic| !budget.take(TopicIndex(topic))));
    }

    #[test]
    fn a_topic_that_may_start_nothing_has_no_part_in_the_reserves() {
        let mut budget = Budget::new(10, &[10, 0, 0]);
        assert_eq!((budget.reserve(TopicIndex(0)), budget.reserve(TopicIndex(1))), (5, 0));
        budget.set_limit(TopicIndex(1), 10);
        assert_eq!((budget.reserve(TopicIndex(0)), budget.reserve(TopicIndex(1))), (2, 2));
    }

    #[test]
    fn a_lowered_limit_drains_and_a_raised_one_is_used() {
        let (a, b) = (TopicIndex(0), TopicIndex(1));
        let mut budget = Budget::new(10, &[10, 0]);
        assert_eq!((0..20).filter(|_| budget.take(a)).count(), 10);
        budget.set_limit(a, 4);
        budget.set_limit(b, 10);
        assert!(!budget.take(a) && !budget.take(b));
        budget.give_back(a);
        assert!(budget.take(b) && !budget.take(a));
        (0..6).for_each(|_| budget.give_back(a));
        assert!(budget.take(a) && !budget.take(a));
    }

    #[test]
    fn a_topics_limit_is_what_was_set_last() {
        let mut budget = Budget::new(10, &[7, 3]);
        budget.set_limit(TopicIndex(1), 4);
        assert_eq!([0, 1, 2].map(|topic| budget.limit(TopicIndex(topic))), [7, 4, 0]);
    }

    #[test]
    fn an_unknown_topic_has_no_slot() {
        assert!(!Budget::new(10, &[10]).take(TopicIndex(1)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take(u16),
        GiveBack(u16),
        Limit(u16, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0u16..4).prop_map(Step::Take),
            4 => (0u16..4).prop_map(Step::GiveBack),
            1 => (0u16..4, 0usize..12).prop_map(|(topic, limit)| Step::Limit(topic, limit)),
        ]
    }

    proptest! {
        /// Compared with sums over everything, taken anew at each step.
        #[test]
        fn no_limit_is_passed_and_no_reserve_is_taken_by_others(
            service in 0usize..30,
            mut limits in proptest::collection::vec(0usize..12, 4),
            steps in proptest::collection::vec(step(), 0..300),
        ) {
            let mut budget = Budget::new(service, &limits);
            let (mut running, mut limits_changed) = ([0usize; 4], false);
            for step in steps {
                let active = limits.iter().filter(|&&limit| limit > 0).count();
                let most = service.max(active);
                match step {
                    Step::Take(topic) => {
                        let (index, room) = (usize::from(topic), budget.room(TopicIndex(topic)));
                        let taken = budget.take(TopicIndex(topic));
                        prop_assert_eq!(taken, room > 0);
                        if running[index] < budget.reserve(TopicIndex(topic)) && !limits_changed {
                            prop_assert!(taken, "below its reserve");
                        }
                        running[index] += usize::from(taken);
                        if taken {
                            prop_assert!(running[index] <= limits[index] && running.iter().sum::<usize>() <= most);
                        } else {
                            let others: usize = (0..4).filter(|&other| other != index)
                                .map(|other| running[other].max(budget.reserve(TopicIndex(other as u16)))).sum();
                            prop_assert!(running[index] >= limits[index] || running[index] + others >= most
                                || running.iter().sum::<usize>() >= most, "refused without need");
                        }
                    }
                    Step::GiveBack(topic) if running[usize::from(topic)] > 0 => {
                        running[usize::from(topic)] -= 1;
                        budget.give_back(TopicIndex(topic));
                    }
                    Step::GiveBack(_) => {}
                    Step::Limit(topic, limit) => {
                        limits[usize::from(topic)] = limit;
                        budget.set_limit(TopicIndex(topic), limit);
                        limits_changed = true;
                    }
                }
                for (index, &count) in running.iter().enumerate() {
                    prop_assert_eq!(budget.in_flight(TopicIndex(index as u16)), count);
                }
                prop_assert_eq!(budget.total(), running.iter().sum::<usize>());
            }
        }

        #[test]
        fn many_at_once_are_as_many_one_by_one(
            service in 0usize..40, limits in proptest::collection::vec(0usize..20, 1..4),
            steps in proptest::collection::vec((0u16..4, 0usize..30, 0usize..10), 0..30),
        ) {
            let mut at_once = Budget::new(service, &limits);
            let mut one_by_one = at_once.clone();
            for (topic, most, back) in steps {
                let topic = TopicIndex(topic);
                let taken = (0..most).take_while(|_| one_by_one.take(topic)).count();
                prop_assert_eq!(at_once.take_n(topic, most), taken);
                for _ in 0..back.min(taken) {
                    at_once.give_back(topic);
                    one_by_one.give_back(topic);
                }
                prop_assert_eq!(format!("{at_once:?}"), format!("{one_by_one:?}"));
            }
        }

        #[test]
        fn a_reserve_is_there_whatever_the_others_took(
            service in 0usize..40, limits in proptest::collection::vec(1usize..20, 1..6),
        ) {
            for kept in 0..limits.len() {
                let mut budget = Budget::new(service, &limits);
                for other in (0..limits.len()).filter(|&other| other != kept) {
                    while budget.take(TopicIndex(other as u16)) {}
                }
                let kept = TopicIndex(kept as u16);
                let taken = (0..100).filter(|_| budget.take(kept)).count();
                prop_assert!(taken >= budget.reserve(kept) && taken >= 1);
            }
        }
    }
}
