//! Faults that come by themselves: what is done to logs, processes and the group from time to time.

use super::{
    client::Client,
    cluster::{State, Step},
    faults::Fault,
    group::Group,
    log::Stored,
    random::Random,
    topics::TopicSettings,
    trace::{Event, Place, ProcessId, Removal},
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// Puts them on the agenda, where the run has any.
pub(super) fn begin(state: &mut State) {
    for (millis, fault) in state.faults.scheduled.clone() {
        state.at(state.began.after(Duration::from_millis(millis)), Step::Strike(fault));
    }
    plan_next(state);
}

fn plan_next(state: &mut State) {
    if let Some(every) = state.faults.every.clone() {
        let delay = state.random.millis(&every);
        state.after(delay, Step::Disturb);
    }
}

impl State {
    /// One of the run's timed faults strikes, and the next one is planned.
    pub(super) fn disturb(&mut self) {
        let timed = self.faults.timed();
        if let Some(&fault) = self.random.pick(&timed) {
            self.strike(fault);
        }
        plan_next(self);
    }

    /// Makes a fault happen now, if it finds something to break.
    pub(super) fn strike(&mut self, fault: Fault) {
        self.faults.came(fault, self.now.since(self.began).as_millis() as u64);
        let mut dice = self.faults.dice(fault);
        match fault {
            Fault::Crash => {
                if let Some(process) = self.some_process(&mut dice, |_| true) {
                    self.fault(fault);
                    self.kill(process);
                }
            }
            Fault::Freeze => self.freeze(&mut dice),
            Fault::Starved => self.starve(&mut dice),
            Fault::CutOff => self.cut_off(&mut dice),
            Fault::Rebalance => self.shake_group(&mut dice),
            Fault::ClockStood => self.stop_clock(&mut dice),
            Fault::Marker => self.append_markers(&mut dice),
            Fault::Compacted => self.compact(&mut dice),
            Fault::Retention => self.retain(&mut dice),
            Fault::UncleanElection => self.elect_uncleanly(&mut dice),
            Fault::TopicRecreated => self.recreate_topic(&mut dice),
            _ => {}
        }
    }

    fn some_process(&self, dice: &mut Random, fits: impl Fn(&Client) -> bool) -> Option<ProcessId> {
        let struck = |process: &ProcessId, client: &Client| client.alive && !self.is_spared(*process) && fits(client);
        let living = self.clients.iter().filter(|(process, client)| struck(process, client));
        let living: Vec<ProcessId> = living.map(|(&process, _)| process).collect();
        dice.pick(&living).copied()
    }

    fn up_to_two_sessions(&self, dice: &mut Random) -> Duration {
        let longest = self.timing.session.as_millis() as u64 * 2;
        dice.millis(&(100..=longest.max(100)))
    }

    /// Counted when the process goes on and has missed something.
    pub(super) fn hold(&mut self, process: ProcessId, time: Duration, stands: Duration) {
        if let Some(client) = self.client(process) {
            client.frozen = true;
            client.standstill.begin();
        }
        self.seen(Event::Frozen { process, until: self.now.after(time) });
        self.after(time, Step::Thaw(process, stands));
    }

    fn freeze(&mut self, dice: &mut Random) {
        let Some(process) = self.some_process(dice, |client| !client.frozen && !client.slots.is_empty()) else {
            return;
        };
        let time = self.up_to_two_sessions(dice);
        self.hold(process, time, Duration::ZERO);
    }

    /// Counted when they get turns again and had wanted one.
    fn starve(&mut self, dice: &mut Random) {
        let fits = |client: &Client| !client.frozen && !client.starved && !client.slots.is_empty();
        let Some(process) = self.some_process(dice, fits) else { return };
        if let Some(client) = self.client(process) {
            client.starved = true;
            client.standstill.begin();
        }
        let time = self.up_to_two_sessions(dice);
        self.seen(Event::Frozen { process, until: self.now.after(time) });
        self.after(time, Step::Feed(process));
    }

    /// Counted when a message meets the cut.
    fn cut_off(&mut self, dice: &mut Random) {
        let Some(process) = self.some_process(dice, |client| !client.cut_off && client.member.is_some()) else {
            return;
        };
        self.client(process).into_iter().for_each(|client| client.cut_off = true);
        let delay = self.up_to_two_sessions(dice);
        self.after(delay, Step::Reconnect(process));
    }

    fn shake_group(&mut self, dice: &mut Random) {
        let concerned = |group: &Group| group.is_stable() && group.processes().any(|process| !self.is_spared(process));
        let stable = self.groups.iter().filter(|(_, group)| concerned(group));
        let stable: Vec<Arc<str>> = stable.map(|(name, _)| Arc::clone(name)).collect();
        if let Some(group) = dice.pick(&stable) {
            self.fault(Fault::Rebalance);
            self.coordinate(group, |group, now, out| group.shake(now, out));
        }
    }

    /// The machine is suspended, and with it the clock that its processes measure time by.
    fn stop_clock(&mut self, dice: &mut Random) {
        let Some(process) = self.some_process(dice, |client| !client.frozen && !client.slots.is_empty()) else {
            return;
        };
        let time = self.up_to_two_sessions(dice) * 2;
        self.hold(process, time, time);
    }

    /// A partition whose log has records.
    fn some_log(&self, dice: &mut Random) -> Option<(Place, Vec<Rc<Stored>>)> {
        let filled = |place: &Place| self.topics.log(place).is_some_and(|log| log.records().len() > 0);
        let places: Vec<Place> = self.topics.places(|_| true).filter(filled).collect();
        let place = dice.pick(&places)?.clone();
        let records = self.topics.log(&place)?.records().map(Rc::clone).collect();
        Some((place, records))
    }

    /// Counted when a record follows: without one, nobody sees them.
    fn append_markers(&mut self, dice: &mut Random) {
        let Some((place, _)) = self.some_log(dice) else { return };
        let count = dice.between(&(1..=20)) as i64;
        self.topics.log_mut(&place).into_iter().for_each(|log| log.skip(count));
        self.feed(&place);
    }

    fn compact(&mut self, dice: &mut Random) {
        let Some((place, records)) = self.source_log(dice) else { return };
        let Some(offset) = dice.pick(&records).map(|record| record.offset) else { return };
        let gone = self.topics.log_mut(&place).and_then(|log| log.compact(offset));
        self.fault(Fault::Compacted);
        self.removed(place, gone.into_iter().collect(), Removal::Compacted);
    }

    fn retain(&mut self, dice: &mut Random) {
        let Some((place, records)) = self.source_log(dice) else { return };
        let Some(before) = dice.pick(&records).map(|record| record.offset + 1) else { return };
        let gone = self.topics.log_mut(&place).map(|log| log.delete_before(before)).unwrap_or_default();
        self.fault(Fault::Retention);
        self.removed(place, gone, Removal::Deleted);
    }

    fn elect_uncleanly(&mut self, dice: &mut Random) {
        let Some((place, records)) = self.source_log(dice) else { return };
        let Some(to) = dice.pick(&records).map(|record| record.offset) else { return };
        let gone = self.topics.log_mut(&place).map(|log| log.elect_uncleanly(to)).unwrap_or_default();
        self.fault(Fault::UncleanElection);
        self.removed(place.clone(), gone, Removal::Truncated);
        self.feed(&place);
    }

    /// A log that its users stamp: the group's own topics keep what they have, or nothing could be promised.
    fn source_log(&self, dice: &mut Random) -> Option<(Place, Vec<Rc<Stored>>)> {
        let (place, records) = self.some_log(dice)?;
        let own = self.topics.get(&place.topic).is_some_and(|topic| topic.settings.append_time);
        (!own).then_some((place, records))
    }

    fn recreate_topic(&mut self, dice: &mut Random) {
        let Some((place, _)) = self.source_log(dice) else { return };
        let settings = self.topics.get(&place.topic).map(|topic| topic.settings.clone());
        self.fault(Fault::TopicRecreated);
        self.delete_topic(&place.topic);
        self.topics.create(&place.topic, settings.unwrap_or(TopicSettings::source(1)));
        self.metadata_changed();
    }

    /// Deletes a topic. The coordinator forgets its offsets; a commit that is still on its way writes them again.
    pub(super) fn delete_topic(&mut self, name: &str) {
        for (place, records) in self.topics.delete(name) {
            self.removed(place, records, Removal::TopicDeleted);
        }
        self.groups.values_mut().for_each(|group| group.forget(name));
        self.metadata_changed();
    }
}
