//! Marks in the control topic: which partitions the group has read before.
//!
//! A partition that the group has read and that has no committed offset now lost its offset (RULES 6); without a mark
//! it is simply new. Control is compacted, so each partition has one mark, its last.
//!
//! # Format
//! Key `partition/<topic>/<partition>`; value `1 <topic identity> <time>`: the version, 32 hex digits (or `-` where
//! the broker knows no identities) and the RFC 3339 time of the mark. A null value takes the mark back. Other keys
//! belong to other rooms.
//!
//! # Invariants
//! 1. What cannot be read is skipped with a warning, and nothing is written while there is any (RULES 29).
//! 2. A mark of another topic with the same name (deleted and made anew) means nothing.

use retrial_core::time::Timestamp;
use std::{collections::HashMap, fmt, str::FromStr};

const VERSION: &str = "1";

/// Key of every mark, before topic and partition.
const PREFIX: &str = "partition/";

/// One mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Identity of the topic that was read, if the broker told it.
    pub(crate) topic_id: Option<[u8; 16]>,
    /// When the mark was made, by the clock of who made it.
    pub(crate) since: Timestamp,
}

/// Why a value is not a [`Mark`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MarkError {
    #[error("written by a later version ({0})")]
    TooNew(String),
    #[error("damaged")]
    Damaged,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION} ")?;
        match self.topic_id {
            None => f.write_str("-")?,
            Some(id) => id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?,
        }
        write!(f, " {}", self.since)
    }
}

impl FromStr for Mark {
    type Err = MarkError;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, MarkError> {
        let mut words = text.split(' ');
        match words.next() {
            Some(VERSION) => {}
            Some(version) if version.parse::<u32>().is_ok_and(|version| version > 1) => {
                return Err(MarkError::TooNew(version.chars().take(10).collect()));
            }
            _ => return Err(MarkError::Damaged),
        }
        let (Some(id), Some(since), None) = (words.next(), words.next(), words.next()) else {
            return Err(MarkError::Damaged);
        };
        let topic_id = if id == "-" { None } else { Some(parse_id(id).ok_or(MarkError::Damaged)?) };
        Ok(Self { topic_id, since: since.parse().map_err(|_| MarkError::Damaged)? })
    }
}

fn parse_id(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
    Some(number.to_be_bytes())
}

/// The key of a partition's mark.
pub(crate) fn key(topic: &str, partition: i32) -> String {
    format!("{PREFIX}{topic}/{partition}")
}

fn parse_key(key: &[u8]) -> Option<Result<(String, i32), MarkError>> {
    let rest = key.strip_prefix(PREFIX.as_bytes())?;
    let parse = || {
        let (topic, partition) = std::str::from_utf8(rest).ok()?.rsplit_once('/')?;
        let number = partition.parse().ok().filter(|number: &i32| *number >= 0 && number.to_string() == partition)?;
        (!topic.is_empty()).then(|| (topic.to_owned(), number))
    };
    Some(parse().ok_or(MarkError::Damaged))
}

/// Every mark of a group, as read from its control topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    marks: HashMap<String, HashMap<i32, Mark>>,
    unread: HashMap<Vec<u8>, String>,
}

impl Marks {
    /// Takes in one record of the control topic; later records of a key replace earlier ones.
    pub(crate) fn take_in(&mut self, key: &[u8], value: Option<&[u8]>) {
        let Some(place) = parse_key(key) else { return };
        self.unread.remove(key);
        let (topic, partition) = match place {
            Ok(place) => place,
            Err(error) => return self.skip(key, value, &error),
        };
        if let Some(partitions) = self.marks.get_mut(&topic) {
            partitions.remove(&partition);
        }
        let Some(value) = value else { return };
        let mark = std::str::from_utf8(value).map_err(|_| MarkError::Damaged).and_then(str::parse);
        match mark {
            Ok(mark) => drop(self.marks.entry(topic).or_default().insert(partition, mark)),
            Err(error) => self.skip(key, Some(value), &error),
        }
    }

    fn skip(&mut self, key: &[u8], value: Option<&[u8]>, error: &MarkError) {
        if value.is_some() {
            let shown: String = key.escape_ascii().to_string().chars().take(300).collect();
            self.unread.insert(key.to_vec(), format!("control record {shown} is skipped: {error}"));
        }
    }

    /// Whether the group has read this partition of this very topic before.
    pub(crate) fn knows(&self, topic: &str, partition: i32, topic_id: Option<[u8; 16]>) -> bool {
        let mark = self.marks.get(topic).and_then(|partitions| partitions.get(&partition));
        mark.is_some_and(|mark| match (mark.topic_id, topic_id) {
            (Some(marked), Some(now)) => marked == now,
            // One of the two did not know: better to ask the operator than to read from the start again.
            _ => true,
        })
    }

    /// Whether the group has read any partition of a topic of this name before.
    pub(crate) fn know_topic(&self, topic: &str) -> bool {
        self.marks.get(topic).is_some_and(|partitions| !partitions.is_empty())
    }

    /// Identity of the topic in which the group read this partition last.
    pub(crate) fn id(&self, topic: &str, partition: i32) -> Option<[u8; 16]> {
        self.marks.get(topic)?.get(&partition)?.topic_id
    }

    /// Identities that a topic of this name had when the group read it.
    pub(crate) fn ids(&self, topic: &str) -> impl Iterator<Item = [u8; 16]> + '_ {
        self.marks.get(topic).into_iter().flat_map(HashMap::values).filter_map(|mark| mark.topic_id)
    }

    /// Whether there is any mark: a group that has none is new.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.values().all(HashMap::is_empty)
    }

    /// What could not be read, in words. Nothing may be written to control while there is any.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &str> {
        self.unread.values().map(String::as_str)
    }

    /// Whether marks may be written.
    pub(crate) fn writable(&self) -> bool {
        self.unread.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: [u8; 16] = [0xab; 16];

    fn marks(records: &[(&str, Option<&str>)]) -> Marks {
        let mut marks = Marks::default();
        for (key, value) in records {
            marks.take_in(key.as_bytes(), value.map(str::as_bytes));
        }
        marks
    }

    #[test]
    fn a_mark_has_a_frozen_spelling() {
        let since = Timestamp::from_millis(1_795_342_860_007);
        let mark = Mark { topic_id: Some(ID), since };
        assert_eq!(mark.to_string(), "1 abababababababababababababababab 2026-11-22T10:21:00.007Z");
        assert_eq!(Mark { topic_id: None, since }.to_string(), "1 - 2026-11-22T10:21:00.007Z");
        assert_eq!(key("orders", 3), "partition/orders/3");
    }

    #[test]
    fn the_last_record_of_a_key_counts_and_null_takes_it_back() {
        let mark = Mark { topic_id: Some(ID), since: Timestamp::default() }.to_string();
        let known = marks(&[("partition/orders/3", Some("rubbish")), ("partition/orders/3", Some(&mark))]);
        assert!(known.knows("orders", 3, Some(ID)) && known.writable() && !known.is_empty());
        assert!(!known.knows("orders", 4, Some(ID)) && !known.knows("other", 3, None));
        let gone = marks(&[("partition/orders/3", Some(&mark)), ("partition/orders/3", None)]);
        assert!(!gone.knows("orders", 3, Some(ID)) && gone.is_empty() && gone.writable());
    }

    #[test]
    fn a_topic_made_anew_is_not_known() {
        let mark = Mark { topic_id: Some(ID), since: Timestamp::default() }.to_string();
        let known = marks(&[("partition/orders/3", Some(&mark))]);
        assert!(!known.knows("orders", 3, Some([1; 16])));
        assert!(known.knows("orders", 3, None));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_forbids_writing() {
        for (key, value) in [
            ("partition/orders/3", "2 whatever"),
            ("partition/orders/3", "1 - yesterday"),
            ("partition/orders/3", "1 abc 2026-11-22T10:21:00.007Z"),
            ("partition/orders/3", "1 - 2026-11-22T10:21:00.007Z more"),
            ("partition/orders/3", ""),
            ("partition/orders/-3", "1 - 2026-11-22T10:21:00.007Z"),
            ("partition/orders/03", "1 - 2026-11-22T10:21:00.007Z"),
            ("partition/", "x"),
        ] {
            let marks = marks(&[(key, Some(value))]);
            assert!(marks.is_empty() && !marks.writable(), "{key} {value}");
            assert_eq!(marks.warnings().count(), 1);
        }
        assert!(marks(&[("operation/17", Some("anything"))]).writable());
    }

    proptest! {
        #[test]
        fn every_mark_reads_back(id in proptest::option::of(any::<[u8; 16]>()), millis in any::<i64>()) {
            let mark = Mark { topic_id: id, since: Timestamp::from_millis(millis) };
            prop_assert_eq!(mark.to_string().parse(), Ok(mark));
        }

        #[test]
        fn no_bytes_make_it_panic(key in "partition/.{0,20}", value in any::<Vec<u8>>()) {
            Marks::default().take_in(key.as_bytes(), Some(&value));
        }
    }
}
