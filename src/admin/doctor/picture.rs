//! What a diagnosis is made from: gathered first, judged afterwards, without a broker.

use super::finding::Unchecked;
use crate::{
    admin::Status,
    broker::kafka::{Health, Observed, Operation, Place},
};
use retrial_core::{naming::GroupNames, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A cluster and a group, as they were at one time.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) names: GroupNames,
    /// By this machine's clock.
    pub(super) now: Timestamp,
    /// Brokers that are up, with their settings where these can be read.
    pub(super) brokers: BTreeMap<i32, BTreeMap<String, String>>,
    /// What the user may do with the cluster; `None` if nobody tells.
    pub(super) cluster: Option<Vec<Operation>>,
    /// What the user may do with the group.
    pub(super) group: Option<Vec<Operation>>,
    /// The source topics, also those that do not exist.
    pub(super) sources: BTreeSet<String>,
    /// Sources and own topics that exist.
    pub(super) topics: BTreeMap<String, TopicSeen>,
    /// The ladder, if somebody said it.
    pub(super) delays: Option<Vec<Duration>>,
    /// Whether topics have identities here; `None` if there is no topic to ask for.
    pub(super) identities: Option<bool>,
    /// How far the group is.
    pub(super) status: Option<Status>,
    /// What each member is assigned.
    pub(super) members: Option<Vec<Vec<Place>>>,
    /// What could not be read.
    pub(super) unchecked: Vec<Unchecked>,
}

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct TopicSeen {
    pub(super) observed: Observed,
    pub(super) health: Health,
    /// What the user may do with it; `None` if nobody tells.
    pub(super) operations: Option<Vec<Operation>>,
}

impl Picture {
    /// The source topics that exist.
    pub(super) fn source_topics(&self) -> impl Iterator<Item = (&String, &TopicSeen)> + Clone {
        self.topics.iter().filter(|(name, _)| self.sources.contains(*name))
    }

    /// The tiers that exist.
    pub(super) fn tiers(&self) -> impl Iterator<Item = (&String, Duration)> {
        self.topics.keys().filter_map(|name| match self.names.parse(name)? {
            retrial_core::naming::OwnTopic::Tier(delay) => Some((name, delay)),
            _ => None,
        })
    }
}
