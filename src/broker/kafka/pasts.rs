//! What is known of a group's past with its partitions: from the marks in the control topic, and from what this process
//! has seen of the topics since it runs.
//!
//! # Invariants
//! 1. What is not known counts as [`Past::New`], where the user's word says where to begin; what two sources tell
//!    differently counts as that which passes over nothing.
//! 2. Marks are those of the start: what is marked later was read by a process of this group that lives, and has a commit.

use super::marks::Marks;
use retrial_core::event::Past;
use std::collections::HashMap;

/// A topic's identity (KIP-516).
pub(crate) type TopicId = [u8; 16];

/// The pasts of all partitions that the group may read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pasts {
    marks: Marks,
    /// How many partitions each source topic had when this process started.
    partitions: HashMap<String, i32>,
    /// Every identity that a topic had since.
    ids: HashMap<String, Vec<TopicId>>,
}

impl Pasts {
    /// What the control topic tells.
    pub(crate) fn new(marks: Marks) -> Self {
        Self { marks, ..Self::default() }
    }

    /// A topic as it is at the start, with its number of partitions.
    pub(crate) fn found(&mut self, topic: &str, id: Option<TopicId>, partitions: i32) {
        self.partitions.insert(topic.to_owned(), partitions);
        if let Some(id) = id {
            self.saw(topic, id);
        }
    }

    /// A topic has this identity now.
    pub(crate) fn saw(&mut self, topic: &str, id: TopicId) {
        let ids = self.ids.entry(topic.to_owned()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    /// The past of a partition of the topic that is there now, under this identity.
    pub(crate) fn of(&self, topic: &str, partition: i32, id: Option<TopicId>) -> Past {
        // Marks of partitions that the new topic does not have stay for ever: a partition's own mark counts first.
        if id.is_some() && self.marks.id(topic, partition) == id {
            return Past::Read;
        }
        let seen = self.ids.get(topic).into_iter().flatten().copied();
        if id.is_some_and(|id| seen.chain(self.marks.ids(topic)).any(|other| other != id)) {
            return Past::Another;
        }
        if self.marks.knows(topic, partition, id) {
            return Past::Read;
        }
        let was_there = self.partitions.get(topic).is_none_or(|&count| partition < count);
        if was_there && !self.marks.know_topic(topic) { Past::New } else { Past::Added }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::kafka::marks::{self, Mark};
    use retrial_core::time::Timestamp;

    const OLD: TopicId = [1; 16];
    const NEW: TopicId = [2; 16];

    fn mark(marks: &mut Marks, partition: i32, id: TopicId) {
        let mark = Mark { topic_id: Some(id), since: Timestamp::default() }.to_string();
        marks.take_in(marks::key("orders", partition).as_bytes(), Some(mark.as_bytes()));
    }

    fn marked(partitions: &[i32], id: TopicId) -> Marks {
        let mut marks = Marks::default();
        partitions.iter().for_each(|&partition| mark(&mut marks, partition, id));
        marks
    }

    #[test]
    fn a_new_group_has_no_past_until_partitions_are_added() {
        let mut pasts = Pasts::default();
        pasts.found("orders", Some(OLD), 2);
        assert_eq!(pasts.of("orders", 1, Some(OLD)), Past::New);
        assert_eq!(pasts.of("orders", 2, Some(OLD)), Past::Added);
        assert_eq!(pasts.of("other", 7, None), Past::New);
    }

    #[test]
    fn a_partition_without_a_mark_beside_marked_ones_was_added() {
        let mut pasts = Pasts::new(marked(&[0, 1], OLD));
        pasts.found("orders", Some(OLD), 3);
        assert_eq!(pasts.of("orders", 1, Some(OLD)), Past::Read);
        assert_eq!(pasts.of("orders", 2, Some(OLD)), Past::Added);
        assert_eq!((pasts.of("orders", 1, None), pasts.of("orders", 2, None)), (Past::Read, Past::Added));
    }

    #[test]
    fn a_topic_made_anew_is_known_by_marks_of_before_and_by_what_the_process_saw() {
        let mut late = Pasts::new(marked(&[0], OLD));
        late.found("orders", Some(NEW), 2);
        assert_eq!((late.of("orders", 0, Some(NEW)), late.of("orders", 1, Some(NEW))), (Past::Another, Past::Another));
        let mut marks = marked(&[0], OLD);
        mark(&mut marks, 1, NEW);
        let settled = Pasts::new(marks);
        assert_eq!(
            (settled.of("orders", 1, Some(NEW)), settled.of("orders", 0, Some(NEW))),
            (Past::Read, Past::Another)
        );
        let mut running = Pasts::default();
        running.found("orders", Some(OLD), 2);
        running.saw("orders", NEW);
        assert_eq!(running.of("orders", 0, Some(NEW)), Past::Another);
    }
}
