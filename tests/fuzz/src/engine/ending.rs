//! From here on all goes well: everything must end, and everything must be given back.

use super::{
    broker::{Log, PLACES, SOURCES},
    script::{Answer, Ending, Metadata, Writing},
    view::Stage,
    world::World,
};
use retrial_core::{budget::Budget, id::TopicIndex, snapshot};
use std::{rc::Rc, time::Duration};

/// Rounds until everything has ended; a round goes on to the next moment that the engine asked for.
const MOST_ROUNDS: usize = 20_000;

impl World {
    pub(super) fn end(&mut self, wild: bool) {
        self.engine.set_memory_held(0);
        self.leave_if_stopping();
        if !wild {
            self.run_out();
        }
        self.give_all_back();
        if !wild && self.config.commit.metadata_limit == snapshot::LIMIT {
            self.use_every_slot();
        }
    }

    /// What a healthy world does by itself, at once: an answer that takes a session is as good as none.
    fn serve(&mut self) {
        while !(self.running.is_empty() && self.writing.is_empty() && self.commit.is_none()) {
            self.finish(0, Ending::Done);
            self.write(0, Writing::Written);
            self.answer(Answer::Accepted);
        }
    }

    /// A stop ends, whatever came before it.
    fn leave_if_stopping(&mut self) {
        for _ in 0..MOST_ROUNDS {
            if !self.stopping {
                return;
            }
            if self.left {
                return self.crash();
            }
            self.serve();
            self.sleep();
        }
        panic!("a stop that does not end: {:?}", self.views);
    }

    fn run_out(&mut self) {
        for _ in 0..MOST_ROUNDS {
            self.assign(Metadata::Own);
            self.read(256);
            self.serve();
            if self.is_over() {
                return;
            }
            // Without a partition nothing is due; they are assigned in the next round.
            assert!(
                self.wake.is_some() || self.views.is_empty(),
                "nothing is due, and something is left: {:?}",
                self.left_over()
            );
            self.sleep();
        }
        panic!("it does not end: {:?}, at {}, lease {}", self.left_over(), self.now, self.has_lease());
    }

    fn is_over(&self) -> bool {
        // A log may end with offsets that hold no record.
        let is_behind = |log: &Log| {
            let committed = log.committed.as_ref().map_or(0, |committed| committed.offset);
            log.committed.is_some() && log.entries.last().is_none_or(|last| last.offset < committed)
        };
        self.logs.iter().all(is_behind) && self.left_over().is_empty()
    }

    /// Lineages in a log that did not end.
    fn left_over(&self) -> Vec<(&'static str, i64)> {
        let entries = self
            .logs
            .iter()
            .zip(PLACES)
            .flat_map(|(log, (topic, ..))| log.entries.iter().map(move |entry| (topic, entry)));
        let left = entries.filter(|(_, entry)| !self.ended.contains(&entry.lineage));
        left.map(|(topic, entry)| (topic, entry.offset)).collect()
    }

    /// Without a partition the engine holds no record, and wants nothing.
    fn give_all_back(&mut self) {
        self.revoke(true, |_| true);
        assert!(self.views.is_empty(), "not released: {:?}", self.views);
        while !self.running.is_empty() {
            self.finish(0, Ending::Retry);
        }
        while !self.writing.is_empty() {
            self.write(0, Writing::Refused);
        }
        self.answer(Answer::Failed);
        assert_eq!(Rc::strong_count(&self.held), 1, "records are held for nobody");
    }

    /// No slot has leaked: as many attempts run at once as in a new engine.
    fn use_every_slot(&mut self) {
        let (service, limits) = self.limits;
        let mut budget = Budget::new(service, &limits);
        let mails = TopicIndex(1);
        while budget.take(mails) {}
        // Whatever held a topic is over by then.
        self.pass(Duration::from_secs(24 * 3600));
        // No late commit of a log that was cut is to land any more.
        self.logs[SOURCES - 1].before = None;
        (0..20).for_each(|_| self.append(SOURCES - 1, 0, 0));
        // What an owner that vanished has left under suspicion would run alone.
        self.assign(Metadata::None);
        for _ in 0..100 {
            self.answer(Answer::Accepted);
            self.read(256);
            let unread = self.views.values().any(|view| {
                view.stage == Stage::Reading && view.place == SOURCES - 1 && view.next < self.logs[view.place].end
            });
            if self.has_lease() && !unread {
                break;
            }
            self.sleep();
        }
        let running = self.running.iter().filter(|running| running.work.topic == mails).count();
        assert_eq!(running, budget.in_flight(mails), "slots have leaked");
    }
}
