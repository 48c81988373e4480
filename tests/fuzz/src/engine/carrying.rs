//! What the engine decided is carried out, and checked on the way.

use super::{
    view::Stage,
    world::{Running, Sent, World},
};
use retrial_core::{
    event::{Acknowledged, Action, Event, ForwardError},
    id::Slot,
};
use std::time::Duration;

impl World {
    pub(super) fn carry_out(&mut self) {
        while !self.out.is_empty() {
            let out = std::mem::take(&mut self.out);
            for forward in out.forwards {
                self.check_forward(&forward);
                self.writing.push(forward);
            }
            for action in out.others {
                self.act(action);
            }
            for work in out.work {
                self.check_start(&work);
                self.running.push(Running { work, abandoned: false });
                self.check_limits();
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { slot, offset } => self.start(slot, offset),
            Action::Commit(id, entries) => {
                // Half a minute without an answer is none.
                let waits = |sent: &Sent| sent.at.after(Duration::from_secs(30)) > self.now;
                assert!(!self.commit.as_ref().is_some_and(waits), "two commits at once");
                entries.iter().for_each(|entry| self.check_commit(entry));
                self.commit = Some(Sent { id, at: self.now, entries });
            }
            Action::Release(slots) => slots.into_iter().for_each(|slot| self.release(slot)),
            Action::Abandon(slot) => {
                if let Some(view) = self.views.get_mut(&slot) {
                    view.abandoned = true;
                }
                self.running.iter_mut().filter(|running| running.work.ticket.slot == slot).for_each(|running| {
                    running.abandoned = true;
                });
            }
            Action::Trim(slot, offset) => self.trim(slot, offset),
            Action::Purge => self.purge(),
            Action::Leave => {
                assert!(self.stopping && self.engine.has_left());
                self.left = true;
            }
            Action::Hurry(_) | Action::Notice(_) => {}
        }
    }

    fn start(&mut self, slot: Slot, offset: i64) {
        let view = self.views.get_mut(&slot).expect("a partition that was offered");
        let log = &self.logs[view.place];
        let committed = log.committed.as_ref().map(|committed| committed.offset);
        let inside = (log.start..=log.end).contains(&offset);
        // An offset that is committed is believed where the log's range is not known.
        assert!(inside || committed == Some(offset), "started at {offset} of {:?}", log.range());
        (view.next, view.stage) = (offset, if view.stage == Stage::Offered { Stage::Reading } else { view.stage });
    }

    fn release(&mut self, slot: Slot) {
        // One that the engine never had is given back at once.
        let Some(view) = self.views.remove(&slot) else { return };
        assert!(view.stage != Stage::Reading, "released, and nobody asked for it");
        let runs = |running: &&Running| running.work.ticket.slot == slot && !running.abandoned;
        assert!(!self.running.iter().any(|running| runs(&running)), "released while an attempt runs");
        self.unacknowledged.retain(|_, (of, ..)| *of != slot);
    }

    fn trim(&mut self, slot: Slot, offset: i64) {
        let view = &self.views[&slot];
        let log = &mut self.logs[view.place];
        assert!(super::broker::PLACES[view.place].2.is_some(), "a source topic is not ours to trim");
        assert!(offset <= view.accepted, "trimmed to {offset}, and committed {}", view.accepted);
        log.retain_from(offset);
    }

    /// The producer forgets what it has not sent; the first one is on the wire.
    fn purge(&mut self) {
        let unsent = self.writing.split_off(self.writing.len().min(1));
        let purged = |id| Acknowledged { id, result: Err(ForwardError::Purged) };
        let results = unsent.into_iter().map(|forward| purged(forward.id)).collect();
        self.engine.handle(self.now, Event::Acknowledged(results), &mut self.out);
    }
}
