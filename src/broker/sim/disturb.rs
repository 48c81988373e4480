//! Faults that come by themselves: what is done to logs, processes and the group from time to time.

use super::{
    cluster::{State, Step},
    faults::Fault,
    log::Stored,
    topics::TopicSettings,
    trace::{Place, ProcessId, Removal},
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// Puts the first one on the agenda, where the run has any.
pub(super) fn begin(state: &mut State) {
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
        begin(self);
    }

    /// Makes a fault happen now, if it finds something to break.
    pub(super) fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Crash => {
                if let Some(process) = self.some_process(|_| true) {
                    self.fault(fault);
                    self.kill(process);
                }
            }
            Fault::Freeze => self.freeze(),
            Fault::CutOff => self.cut_off(),
            Fault::Rebalance => self.shake_group(),
            Fault::ClockStood => self.stop_clock(),
            Fault::Marker => self.append_markers(),
            Fault::Compacted => self.compact(),
            Fault::Retention => self.retain(),
            Fault::UncleanElection => self.elect_uncleanly(),
            Fault::TopicRecreated => self.recreate_topic(),
            _ => {}
        }
    }

    fn some_process(&mut self, fits: impl Fn(&super::client::Client) -> bool) -> Option<ProcessId> {
        let living = self.clients.iter().filter(|(_, client)| client.alive && fits(client));
        let living: Vec<ProcessId> = living.map(|(&process, _)| process).collect();
        self.random.pick(&living).copied()
    }

    fn up_to_two_sessions(&mut self) -> Duration {
        let longest = self.timing.session.as_millis() as u64 * 2;
        self.random.millis(&(100..=longest.max(100)))
    }

    fn freeze(&mut self) {
        let Some(process) = self.some_process(|client| !client.frozen && !client.slots.is_empty()) else { return };
        self.fault(Fault::Freeze);
        self.client(process).into_iter().for_each(|client| client.frozen = true);
        let delay = self.up_to_two_sessions();
        self.after(delay, Step::Thaw(process));
    }

    /// Counted when a message meets the cut.
    fn cut_off(&mut self) {
        let Some(process) = self.some_process(|client| !client.cut_off && client.member.is_some()) else { return };
        self.client(process).into_iter().for_each(|client| client.cut_off = true);
        let delay = self.up_to_two_sessions();
        self.after(delay, Step::Reconnect(process));
    }

    fn shake_group(&mut self) {
        let stable = self.groups.iter().filter(|(_, group)| group.is_stable() && group.processes().next().is_some());
        let stable: Vec<Arc<str>> = stable.map(|(name, _)| Arc::clone(name)).collect();
        if let Some(group) = self.random.pick(&stable) {
            self.fault(Fault::Rebalance);
            self.coordinate(group, |group, now, out| group.shake(now, out));
        }
    }

    fn stop_clock(&mut self) {
        let Some(process) = self.some_process(|_| true) else { return };
        let stood = self.random.between(&(1..=60_000)) as i64;
        self.fault(Fault::ClockStood);
        self.client(process).into_iter().for_each(|client| client.skew -= stood);
    }

    /// A partition whose log has records.
    fn some_log(&mut self) -> Option<(Place, Vec<Rc<Stored>>)> {
        let filled = |place: &Place| self.topics.log(place).is_some_and(|log| log.records().len() > 0);
        let places: Vec<Place> = self.topics.places(|_| true).filter(filled).collect();
        let place = self.random.pick(&places)?.clone();
        let records = self.topics.log(&place)?.records().map(Rc::clone).collect();
        Some((place, records))
    }

    fn append_markers(&mut self) {
        let Some((place, _)) = self.some_log() else { return };
        let count = self.random.between(&(1..=20)) as i64;
        self.fault(Fault::Marker);
        self.topics.log_mut(&place).into_iter().for_each(|log| log.skip(count));
        self.feed(&place);
    }

    fn compact(&mut self) {
        let Some((place, records)) = self.source_log() else { return };
        let Some(offset) = self.random.pick(&records).map(|record| record.offset) else { return };
        let gone = self.topics.log_mut(&place).and_then(|log| log.compact(offset));
        self.fault(Fault::Compacted);
        self.removed(place, gone.into_iter().collect(), Removal::Compacted);
    }

    fn retain(&mut self) {
        let Some((place, records)) = self.source_log() else { return };
        let Some(before) = self.random.pick(&records).map(|record| record.offset + 1) else { return };
        let gone = self.topics.log_mut(&place).map(|log| log.delete_before(before)).unwrap_or_default();
        self.fault(Fault::Retention);
        self.removed(place, gone, Removal::Deleted);
    }

    fn elect_uncleanly(&mut self) {
        let Some((place, records)) = self.source_log() else { return };
        let Some(to) = self.random.pick(&records).map(|record| record.offset) else { return };
        let gone = self.topics.log_mut(&place).map(|log| log.elect_uncleanly(to)).unwrap_or_default();
        self.fault(Fault::UncleanElection);
        self.removed(place.clone(), gone, Removal::Truncated);
        self.feed(&place);
    }

    /// A log that its users stamp: the group's own topics keep what they have, or nothing could be promised.
    fn source_log(&mut self) -> Option<(Place, Vec<Rc<Stored>>)> {
        let (place, records) = self.some_log()?;
        let own = self.topics.get(&place.topic).is_some_and(|topic| topic.settings.append_time);
        (!own).then_some((place, records))
    }

    fn recreate_topic(&mut self) {
        let Some((place, _)) = self.source_log() else { return };
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
