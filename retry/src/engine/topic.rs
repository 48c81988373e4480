//! What is ready to run of one source topic, and how well it goes.

use super::config::TopicConfig;
use crate::{
    event::Work,
    order::Order,
    order::RetryPolicy,
    shares::{Class, Shares},
    time::Timestamp,
};
use std::{collections::VecDeque, time::Duration};

/// Below this many attempts the share of failures says nothing.
const ENOUGH_ATTEMPTS: u32 = 20;

/// The ready queues of a source topic.
#[derive(Debug)]
pub(super) struct Topic<R> {
    pub(super) order: Order,
    pub(super) retry: RetryPolicy,
    queues: [VecDeque<Work<R>>; 3],
    shares: Shares,
    ready_limit: usize,
    held_until: Timestamp,
    /// The last 64 attempts, a one for each that failed, newest lowest.
    failures: u64,
    attempts: u32,
}

impl<R> Topic<R> {
    pub(super) fn new(config: &TopicConfig) -> Self {
        Self {
            order: config.order,
            retry: config.retry.clone(),
            queues: Default::default(),
            shares: Shares::new(),
            ready_limit: config.concurrency.saturating_mul(2).clamp(4096, 262_144),
            held_until: Timestamp::default(),
            failures: 0,
            attempts: 0,
        }
    }

    /// Adds work that may start.
    pub(super) fn push(&mut self, work: Work<R>) {
        self.queues[work.class as usize].push_back(work);
    }

    /// Whose turn it is, among so many slots that the topic may hold, and how often in a row: up to `most` times where
    /// one class alone waits, else once. The class holds as many slots, each until [`Topic::give_back`].
    pub(super) fn choose(&mut self, most: usize, limit: usize) -> Option<(Class, usize)> {
        let waiting = self.queues.each_ref().map(VecDeque::len);
        let contested = waiting.iter().filter(|&&waiting| waiting > 0).count() > 1;
        let chosen = self.shares.next_n(waiting, if contested { most.min(1) } else { most }, limit);
        Class::ALL.into_iter().zip(chosen).find(|&(_, count)| count > 0)
    }

    /// Takes the next work of a class that was chosen.
    pub(super) fn pop(&mut self, class: Class) -> Option<Work<R>> {
        self.queues[class as usize].pop_front()
    }

    /// Takes ready work out of turn: it holds no slot before [`Topic::begin`].
    pub(super) fn draft(&mut self) -> Option<Work<R>> {
        self.queues.iter_mut().find_map(VecDeque::pop_front)
    }

    /// Work that was taken out of turn starts.
    pub(super) fn begin(&mut self, class: Class) {
        self.shares.begin(class);
    }

    /// An attempt of this class ended, or did not start after all.
    pub(super) fn give_back(&mut self, class: Class) {
        self.shares.give_back(class);
    }

    /// How many more fresh records may be taken in before the ready queue is long enough.
    pub(super) fn room(&self) -> usize {
        self.ready_limit.saturating_sub(self.queues[Class::Fresh as usize].len())
    }

    /// How many could start at once, had they a slot.
    pub(super) fn ready(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    /// Drops the work of an assignment that ended.
    pub(super) fn forget(&mut self, dead: impl Fn(&Work<R>) -> bool) {
        for queue in &mut self.queues {
            queue.retain(|work| !dead(work));
        }
    }

    /// Takes nothing new until then.
    pub(super) fn hold(&mut self, now: Timestamp, delay: Duration) {
        self.held_until = self.held_until.max(now.after(delay));
    }

    /// Until when the topic takes nothing new, if it is held.
    pub(super) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.held_until).filter(|&until| until > now)
    }

    /// Counts an attempt that ended.
    pub(super) fn count(&mut self, failed: bool) {
        self.failures = self.failures << 1 | u64::from(failed);
        self.attempts = self.attempts.saturating_add(1);
    }

    /// Whether in-place tries make sense: not while over half of the attempts fail.
    pub(super) fn in_place_allowed(&self) -> bool {
        self.attempts < ENOUGH_ATTEMPTS || self.failures.count_ones() * 2 <= self.attempts.min(64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{Slot, Ticket, TopicIndex},
        order::OnCrash,
        schedule::Schedule,
    };

    fn topic(waiting: &[Class]) -> Topic<()> {
        let retry = RetryPolicy { schedule: Schedule::delays([]), on_crash: OnCrash::Bury, ..RetryPolicy::default() };
        let mut topic =
            Topic::new(&TopicConfig { name: "orders".into(), concurrency: 8, order: Order::Unordered, retry });
        for (sequence, &class) in (0..).zip(waiting) {
            let ticket = Ticket { slot: Slot { index: 0, generation: 0 }, sequence };
            topic.push(Work { ticket, topic: TopicIndex(0), class, tries: 0, lane: 0, record: (), history: None });
        }
        topic
    }

    #[test]
    fn where_one_class_waits_all_slots_are_its_and_where_two_do_they_take_turns() {
        let (due, fresh) = (Class::Due, Class::Fresh);
        assert_eq!(topic(&[]).choose(8, 8), None);
        assert_eq!(topic(&[due, due, due]).choose(8, 8), Some((due, 3)));
        assert_eq!(topic(&[fresh, fresh, fresh]).choose(2, 8), Some((fresh, 2)));
        let mut both = topic(&[due, due, due, due, due, fresh, fresh]);
        let mut turns = Vec::new();
        while let Some((class, count)) = both.choose(8, 8) {
            turns.push((class, count));
            (0..count).for_each(|_| drop(both.pop(class)));
        }
        assert_eq!(turns, [(due, 1), (due, 1), (due, 1), (due, 1), (fresh, 1), (due, 1), (fresh, 1)]);
    }
}
