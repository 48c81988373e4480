//! What can go wrong for an operator, and what to do then.

use crate::broker::kafka::{OperatorError, PropertyError, Unreachable};
use retrial_core::naming::NameError;

/// Why something was not answered or not done. Each text names the thing, its value, and, where there is one, the next
/// step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The group's topics cannot be named.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A client property that cannot be.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The brokers did not answer.
    #[error("{0}; check the address, the network, and security.protocol")]
    Unreachable(#[from] Unreachable),
    /// The brokers answered no.
    #[error("{what}: {why}")]
    Refused {
        /// What was asked for.
        what: String,
        /// In the broker's words.
        why: String,
    },
    /// A topic that does not exist.
    #[error(
        "topic {topic} does not exist on {address}, or this user may not see it: check the name, or grant DESCRIBE"
    )]
    NoTopic {
        /// The topic.
        topic: String,
        /// What was connected to.
        address: String,
    },
    /// Nothing of the group's is known of a place.
    #[error("{place} has no story: {why}")]
    NoStory {
        /// The place.
        place: String,
        /// What was found in its stead.
        why: String,
    },
    /// Whoever waited wanted no more, before enough was read to tell anything.
    #[error("stopped before all was read that has to be; nothing was changed: run it again")]
    Stopped,
    /// The group has members, which would overwrite what an operator sets.
    #[error("group {group} has {} running: {}; stop its service first", counted(.members.len()), .members.join(", "))]
    Alive {
        /// The group.
        group: String,
        /// Its members, each by client and host.
        members: Vec<String>,
    },
    /// A position is not what it was when the plan was made.
    #[error("the position of {place} is not the plan's any more ({}, and not {}): make a new plan", shown(*.found), shown(*.planned))]
    Moved {
        /// The partition.
        place: String,
        /// What the plan was made from.
        planned: Option<i64>,
        /// What is committed by now.
        found: Option<i64>,
    },
    /// A part was done.
    #[error("{done} of {of} partitions were set; refused: {}", .refused.join(", "))]
    Partly {
        /// How many were set.
        done: usize,
        /// Of so many.
        of: usize,
        /// The others, with the reason of each.
        refused: Vec<String>,
    },
}

fn shown(offset: Option<i64>) -> String {
    offset.map_or_else(|| "none".to_owned(), |offset| offset.to_string())
}

fn counted(count: usize) -> String {
    if count == 1 { "1 member".to_owned() } else { format!("{count} members") }
}

impl From<OperatorError> for AdminError {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Property(error) => Self::Property(error),
            OperatorError::Unreachable(error) => Self::Unreachable(error),
            OperatorError::Refused { what, why } => Self::Refused { what, why },
        }
    }
}
