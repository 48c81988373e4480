//! Rebalance events in the order in which they came, and what each still waits for.
//!
//! librdkafka wants one answer per event, in order; while one is owed, no partition delivers. This queue says what to
//! do next and never does it, so it is tested without a broker.
//!
//! * An assignment is looked up (committed offsets), offered, and answered at the turn after the offer with those
//!   partitions that were started by then. The others are assigned when their start comes: librdkafka takes an
//!   assignment at any time, and a partition that is not in it costs nothing.
//! * A revocation is told, waits until each of its slots is released, and is answered.

use retrial_core::id::Slot;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
}

/// A rebalance event as it was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    Assigned(Vec<Partition>),
    Revoked { partitions: Vec<Partition>, lost: bool },
}

/// What the head of the queue needs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for the committed offsets of these; then call [`Rebalances::offered`].
    LookUp(Vec<Partition>),
    /// Assign those of these slots that were started, and answer the event.
    Assign(Vec<Slot>),
    /// Tell that these go; then call [`Rebalances::told`].
    Tell { partitions: Vec<Partition>, lost: bool },
    /// Every slot is released: unassign them, and answer the event.
    Unassign(Vec<Slot>),
}

#[derive(Debug)]
enum Event {
    Assigned(Vec<Partition>),
    LookedUp,
    Offered(Vec<Slot>),
    Revoked { partitions: Vec<Partition>, lost: bool },
    Telling,
    Draining { slots: Vec<Slot>, left: BTreeSet<Slot> },
}

/// The queue of events that were not answered yet.
#[derive(Debug, Default)]
pub(super) struct Rebalances {
    queue: VecDeque<Event>,
}

impl Rebalances {
    /// Appends an event.
    pub(super) fn note(&mut self, noted: Noted) {
        self.queue.push_back(match noted {
            Noted::Assigned(partitions) => Event::Assigned(partitions),
            Noted::Revoked { partitions, lost } => Event::Revoked { partitions, lost },
        });
    }

    /// Whether every event was answered.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the head, if there is one, waits for somebody else.
    pub(super) fn waits(&self) -> bool {
        match self.queue.front() {
            None | Some(Event::LookedUp | Event::Telling) => true,
            Some(Event::Draining { left, .. }) => !left.is_empty(),
            Some(Event::Assigned(_) | Event::Offered(_) | Event::Revoked { .. }) => false,
        }
    }

    /// What to do for the head now, if it does not wait for something. An answer takes the event out.
    pub(super) fn step(&mut self) -> Option<Step> {
        match self.queue.pop_front()? {
            Event::Assigned(partitions) if partitions.is_empty() => Some(Step::Assign(Vec::new())),
            Event::Assigned(partitions) => {
                self.queue.push_front(Event::LookedUp);
                Some(Step::LookUp(partitions))
            }
            Event::Offered(slots) => Some(Step::Assign(slots)),
            Event::Revoked { partitions, lost } => {
                self.queue.push_front(Event::Telling);
                Some(Step::Tell { partitions, lost })
            }
            Event::Draining { slots, left } if left.is_empty() => Some(Step::Unassign(slots)),
            waiting @ (Event::LookedUp | Event::Telling | Event::Draining { .. }) => {
                self.queue.push_front(waiting);
                None
            }
        }
    }

    /// Whether the head waits for its committed offsets.
    pub(super) fn looks_up(&self) -> bool {
        matches!(self.queue.front(), Some(Event::LookedUp))
    }

    /// The committed offsets came and these slots were offered.
    pub(super) fn offered(&mut self, slots: Vec<Slot>) {
        if self.looks_up() {
            self.queue[0] = Event::Offered(slots);
        }
    }

    /// The look-up failed and is to be made again.
    pub(super) fn look_up_again(&mut self, partitions: Vec<Partition>) {
        if self.looks_up() {
            self.queue[0] = Event::Assigned(partitions);
        }
    }

    /// The revocation at the head was told, and waits for these slots.
    pub(super) fn told(&mut self, slots: Vec<Slot>) {
        if let Some(Event::Telling) = self.queue.front() {
            self.queue[0] = Event::Draining { left: slots.iter().copied().collect(), slots };
        }
    }

    /// A slot was released.
    pub(super) fn released(&mut self, slot: Slot) {
        for event in &mut self.queue {
            if let Event::Draining { left, .. } = event {
                left.remove(&slot);
            }
        }
    }

    /// Answers assignments that were not offered yet with nothing: the group is being left.
    pub(super) fn decline(&mut self) {
        for event in &mut self.queue {
            if let Event::Assigned(_) | Event::LookedUp = event {
                *event = Event::Offered(Vec::new());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(numbers: &[i32]) -> Vec<Partition> {
        numbers.iter().map(|&number| Partition { topic: "orders".into(), number }).collect()
    }

    fn slots(numbers: &[u32]) -> Vec<Slot> {
        numbers.iter().map(|&index| Slot { index, generation: index + 10 }).collect()
    }

    #[test]
    fn an_assignment_is_looked_up_offered_and_then_answered() {
        let mut queue = Rebalances::default();
        queue.note(Noted::Assigned(partitions(&[0, 1])));
        assert_eq!(queue.step(), Some(Step::LookUp(partitions(&[0, 1]))));
        assert_eq!(queue.step(), None);
        queue.offered(slots(&[0, 1]));
        assert_eq!(queue.step(), Some(Step::Assign(slots(&[0, 1]))));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_failed_look_up_is_made_again() {
        let mut queue = Rebalances::default();
        queue.note(Noted::Assigned(partitions(&[3])));
        assert!(queue.step().is_some());
        queue.look_up_again(partitions(&[3]));
        assert_eq!(queue.step(), Some(Step::LookUp(partitions(&[3]))));
    }

    #[test]
    fn a_revocation_waits_for_its_last_slot_and_holds_back_what_came_later() {
        let mut queue = Rebalances::default();
        queue.note(Noted::Revoked { partitions: partitions(&[0, 1]), lost: false });
        queue.note(Noted::Assigned(Vec::new()));
        assert_eq!(queue.step(), Some(Step::Tell { partitions: partitions(&[0, 1]), lost: false }));
        queue.told(slots(&[0, 1]));
        queue.released(slots(&[1])[0]);
        queue.released(slots(&[1])[0]);
        assert_eq!(queue.step(), None);
        queue.released(slots(&[0])[0]);
        assert_eq!(queue.step(), Some(Step::Unassign(slots(&[0, 1]))));
        assert_eq!(queue.step(), Some(Step::Assign(Vec::new())));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_revocation_of_what_we_never_had_is_answered_at_once() {
        let mut queue = Rebalances::default();
        queue.note(Noted::Revoked { partitions: partitions(&[5]), lost: true });
        assert!(matches!(queue.step(), Some(Step::Tell { lost: true, .. })));
        queue.told(Vec::new());
        assert_eq!(queue.step(), Some(Step::Unassign(Vec::new())));
    }

    #[test]
    fn leaving_declines_what_was_not_offered_and_keeps_the_order() {
        let mut queue = Rebalances::default();
        queue.note(Noted::Assigned(partitions(&[0])));
        queue.note(Noted::Revoked { partitions: partitions(&[0]), lost: false });
        assert!(queue.step().is_some());
        queue.decline();
        queue.offered(slots(&[0]));
        assert_eq!(queue.step(), Some(Step::Assign(Vec::new())));
        assert!(matches!(queue.step(), Some(Step::Tell { .. })));
    }
}
