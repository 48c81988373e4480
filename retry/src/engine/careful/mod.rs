//! Careful mode: who of the suspects runs when, in this process (RULES 8). What is known of them is [`Suspects`]'.
//!
//! gathering → (every suspect of a new partition is read) → clearing → (nothing runs, or not any longer) → announcing →
//! (the commit is accepted) → running → (it ends, or outlives its time) → the next one; when none is left, ordinary
//! work goes on.
//!
//! # Invariants
//! 1. One suspect at a time is tested in this process, and nothing else starts meanwhile.
//! 2. It starts only after a commit that announces it was accepted, and nothing else starts before one that takes the
//!    announcement back was: else the next crash would be counted for a record that has survived.
//! 3. Ordinary work is held back for a bounded time; suspects that were not tested by then run as ordinary work.
//! 4. While no partition is under suspicion, `watching` is false, and none of this is asked for any record.

mod choice;
mod trial;
mod verdict;

use super::{Engine, later};
use crate::{
    event::{Actions, Notice, Payload, Work},
    history::History,
    id::{Slot, Ticket, TopicIndex},
    suspects::{LASTING, Standing, Suspects},
    time::Timestamp,
};
use std::{collections::VecDeque, sync::Arc};

/// Careful mode of one process.
#[derive(Debug)]
pub(in crate::engine) struct Careful<R> {
    /// Whether any partition is under suspicion.
    pub(in crate::engine) watching: bool,
    /// To be tested.
    queue: VecDeque<Work<R>>,
    /// Crashed before: they wait for quiet and a witness.
    aside: Vec<Work<R>>,
    /// To be buried, or held.
    condemned: Vec<Work<R>>,
    /// The one that is tested now.
    test: Option<Test<R>>,
    /// A test ended of this assignment, and no accepted commit says so yet; `true` once one that does was sent.
    untold: Option<(Slot, bool)>,
    /// Since when ordinary work is held back.
    began: Option<Timestamp>,
    /// Nothing is tested before, since the last time took too long.
    again_at: Timestamp,
}

/// The test of one suspect.
#[derive(Debug)]
struct Test<R> {
    ticket: Ticket,
    topic: TopicIndex,
    offset: i64,
    alone: bool,
    since: Timestamp,
    stage: Stage<R>,
}

/// Where it stands.
#[derive(Debug)]
enum Stage<R> {
    /// What runs already is waited for.
    Clearing(Work<R>),
    /// A commit is to announce it; `true` once one that does was sent.
    Announcing(Work<R>, bool),
    /// The commit was accepted.
    Announced(Work<R>),
    Running,
}

impl<R> Default for Careful<R> {
    fn default() -> Self {
        Self {
            watching: false,
            queue: VecDeque::new(),
            aside: Vec::new(),
            condemned: Vec::new(),
            test: None,
            untold: None,
            began: None,
            again_at: Timestamp::from_millis(i64::MIN),
        }
    }
}

impl<R> Careful<R> {
    /// Whether a suspect of this process is tested: what other partitions say in their commits.
    pub(in crate::engine) fn is_testing(&self) -> bool {
        self.began.is_some()
    }

    /// The record that runs alone.
    fn running(&self) -> Option<Ticket> {
        self.test.as_ref().filter(|test| matches!(test.stage, Stage::Running)).map(|test| test.ticket)
    }

    /// Drops what waits of assignments that end. Returns the test that is not made any more, if it was of one.
    pub(in crate::engine) fn forget(&mut self, gone: impl Fn(Slot) -> bool) -> Option<(Slot, i64)> {
        self.queue.retain(|work| !gone(work.ticket.slot));
        self.aside.retain(|work| !gone(work.ticket.slot));
        self.condemned.retain(|work| !gone(work.ticket.slot));
        let waits = |test: &mut Test<R>| gone(test.ticket.slot) && !matches!(test.stage, Stage::Running);
        self.test.take_if(waits).map(|test| (test.ticket.slot, test.offset))
    }

    /// Forgets the test of an assignment that was released.
    pub(in crate::engine) fn release(&mut self, slots: &[Slot]) {
        self.test.take_if(|test| slots.contains(&test.ticket.slot));
        self.untold.take_if(|(slot, _)| slots.contains(slot));
    }

    /// A commit was built that speaks of these assignments.
    pub(in crate::engine) fn sent(&mut self, speaks_of: impl Fn(Slot) -> bool) {
        if let Some(Test { ticket, stage: Stage::Announcing(_, sent), .. }) = &mut self.test {
            *sent |= speaks_of(ticket.slot);
        }
        if let Some((slot, sent)) = &mut self.untold {
            *sent |= speaks_of(*slot);
        }
    }

    /// That commit ended, for one of its assignments.
    pub(in crate::engine) fn answered(&mut self, slot: Slot, accepted: bool) {
        if let Some((untold, sent)) = self.untold.filter(|(untold, _)| *untold == slot) {
            self.untold = if sent && accepted { None } else { Some((untold, false)) };
        }
        let Some(test) = self.test.as_mut().filter(|test| test.ticket.slot == slot) else { return };
        test.stage = match std::mem::replace(&mut test.stage, Stage::Running) {
            Stage::Announcing(work, true) if accepted => Stage::Announced(work),
            Stage::Announcing(work, _) => Stage::Announcing(work, false),
            other => other,
        };
    }
}

impl<R: Payload> Engine<R> {
    /// Takes one step of careful mode, or several that are possible at once.
    pub(in crate::engine) fn tread(&mut self, now: Timestamp, out: &mut Actions<R>) {
        if !self.careful.watching {
            return;
        }
        self.stay_wary(now);
        self.execute(now, out);
        self.give_up_waiting(now, out);
        self.choose(now, out);
        self.prepare(now, out);
        self.start_announced(now, out);
        self.watch_running(now, out);
        let suspected = self.partitions.iter().flatten().any(|partition| partition.suspects.is_some());
        self.careful.watching = suspected || self.careful.test.is_some() || self.careful.untold.is_some();
    }

    /// Whether ordinary work waits for suspects.
    pub(in crate::engine) fn is_held_back(&self, now: Timestamp) -> bool {
        let careful = &self.careful;
        careful.watching && (careful.test.is_some() || careful.untold.is_some() || self.gathers_until(now).is_some())
    }

    /// Takes work out of the ordinary way if something is known against its record; gives it back if not.
    pub(in crate::engine) fn suspect(&mut self, mut work: Work<R>) -> Option<Work<R>> {
        let Some((offset, suspects)) = self.suspected(work.ticket) else { return Some(work) };
        let (standing, crashes) = (suspects.standing(offset), suspects.crashes(offset).len());
        if standing == Standing::Clear {
            return Some(work);
        }
        self.count_crashes(&mut work, crashes);
        match standing {
            Standing::Clear => return Some(work),
            Standing::Suspect => self.careful.queue.push_back(work),
            Standing::First => self.careful.queue.push_front(work),
            Standing::Aside(_) => self.careful.aside.push(work),
            Standing::Condemned(_) => self.careful.condemned.push(work),
        }
        None
    }

    /// Writes the crashes that are known here into the record's past, where its handler and its forwards find them.
    fn count_crashes(&self, work: &mut Work<R>, crashes: usize) {
        if crashes == 0 {
            return;
        }
        let Some(origin) = self.origin(work) else { return };
        let time = work.record.time();
        let history = Arc::make_mut(work.history.get_or_insert_with(|| Arc::new(History::new(origin, time))));
        history.crashes = history.crashes.saturating_add(u32::try_from(crashes).unwrap_or(u32::MAX));
    }

    fn suspected(&self, ticket: Ticket) -> Option<(i64, &Suspects)> {
        let partition = self.partition(ticket.slot)?;
        Some((partition.offset(ticket)?, partition.suspects.as_deref()?))
    }

    fn suspects_mut(&mut self, slot: Slot) -> Option<&mut Suspects> {
        self.partition_mut(slot)?.suspects.as_deref_mut()
    }

    /// What is known here is to be committed soon.
    fn tell_soon(&mut self, slot: Slot) {
        if let Some(partition) = self.partition_mut(slot) {
            partition.dirty = true;
        }
        self.pace.hasten();
    }

    fn tell_all(&mut self) {
        for partition in self.partitions.iter_mut().flatten().filter(|partition| partition.suspects.is_some()) {
            partition.dirty = true;
        }
        self.pace.hasten();
    }

    /// Partitions that show before they start have shown enough, or have something to show.
    fn stay_wary(&mut self, now: Timestamp) {
        let mut relaxed = Vec::new();
        for partition in self.partitions.iter_mut().flatten() {
            let Some(suspects) = partition.suspects.as_deref_mut() else { continue };
            if suspects.relax(now) {
                relaxed.push(partition.slot);
            } else if suspects.wary_until().is_some() && partition.dirty && !partition.parked.is_empty() {
                self.pace.hasten();
            }
        }
        relaxed.into_iter().for_each(|slot| self.unpark(slot));
    }

    /// A test is not made, or was not: its record stays a suspect.
    pub(in crate::engine) fn call_off(&mut self, slot: Slot, offset: i64) {
        if let Some(suspects) = self.suspects_mut(slot) {
            suspects.call_off(offset);
            self.take_back(slot);
        }
    }

    /// An announcement holds no longer.
    fn take_back(&mut self, slot: Slot) {
        self.careful.untold = Some((slot, false));
        self.tell_soon(slot);
    }

    /// The log of an assignment is another one now, and what was known of its records is gone. A test that runs goes on
    /// until its attempt has ended; what was announced of it holds no longer.
    pub(in crate::engine) fn forget_log(&mut self, slot: Slot) {
        let waited = self.careful.forget(|gone| gone == slot);
        if waited.is_some() || self.careful.running().is_some_and(|ticket| ticket.slot == slot) {
            self.take_back(slot);
        }
    }

    /// A suspect has survived: it is none any more, and a witness for others of its topic if it was alone.
    fn survived(&mut self, test: &Test<R>, outlived: bool, out: &mut Actions<R>) {
        let (slot, offset) = (test.ticket.slot, test.offset);
        if let Some(suspects) = self.suspects_mut(slot) {
            suspects.acquit(offset);
            self.take_back(slot);
        }
        Self::notice(out, Notice::SuspectSurvived { slot, offset, outlived });
        if !test.alone {
            return;
        }
        let others = self.careful.aside.iter().filter(|work| work.topic == test.topic).map(|work| work.ticket);
        for ticket in others.collect::<Vec<_>>() {
            let Some((offset, _)) = self.suspected(ticket) else { continue };
            if self.suspects_mut(ticket.slot).is_some_and(|suspects| suspects.witness(offset)) {
                self.tell_soon(ticket.slot);
            }
        }
    }

    /// When careful mode must be looked at again, if nothing else happens before.
    pub(in crate::engine) fn careful_due(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.careful.watching {
            return None;
        }
        let waits = !self.careful.queue.is_empty() || !self.careful.aside.is_empty();
        let resumed = Some(self.careful.again_at).filter(|_| waits);
        let began = self.careful.began.map(|began| later(began, self.time_for_all()));
        let (ends, lasts) = self.careful.test.as_ref().map_or((None, None), |test| {
            let runs = matches!(test.stage, Stage::Running);
            (Some(later(test.since, self.time_alone(test.ticket.slot))), runs.then(|| later(test.since, LASTING)))
        });
        let again = |work: &Work<R>| self.suspected(work.ticket).map(|(offset, suspects)| suspects.again_at(offset));
        let aside = self.careful.aside.iter().filter_map(again);
        let aside = aside.flat_map(|(quiet, without)| std::iter::once(quiet).chain(without));
        let wary = self.partitions.iter().flatten().filter_map(|partition| partition.suspects.as_deref());
        let wary = wary.filter_map(Suspects::wary_until);
        let times = [resumed, began, ends, lasts, self.gathers_until(now)].into_iter().flatten();
        times.chain(aside).chain(wary).filter(|&at| at > now).min()
    }
}
