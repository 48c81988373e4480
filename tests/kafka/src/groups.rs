//! What groups have committed, read and written without joining them.

use std::time::Duration;

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};

use crate::{Kafka, unsettled::until_settled};

const LIMIT: Duration = Duration::from_secs(30);

/// What a group has committed for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// The text beside it; empty if there is none.
    pub metadata: String,
}

impl Kafka {
    /// What `group` has committed for `topic`, by partition; partitions without a commit are left out.
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Commit> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(topic, 0, self.partitions(topic) - 1);
        let member = self.member(group);
        let committed = until_settled(|| member.committed_offsets(partitions.clone(), LIMIT));
        let committed = committed.unwrap_or_else(|error| panic!("no commits of {group} for {topic}: {error}"));
        let commits = committed.elements().into_iter().filter_map(|element| {
            let Offset::Offset(offset) = element.offset() else { return None };
            Some(Commit { partition: element.partition(), offset, metadata: element.metadata().to_owned() })
        });
        commits.collect()
    }

    /// Commits for `group` as an operator would. The broker refuses while the group has members.
    pub fn commit(&self, group: &str, topic: &str, commit: &Commit) {
        let mut partitions = TopicPartitionList::new();
        let mut element = partitions.add_partition(topic, commit.partition);
        element.set_metadata(&commit.metadata);
        element.set_offset(Offset::Offset(commit.offset)).expect("an offset from 0 on");
        let member = self.member(group);
        let done = until_settled(|| member.commit(&partitions, CommitMode::Sync));
        done.unwrap_or_else(|error| panic!("cannot commit {commit:?} for {group}: {error}"));
    }

    /// A client that speaks for a group and never joins it.
    fn member(&self, group: &str) -> BaseConsumer {
        let mut config = self.own_client_config();
        config.set("group.id", group).set("enable.auto.commit", "false");
        config.create().expect("a consumer of a cluster that answers")
    }
}
