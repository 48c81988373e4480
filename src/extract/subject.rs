//! Under which subject of the registry a topic's schemas lie.

use crate::extract::Part;

/// How the subject is named under which a record's schema is looked up or registered.
///
/// The names are those of the serializers of other languages, so that all of them find the same subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubjectNames {
    /// `<topic>-key` and `<topic>-value` (TopicNameStrategy): one schema per topic, with all its versions.
    #[default]
    Topic,
    /// The full name of the record type (RecordNameStrategy): several types in one topic, each the same everywhere.
    Record,
    /// `<topic>-<full name>` (TopicRecordNameStrategy): several types in one topic, each with versions of its own there.
    TopicRecord,
}

impl SubjectNames {
    /// The subject of a schema whose outermost type has this full name. A type without a name (a union, a
    /// primitive) has a subject only by [`SubjectNames::Topic`].
    #[must_use]
    pub fn subject(self, topic: &str, part: Part, type_name: Option<&str>) -> Option<String> {
        match self {
            Self::Topic => Some(match part {
                Part::Key => format!("{topic}-key"),
                Part::Body => format!("{topic}-value"),
            }),
            Self::Record => type_name.map(str::to_owned),
            Self::TopicRecord => type_name.map(|name| format!("{topic}-{name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_as_by_the_serializers_of_other_languages() {
        let name = Some("com.shop.Order");
        assert_eq!(SubjectNames::Topic.subject("orders", Part::Body, name).as_deref(), Some("orders-value"));
        assert_eq!(SubjectNames::Topic.subject("orders", Part::Key, None).as_deref(), Some("orders-key"));
        assert_eq!(SubjectNames::Record.subject("orders", Part::Body, name).as_deref(), Some("com.shop.Order"));
        assert_eq!(SubjectNames::Record.subject("orders", Part::Body, None), None);
        let both = SubjectNames::TopicRecord.subject("orders", Part::Key, name);
        assert_eq!(both.as_deref(), Some("orders-com.shop.Order"));
        assert_eq!(SubjectNames::TopicRecord.subject("orders", Part::Key, None), None);
    }
}
