//! Which right is missing, in the words that `kafka-acls` takes.

use super::ffi::Code;
use rdkafka::error::RDKafkaErrorCode as Known;

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
