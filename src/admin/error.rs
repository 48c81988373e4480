//! What can go wrong for an operator, and what to do then.

use crate::broker::kafka::{OperatorError, PropertyError, Unreachable};
use retrial_core::{
    control::{FRESH, Occupied},
    ladder::LadderError,
    naming::NameError,
};

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
    /// Nothing tells which topics the group reads.
    #[error("no source topic of group {group} is known, since it has committed nothing: name them with --topic")]
    NoSource {
        /// The group.
        group: String,
    },
    /// Delays that make no ladder.
    #[error("delays: {0}")]
    Ladder(#[from] LadderError),
    /// Topics are not what they were when the plan was made.
    #[error("the topics of group {group} have changed since the plan: make a new plan")]
    TopicsMoved {
        /// The group.
        group: String,
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
    /// Another operator is at work in this group.
    #[error("{} of {} is at work ({}): {}", .occupied.claim.operation, .occupied.claim.who, silence(.occupied), advice(.occupied))]
    Occupied {
        /// Who, and with what.
        occupied: Occupied,
    },
    /// Another operator has taken the place of this one.
    #[error("{operation} was taken over by {by}: what was written until then stays, and nothing was written after")]
    TakenOver {
        /// The operation that goes on elsewhere, or stands.
        operation: String,
        /// The other one.
        by: String,
    },
    /// Something in the control topic is of a later version, or damaged: nothing is written beside it.
    #[error("{warning}; nothing is changed while it is there: use the version of retrial that wrote it")]
    Unreadable {
        /// What it is.
        warning: String,
    },
    /// There is no such operation, or it is not one that can go on.
    #[error("operation {id} {why}")]
    NoOperation {
        /// Its id.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// A replay would take what the group has not finished, which would run twice (RULES 21).
    #[error(
        "the group has not finished all that is meant: {}; what is at or above a watermark is still to be handled, and a \
         replay of it would run it twice: end below it, or say --past-watermark",
        below(.watermarks)
    )]
    PastWatermark {
        /// The partitions, each with its watermark.
        watermarks: Vec<((String, i32), i64)>,
    },
    /// The group has no position in a topic.
    #[error("group {group} has no position in {topic}: a replay is of what it has read; check both names")]
    NotRead {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// A topic of the group's own is no source of work.
    #[error(
        "{topic} is one of the group's own topics: a replay is of source topics, dead letters go back by dlq redrive"
    )]
    OwnTopic {
        /// The topic.
        topic: String,
    },
    /// An operation cannot be called so.
    #[error("{id:?} {why}")]
    WrongId {
        /// What it was to be called.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// An operation of this id is known, and is not the one that was meant.
    #[error("{id} {why}; choose another id, or, to go on with that one: retrial operations resume {id}")]
    IdTaken {
        /// The id.
        id: String,
        /// What it is.
        why: String,
    },
    /// A topic was deleted and made anew since an operation was planned.
    #[error("{topic} was deleted and made anew since {operation} was planned: it is not the topic that was meant")]
    MadeAnew {
        /// The topic.
        topic: String,
        /// The operation.
        operation: String,
    },
    /// An operation broke off in the middle.
    #[error("{operation} broke off: {why}; to go on: retrial operations resume {operation}")]
    BrokeOff {
        /// The operation.
        operation: String,
        /// Why.
        why: String,
    },
}

fn below(watermarks: &[((String, i32), i64)]) -> String {
    let one = |((topic, partition), watermark): &((String, i32), i64)| {
        format!("{topic}/{partition} has watermark {watermark}")
    };
    watermarks.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn silence(occupied: &Occupied) -> String {
    format!("last heard of {:.1} s ago", occupied.silent.as_secs_f64())
}

fn advice(occupied: &Occupied) -> String {
    match occupied.is_fresh() {
        true => format!(
            "wait for it, or end it with retrial operations stop {}; if it was killed, that shows {} s after its last sign",
            occupied.claim.operation,
            FRESH.as_secs()
        ),
        false => "if its process is gone for good, --take-over goes on in its place".to_owned(),
    }
}

fn shown(offset: Option<i64>) -> String {
    offset.map_or_else(|| "none".to_owned(), |offset| offset.to_string())
}

fn counted(count: usize) -> String {
    if count == 1 { "1 member".to_owned() } else { format!("{count} members") }
}

impl From<Occupied> for AdminError {
    fn from(occupied: Occupied) -> Self {
        Self::Occupied { occupied }
    }
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
