//! What an attempt that ended leads to.

use super::{Engine, intake::UNHANDLED, partition::Phase};
use crate::{
    event::{Actions, Finished, Notice, Payload, Target, Work},
    id::Ticket,
    order::{Order, RetryPolicy},
    outcome::Outcome,
    planner::{self, Attempted, Plan},
    saboteur::{Saboteur, sabotaged},
    time::Timestamp,
};

impl<R: Payload> Engine<R> {
    /// Takes a worker's report.
    pub(super) fn finished(&mut self, now: Timestamp, attempt: Finished<R>, out: &mut Actions<R>) {
        match attempt {
            Finished::Done { ticket, topic, class, lane } => {
                self.give_back(topic, class);
                self.topics[topic.0 as usize].count(false);
                if self.reported(ticket) {
                    self.complete(ticket, lane);
                }
            }
            Finished::Abandoned { ticket, topic, class } => {
                self.give_back(topic, class);
                self.reported(ticket);
            }
            Finished::Unstarted(work) => {
                self.give_back(work.topic, work.class);
                self.reported(work.ticket);
                // The log may have been cut since, and then the record is read again.
                let owned = self.partition(work.ticket.slot).filter(|partition| partition.phase == Phase::Owned);
                if owned.is_some_and(|partition| partition.offset(work.ticket).is_some()) {
                    self.make_ready(*work);
                }
            }
            Finished::Other(report) => {
                let (work, outcome) = *report;
                if !sabotaged(Saboteur::LeaksBudget) {
                    self.give_back(work.topic, work.class);
                }
                let failed = matches!(outcome, Outcome::Retry(_) | Outcome::RetryAfter(..));
                self.topics[work.topic.0 as usize].count(failed);
                if self.reported(work.ticket) {
                    self.settle(now, work, outcome, out);
                }
            }
        }
    }

    /// Takes note that a piece of work came back. False if its assignment is over.
    fn reported(&mut self, ticket: Ticket) -> bool {
        let Some(partition) = self.partition_mut(ticket.slot) else { return false };
        if partition.reported(ticket) {
            self.unpark(ticket.slot);
        }
        true
    }

    /// Plans what an outcome leads to, and does it.
    pub(super) fn settle(&mut self, now: Timestamp, work: Work<R>, outcome: Outcome, out: &mut Actions<R>) {
        // A result from a log that is gone: what is left of that log is read again.
        if self.partition(work.ticket.slot).is_none_or(|partition| partition.offset(work.ticket).is_none()) {
            return;
        }
        let Some(origin) = self.origin(&work) else { return };
        let random = self.next_random();
        let topic = self.topics.get(work.topic.0 as usize);
        let fallback = RetryPolicy::default();
        let attempted = Attempted {
            history: work.history.as_deref(),
            origin,
            time: work.record.time(),
            tries: work.tries,
            now: self.clock.broker_about(now),
            in_place_allowed: topic.is_some_and(super::topic::Topic::in_place_allowed),
            random,
        };
        let policy = topic.map_or(&fallback, |topic| &topic.retry);
        // What comes out of a tier has given its order up already.
        let ordered = self.partition(work.ticket.slot).is_some_and(|partition| partition.lanes.is_some());
        let order = topic.filter(|_| ordered).map_or(Order::Unordered, |topic| topic.order);
        let plan = planner::plan(attempted, outcome, policy, order, &self.config.ladder);
        self.carry_out(now, work, plan, out);
    }

    /// Does what was planned for a piece of work.
    pub(super) fn carry_out(&mut self, now: Timestamp, mut work: Work<R>, plan: Plan, out: &mut Actions<R>) {
        match plan {
            Plan::Done => self.complete(work.ticket, work.lane),
            Plan::Discard(why) => {
                if work.topic != UNHANDLED {
                    Self::notice(out, Notice::Discarded { topic: work.topic, why });
                }
                self.complete(work.ticket, work.lane);
            }
            Plan::InPlace(delay) => {
                work.tries += 1;
                if sabotaged(Saboteur::OvertakesInPlace) {
                    let lanes = self.partition_mut(work.ticket.slot).and_then(|partition| partition.lanes.as_mut());
                    if let Some(next) = lanes.and_then(|lanes| lanes.leave(work.lane)) {
                        self.make_ready(next);
                    }
                }
                self.rest(now.after(delay), work);
            }
            Plan::Rest { delay, history } => {
                work.tries = 0;
                work.history = Some(history);
                self.rest(now.after(delay), work);
            }
            Plan::HoldTopic { delay } => {
                if let Some(topic) = self.topics.get_mut(work.topic.0 as usize) {
                    topic.hold(now, delay);
                    Self::notice(out, Notice::TopicHeld { topic: work.topic, delay });
                }
                self.rest(now.after(delay), work);
            }
            Plan::Forward { target, history } => {
                if work.topic == UNHANDLED {
                    Self::tell_hop(target, out);
                }
                self.forward(now, work, target, history, out);
            }
        }
    }

    /// Marks a record finished, and lets the next of its lane start.
    pub(super) fn complete(&mut self, ticket: Ticket, lane: u64) {
        let Some(partition) = self.partition_mut(ticket.slot) else { return };
        if !partition.finish(ticket) {
            return;
        }
        partition.dirty = true;
        let next = partition.lanes.as_mut().and_then(|lanes| lanes.leave(lane));
        self.finished_since_commit += 1;
        if let Some(next) = next {
            self.make_ready(next);
        }
    }

    /// Tells of a forward to a tier that no attempt asked for.
    pub(super) fn tell_hop(target: Target, out: &mut Actions<R>) {
        if let Target::Tier(tier) = target {
            Self::notice(out, Notice::Hopped { tier });
        }
    }

    /// Whether a forward to this target gives the record's order up, which only `Overtake` asks for.
    pub(super) const fn is_burial(target: Target) -> bool {
        matches!(target, Target::DeadLetters)
    }
}
