//! Which right is missing, in the words that `kafka-acls` takes.

use super::ffi::Code;
use rdkafka::error::RDKafkaErrorCode as Known;
use std::fmt;

/// What a user may do with a topic, a group or the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operation {
    /// Read records, or be a member.
    Read,
    /// Write records.
    Write,
    /// Make it.
    Create,
    /// Delete it, or records of it.
    Delete,
    /// Change it.
    Alter,
    /// See that it is there.
    Describe,
    /// See its settings.
    DescribeConfigs,
    /// Change its settings.
    AlterConfigs,
    /// One that nothing here needs, by its number in Kafka's protocol.
    Other(i32),
}

impl Operation {
    /// By its number in Kafka's protocol.
    pub(super) const fn from_number(number: i32) -> Self {
        match number {
            3 => Self::Read,
            4 => Self::Write,
            5 => Self::Create,
            6 => Self::Delete,
            7 => Self::Alter,
            8 => Self::Describe,
            10 => Self::DescribeConfigs,
            11 => Self::AlterConfigs,
            number => Self::Other(number),
        }
    }
}

/// As option `--operation` of `kafka-acls` takes it.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What to say of an error that means that this user may not do something with a topic.
pub(super) fn of_topic(operation: &str, topic: &str, code: Code) -> Option<String> {
    (code.known() == Some(Known::TopicAuthorizationFailed)).then(|| missing(operation, "topic", topic))
}

/// What to say of an error that means that this user may not be a member of a group.
pub(super) fn of_group(group: &str, code: Code) -> Option<String> {
    (code.known() == Some(Known::GroupAuthorizationFailed)).then(|| missing("READ", "group", group))
}

/// A right that is missing.
pub(super) fn missing(operation: &str, kind: &str, name: &str) -> String {
    format!("this user lacks the right {operation} on {kind} {name}: grant it, and work goes on by itself")
}
