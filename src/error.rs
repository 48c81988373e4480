//! What is wrong with how an app was put together.

use retrial_core::{
    ladder::LadderError,
    naming::{NameError, OwnTopic},
};
use std::fmt;

/// Everything that is wrong with an app, from [`App::build`](crate::App::build).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    group: String,
    mistakes: Vec<Mistake>,
}

impl BuildError {
    pub(crate) fn new(group: &str, mistakes: Vec<Mistake>) -> Self {
        Self { group: group.to_owned(), mistakes }
    }

    /// The mistakes, in the order in which the app was written. There is at least one.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// One line for one mistake; else a line for each.
impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the app of group {:?} cannot be built", self.group)?;
        match &self.mistakes[..] {
            [mistake] => write!(f, ": {mistake}"),
            mistakes => mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}")),
        }
    }
}

impl std::error::Error for BuildError {}

/// One thing that is wrong with an app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// The group's own topics cannot be named.
    #[error("group: {0}")]
    Group(NameError),
    /// The tiers make no ladder.
    #[error("tiers: {0}")]
    Tiers(LadderError),
    /// No topic has a handler.
    #[error("topics: there is none; give at least one with `.topic(…)`")]
    NoTopics,
    /// Something is wrong with a topic's name or with a setting of it.
    #[error("topic {topic}: {setting}: {why}")]
    Topic {
        /// Which topic.
        topic: String,
        /// The method that set it, or `name`.
        setting: &'static str,
        /// What is wrong.
        why: TopicMistake,
    },
}

/// What is wrong with a topic's name or with a setting of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicMistake {
    /// Kafka has no topics of this name.
    #[error("a topic's name has 1 to 249 of the characters A-Z a-z 0-9 . _ - and is not `.` or `..`")]
    Name,
    /// The group's own topics are read by the service itself.
    #[error("this is one of the group's own topics ({0:?}), which the service reads by itself")]
    Own(OwnTopic),
    /// The topic has a handler already.
    #[error("it has a handler already")]
    Twice,
    /// Zero where at least one is needed.
    #[error("it must be at least 1")]
    Zero,
    /// No time at all, in which every attempt would fail.
    #[error("it must be longer than nothing; `.without_timeout()` sets no limit")]
    NoTime,
    /// The longest pause is shorter than the shortest.
    #[error("the longest pause is shorter than the shortest")]
    Reversed,
    /// More than any process can run.
    #[error("{given} is more than {limit}")]
    TooMany {
        /// What was given.
        given: usize,
        /// The most that is taken.
        limit: usize,
    },
}
