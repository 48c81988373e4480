//! The promises, checked on what the engine decides.

use super::{
    broker::{Headers, PLACES, Rec, SOURCES, origin_of, place_of_tier, subject},
    view::Stage,
    world::World,
};
use retrial_core::{
    event::{CommitEntry, Forward, Target, Work},
    gate,
    id::TopicIndex,
    order::Order,
    snapshot,
};
use std::time::Duration;

impl World {
    /// Promises 2, 4, 5 and 9.
    pub(super) fn check_start(&self, work: &Work<Rec>) {
        let (slot, record) = (work.ticket.slot, &work.record);
        let view = self.views.get(&slot).expect("work of an assignment that ended");
        assert_eq!(view.stage, Stage::Reading, "work of an assignment that ends");
        assert!(self.has_lease(), "work without a lease");
        assert!(!self.stopping, "work in a stop");
        assert_eq!(record.reading, view.reading, "work of a log that is gone");
        let cell = view.cells.get(&record.at).expect("a record that was delivered");
        assert!(!cell.finished, "finished work is done again: {record:?}");
        let is_same = |other: &Rec| (other.place, other.at, other.reading) == (record.place, record.at, record.reading);
        let twice =
            self.running.iter().any(|running| running.work.ticket.slot == slot && is_same(&running.work.record));
        assert!(!twice, "two attempts of one record at once");
        let forwarded = self.unacknowledged.values().any(|forward| *forward == (slot, record.at, record.reading));
        assert!(!forwarded, "an attempt of a record that is being forwarded");
        self.check_time(work);
        if record.place < SOURCES && self.order_of(record.place) != Order::Unordered {
            view.check_order(record.at, cell.lane);
        }
    }

    fn check_time(&self, work: &Work<Rec>) {
        let Some(delay) = PLACES[work.record.place].2.map(Duration::from_secs) else { return };
        let entries = &self.logs[work.record.place].entries;
        // A tier's log is trimmed below what is finished only.
        let entry = entries.iter().find(|entry| entry.offset == work.record.at).expect("it is still in the log");
        assert!(gate::open_at(entry.appended, delay) <= self.now, "before its gate opened");
        let due = work.history.as_ref().and_then(|history| history.due);
        assert!(due.is_none_or(|due| due <= self.now), "due {due:?}, and it is {}", self.now);
    }

    /// Slots are kept until an attempt has ended, also one that was given up.
    pub(super) fn check_limits(&self) {
        let (service, limits) = self.limits;
        assert!(self.running.len() <= service, "{} attempts of {service}", self.running.len());
        for (index, limit) in limits.into_iter().enumerate() {
            let topic = TopicIndex(index as u16);
            let running = self.running.iter().filter(|running| running.work.topic == topic).count();
            assert!(running <= limit, "{running} attempts of {limit} in topic {index}");
        }
    }

    /// Promises 8 and 9, and that a forward is not taken for the one that brought the record.
    pub(super) fn check_forward(&mut self, forward: &Forward<Rec>) {
        let (slot, record) = (forward.slot, &forward.record);
        let view = self.views.get(&slot).expect("a forward of an assignment that ended");
        assert!(self.has_lease(), "a forward without a lease");
        let key = (slot, record.at, record.reading);
        if record.reading != view.reading {
            // What was to be forwarded when the log was cut may be the last copy.
            self.unacknowledged.insert(forward.id, key);
            return;
        }
        let cell = view.cells.get(&record.at).expect("a record that was delivered");
        assert!(!cell.finished, "a forward of a finished record");
        let other = self.unacknowledged.iter().find(|(id, of)| **id != forward.id && **of == key);
        assert!(other.is_none(), "two forwards of one record at once");
        assert!(!self.writing.iter().any(|writing| writing.id == forward.id), "sent again while it is being sent");
        assert!(self.unacknowledged.insert(forward.id, key).is_none_or(|of| of == key));
        self.check_past(forward, cell.identity);
    }

    fn check_past(&self, forward: &Forward<Rec>, identity: Option<u64>) {
        let (record, history) = (&forward.record, &forward.history);
        let entry = self.logs[record.place].entries.iter().find(|entry| entry.offset == record.at);
        if let Some(entry) = entry.filter(|entry| entry.lineage == record.lineage) {
            assert_eq!(history.origin, origin_of(record.place, record.at, &entry.headers), "another origin");
            if let Headers::Known(past) = &entry.headers {
                assert!(history.attempts >= past.attempts, "attempts are forgotten");
                assert_eq!((history.crashes, history.redrives), (past.crashes, past.redrives));
            }
        }
        match forward.target {
            Target::DeadLetters => assert!(history.cause.is_some(), "a dead letter without a cause"),
            Target::Tier(delay) => {
                assert!(history.cause.is_none() && place_of_tier(delay).is_some(), "to the tier of {delay:?}");
                assert_ne!(Some(history.identity()), identity, "it would be dropped as a repeat of itself");
                assert!(!self.order_of(record.place).keeps_lane(), "an ordered record leaves its lane");
            }
        }
    }

    pub(super) fn check_commit(&mut self, entry: &CommitEntry) {
        let limit = self.config.commit.metadata_limit;
        assert!(entry.metadata.len() <= limit);
        let view = self.views.get_mut(&entry.slot).expect("a commit of an assignment that ended");
        let read = snapshot::decode(entry.metadata.as_bytes(), &subject(view.place, entry.offset));
        let read = read.expect("our own metadata");
        assert!(read.is_some() || limit < 100, "no metadata");
        let runs = read.as_ref().map(|read| read.finished.as_slice()).unwrap_or_default();
        view.check_commit(entry, runs, limit == snapshot::LIMIT);
        if let Some(read) = &read {
            let started = self.running.iter().filter(|running| running.work.ticket.slot == entry.slot);
            let started = started.filter(|running| running.work.record.reading == view.reading);
            let highest = started.map(|running| running.work.record.at).max();
            assert!(highest.is_none_or(|at| at < read.started_below), "{highest:?} runs and is not announced");
        }
    }
}
